"""Children answer, fail, die or hang, and the caller gets an answer or one error."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from storage.records import StoredFile
from tasks.data import pad, sample
from tasks.processes.children import (
    BadInputError,
    ChildFailedError,
    Children,
    children_of_command,
    children_of_run,
)
from tasks.processes.messages import Job, Warned
from tests.children import JOB
from tests.places import PROJECT_ROOT
from tests.processes import is_gone
from tests.repeated_children import JOB as REPEATED
from tests.waiting import wait_until


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: is_gone(pid), 10, f"the end of process {pid}", every=0.02)


def wait_for_pid(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), 20, "the start of the child", every=0.02)
    return int(path.read_text())


def test_the_result_and_the_events_arrive_in_order(children):
    events = []
    assert children.ask(JOB, {"do": "count", "to": 3}, 30, events.append) == {"counted": 3}
    assert events == [Warned("1"), Warned("2"), Warned("3")]


def test_a_request_larger_than_a_pipe_arrives_whole(children):
    request = {"do": "return", "text": "영화 " * 100_000}
    assert children.ask(JOB, request, 30) == request


def test_a_variable_of_the_environment_is_handed_on(children):
    job = replace(JOB, environment={"OMP_NUM_THREADS": "7"})
    assert children.ask(job, {"do": "environment", "name": "OMP_NUM_THREADS"}, 30) == {"value": "7"}


def test_a_real_step_runs_in_a_child(store, children):
    files = children.ask(sample.JOB, sample.SampleRequest(20, store.uri, "datasets/sample-x"), 60)
    assert files["archive"].path == "datasets/sample-x/sample.npz"
    assert store.list_files("") == ["datasets/sample-x/sample.npz", "datasets/sample-x/sample_word_index.json"]


def test_bad_input_of_a_real_step_is_a_value_error_with_its_message(store, children):
    file = StoredFile("datasets/split-x/train.parquet", "ab" * 32, 1, 1)
    request = pad.PadRequest({"train": file}, 100, store.uri, "datasets/pad-x")
    with pytest.raises(ValueError, match="missing") as caught:
        children.ask(pad.JOB, request, 60)
    assert str(caught.value) == f"{store.locate('datasets/split-x/train.parquet')} must be there and is missing."


def test_what_a_child_prints_cannot_tear_or_forge_an_event(children):
    events = []
    assert children.ask(JOB, {"do": "print"}, 30, events.append) == {"whole": True}
    assert events == [Warned("between")]


@pytest.mark.parametrize("kind", ["ValueError", "FileNotFoundError"])
def test_bad_input_in_a_child_is_a_value_error_with_the_same_message(kind, children):
    message = "`maxlen` must be at least 1. Received: maxlen=0."
    with pytest.raises(ValueError, match="maxlen") as caught:
        children.ask(JOB, {"do": "raise", "kind": kind, "message": message}, 30)
    assert str(caught.value) == message
    # A missing file may exist at the next attempt; a wrong value stays wrong.
    assert caught.value.may_pass == (kind == "FileNotFoundError")


def test_any_other_error_in_a_child_is_told_by_its_last_line(children):
    with pytest.raises(ChildFailedError) as caught:
        children.ask(JOB, {"do": "raise", "kind": "ZeroDivisionError", "message": "no batches"}, 30)
    assert str(caught.value) == "ZeroDivisionError: no batches"
    assert not caught.value.may_pass


def test_a_child_without_memory_has_enough_left_to_say_so(children):
    with pytest.raises(ChildFailedError) as caught:
        children.ask(JOB, {"do": "run out of memory"}, 30)
    assert str(caught.value) == "it ran out of memory: Python got none"


def test_a_killed_child_is_told_by_its_signal(children):
    with pytest.raises(ChildFailedError) as caught:
        children.ask(JOB, {"do": "kill itself"}, 30)
    assert str(caught.value) == "it was killed by SIGKILL (the system does that when memory runs out)"
    assert caught.value.may_pass


def test_a_child_that_ends_without_a_word_is_told_by_its_exit_code(children):
    with pytest.raises(ChildFailedError) as caught:
        children.ask(JOB, {"do": "exit", "code": 7}, 30)
    assert str(caught.value) == "it ended with exit code 7"


def test_a_module_that_cannot_be_started_is_named_with_the_last_line_of_its_errors(children):
    with pytest.raises(ChildFailedError) as caught:
        children.ask(Job("tasks.no_such_module", dict, dict), {}, 30)
    assert str(caught.value).startswith("it ended with exit code 1; the last line of its errors: ")
    # The end of its log is kept for the report.
    assert caught.value.log.splitlines()[0].startswith("Traceback")
    assert "no_such_module" in caught.value.log.splitlines()[-1]
    assert str(caught.value).endswith("No module named 'tasks.no_such_module'")


def test_a_child_that_takes_too_long_is_ended_and_leaves_no_process(children):
    events = []
    with pytest.raises(ChildFailedError) as caught:
        children.ask(JOB, {"do": "sleep"}, 2, events.append)
    assert str(caught.value) == "it was ended after its timeout of 2 s"
    assert not psutil.pid_exists(int(events[0].text))


def test_a_child_that_takes_too_long_is_ended_with_all_that_it_has_started(children):
    events = []
    with pytest.raises(ChildFailedError, match="timeout"):
        children.ask(JOB, {"do": "sleep with a child"}, 2, events.append)
    wait_until_gone(int(events[0].text))


def test_an_error_of_the_listener_ends_the_child(children):
    pids = []

    def listen(event):
        pids.append(int(event.text))
        raise RuntimeError("the listener broke")

    with pytest.raises(RuntimeError, match="the listener broke"):
        children.ask(JOB, {"do": "sleep"}, 60, listen)
    assert not psutil.pid_exists(pids[0])


def test_the_death_of_one_child_leaves_its_sibling_alone(children):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(children.ask(JOB, {"do": "count", "to": 3}, 30)), daemon=True
    )
    thread.start()
    with pytest.raises(ChildFailedError, match="SIGKILL"):
        children.ask(JOB, {"do": "kill itself"}, 30)
    thread.join(30)
    assert results == [{"counted": 3}]


def test_a_child_whose_parent_is_killed_ends_itself(tmp_path, children):
    pid_file = tmp_path / "pid"
    request = {"do": "sleep", "pid_file": str(pid_file)}
    script = (
        "from tasks.processes.children import Children; from tests.children import JOB; "
        f"Children().ask(JOB, {request!r}, 600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT) as parent:
        try:
            pid = wait_for_pid(pid_file)
            assert psutil.Process(pid).ppid() == parent.pid
        finally:
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
    wait_until_gone(pid)


def test_a_run_that_is_interrupted_ends_its_children_and_starts_no_other(tmp_path):
    errors: list[str] = []
    started: list[tuple[threading.Thread, Children, int]] = []

    def interrupt() -> None:
        with children_of_run() as children:

            def wait_for_answer() -> None:
                try:
                    children.ask(JOB, {"do": "sleep", "pid_file": str(tmp_path / "pid")}, 60)
                except ChildFailedError as error:
                    errors.append(str(error))

            thread = threading.Thread(target=wait_for_answer, daemon=True)
            thread.start()
            started.append((thread, children, wait_for_pid(tmp_path / "pid")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    ((thread, children, pid),) = started
    thread.join(20)
    assert errors == ["it was ended with the run"]
    wait_until_gone(pid)
    with pytest.raises(ChildFailedError, match=r"^it was not started, because the run is being ended$") as caught:
        children.ask(JOB, {"do": "count", "to": 1}, 30)
    assert not caught.value.may_pass


def our_children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture
def no_others(children):
    """Show the test only its own child processes, and check that it leaves none."""
    before = our_children()
    yield before
    children.close()
    assert our_children() == before


def test_a_child_that_was_started_ahead_is_the_one_that_answers(children, no_others):
    children.start_ahead(JOB, 1)
    (pid,) = our_children() - no_others
    assert children.ask(JOB, {"do": "pid"}, 30) == {"pid": pid}
    assert our_children() == no_others
    assert children.ask(JOB, {"do": "pid"}, 30) != {"pid": pid}


def test_a_child_of_a_repeatable_job_answers_again_and_again(children, no_others):
    answers = [children.ask(REPEATED, {"do": "pid"}, 30)["pid"] for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert our_children() - no_others == {answers[0]}


@pytest.mark.parametrize("failure", ["kill itself", "raise", "sleep"])
def test_a_child_that_fails_costs_its_current_request_alone(children, no_others, failure):
    first = children.ask(REPEATED, {"do": "pid"}, 30)["pid"]
    request = {"do": failure, "kind": "ValueError", "message": "x"}
    with pytest.raises((ChildFailedError, BadInputError)):
        children.ask(REPEATED, request, 2)
    second = children.ask(REPEATED, {"do": "pid"}, 30)["pid"]
    assert second != first
    assert our_children() - no_others == {second}


def test_a_child_that_has_grown_much_is_replaced(children):
    def ask(**request):
        return children.ask(REPEATED, {"do": "grow", **request}, 30)["pid"]

    first = ask(megabytes=0)
    assert ask(megabytes=60) == first
    assert ask(megabytes=60) == first
    assert ask(megabytes=0) != first


def test_two_requests_at_once_take_two_children_and_later_ones_the_same_two(children, no_others):
    def pids():
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(children.ask, REPEATED, {"do": "nap"}, 30) for _ in range(2)]
            return {one.result()["pid"] for one in asked}

    first = pids()
    assert len(first) == 2
    assert pids() == first == our_children() - no_others


def test_children_that_wait_are_ended_when_their_memory_is_needed(children, no_others):
    children.start_ahead(JOB, 1)
    children.ask(REPEATED, {"do": "pid"}, 30)
    assert len(our_children() - no_others) == 2
    children.end_idle(REPEATED)
    assert len(our_children() - no_others) == 1


def test_no_more_children_are_started_ahead_than_asked_for(children, no_others):
    children.start_ahead(JOB, 1)
    children.start_ahead(JOB, 2)
    assert len(our_children() - no_others) == 2


def test_a_child_started_for_another_environment_is_left_alone(children, no_others):
    children.start_ahead(replace(JOB, environment={"OMP_NUM_THREADS": "3"}), 1)
    job = replace(JOB, environment={"OMP_NUM_THREADS": "7"})
    assert children.ask(job, {"do": "environment", "name": "OMP_NUM_THREADS"}, 30) == {"value": "7"}
    assert len(our_children() - no_others) == 1


def test_a_child_started_ahead_that_died_is_replaced(children, no_others):
    children.start_ahead(JOB, 1)
    (pid,) = our_children() - no_others
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert children.ask(JOB, {"do": "count", "to": 1}, 30) == {"counted": 1}


def test_a_flow_takes_the_children_that_its_command_has_started(no_others):
    with children_of_command() as of_command:
        of_command.start_ahead(JOB, 1)
        (pid,) = our_children() - no_others
        with children_of_run() as of_run:
            assert of_run.ask(JOB, {"do": "pid"}, 30) == {"pid": pid}


def test_children_that_nobody_asked_are_ended_with_the_run(no_others):
    with children_of_run() as children:
        children.start_ahead(JOB, 2)
        assert len(our_children() - no_others) == 2
    assert our_children() == no_others


@pytest.mark.parametrize("variables", [{}, {"SECONDS_TO_IMPORT": "120"}], ids=["idle", "still importing"])
def test_a_prepared_child_whose_parent_is_killed_ends_itself(variables, children):
    script = (
        "from dataclasses import replace; from tasks.processes.children import Children; "
        f"from tests.children import JOB; Children().start_ahead(replace(JOB, environment={variables}), 1); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT, stdin=subprocess.PIPE) as parent:
        try:
            [child] = wait_until(psutil.Process(parent.pid).children, 20, "the start of the child", every=0.02)
        finally:
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
    wait_until_gone(child.pid)


@pytest.mark.parametrize("library", ["pandas", "sklearn", "matplotlib"])
def test_a_child_does_without_what_is_imported_only_because_it_is_installed(library, children):
    with pytest.raises(ChildFailedError) as caught:
        children.ask(JOB, {"do": "import", "name": library}, 30)
    assert str(caught.value) == f"ModuleNotFoundError: {library} is left out of child processes"
