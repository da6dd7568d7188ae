"""Children answer, fail, die or hang, and the supervisor turns each of these into a result or one plain error."""

import os
import signal
import subprocess
import sys
import threading
from contextvars import Context, copy_context
from pathlib import Path

import psutil
import pytest

from tasks.processes.supervisor import (
    PROJECT_ROOT,
    ChildFailedError,
    end_prepared_children,
    prepare_children,
    run_child,
    supervise_children,
)
from tests.processes import is_gone
from tests.waiting import wait_until

CHILD = "tests.children"


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: is_gone(pid), 10, f"the end of process {pid}", every=0.02)


def wait_for_pid(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), 20, "the start of the child", every=0.02)
    return int(path.read_text())


def test_the_result_and_the_events_arrive_in_order():
    events = []
    assert run_child(CHILD, {"do": "count", "to": 3}, 30, events.append) == {"counted": 3}
    assert events == [{"number": 1}, {"number": 2}, {"number": 3}]


def test_a_request_larger_than_a_pipe_arrives_whole():
    request = {"do": "return", "text": "영화 " * 100_000}
    assert run_child(CHILD, request, 30) == request


def test_a_variable_of_the_environment_is_handed_on():
    request = {"do": "environment", "name": "OMP_NUM_THREADS"}
    assert run_child(CHILD, request, 30, environment={"OMP_NUM_THREADS": "7"}) == {"value": "7"}


def test_a_real_step_runs_in_a_child(store):
    files = run_child("tasks.data.sample", {"reviews": 20, "store": store.uri, "folder": "datasets/sample-x"}, 60)
    assert files["archive"]["path"] == "datasets/sample-x/sample.npz"
    assert store.list_files("") == ["datasets/sample-x/sample.npz", "datasets/sample-x/sample_word_index.json"]


def test_bad_input_of_a_real_step_is_a_value_error_with_its_message(store):
    file = {"path": "datasets/split-x/train.parquet", "sha256": "ab" * 32, "bytes": 1, "rows": 1}
    request = {"files": {"train": file}, "maxlen": 100, "store": store.uri, "folder": "datasets/pad-x"}
    with pytest.raises(ValueError, match="missing") as caught:
        run_child("tasks.data.pad", request, 60)
    assert str(caught.value) == f"{store.locate('datasets/split-x/train.parquet')} must be there and is missing."


def test_what_a_child_prints_cannot_tear_or_forge_an_event():
    events = []
    assert run_child(CHILD, {"do": "print"}, 30, events.append) == {"whole": True}
    assert events == [{"first": "between"}]


@pytest.mark.parametrize("kind", ["ValueError", "FileNotFoundError"])
def test_bad_input_in_a_child_is_a_value_error_with_the_same_message(kind):
    message = "`maxlen` must be at least 1. Received: maxlen=0."
    with pytest.raises(ValueError, match="maxlen") as caught:
        run_child(CHILD, {"do": "raise", "kind": kind, "message": message}, 30)
    assert str(caught.value) == message


def test_any_other_error_in_a_child_is_told_by_its_last_line():
    with pytest.raises(ChildFailedError) as caught:
        run_child(CHILD, {"do": "raise", "kind": "ZeroDivisionError", "message": "no batches"}, 30)
    assert str(caught.value) == "ZeroDivisionError: no batches"


def test_a_child_without_memory_has_enough_left_to_say_so():
    with pytest.raises(ChildFailedError) as caught:
        run_child(CHILD, {"do": "run out of memory"}, 30)
    assert str(caught.value) == "it ran out of memory: Python got none"


def test_a_killed_child_is_told_by_its_signal():
    with pytest.raises(ChildFailedError) as caught:
        run_child(CHILD, {"do": "kill itself"}, 30)
    assert str(caught.value) == "it was killed by SIGKILL (the system does that when memory runs out)"


def test_a_child_that_ends_without_a_word_is_told_by_its_exit_code():
    with pytest.raises(ChildFailedError) as caught:
        run_child(CHILD, {"do": "exit", "code": 7}, 30)
    assert str(caught.value) == "it ended with exit code 7"


def test_a_module_that_cannot_be_started_is_told_by_its_last_words():
    with pytest.raises(ChildFailedError) as caught:
        run_child("tasks.no_such_module", {}, 30)
    assert str(caught.value).startswith("it ended with exit code 1; its last words: ")
    assert str(caught.value).endswith("No module named 'tasks.no_such_module'")


def test_a_child_that_takes_too_long_is_ended_and_leaves_no_process():
    events = []
    with pytest.raises(ChildFailedError) as caught:
        run_child(CHILD, {"do": "sleep"}, 2, events.append)
    assert str(caught.value) == "it was ended after its timeout of 2 s"
    assert not psutil.pid_exists(events[0]["pid"])


def test_a_child_that_takes_too_long_is_ended_with_all_that_it_has_started():
    events = []
    with pytest.raises(ChildFailedError, match="timeout"):
        run_child(CHILD, {"do": "sleep with a child"}, 2, events.append)
    wait_until_gone(events[0]["pid"])


def test_an_error_of_the_listener_ends_the_child():
    pids = []

    def listen(event: dict[str, int]) -> None:
        pids.append(event["pid"])
        raise RuntimeError("the listener broke")

    with pytest.raises(RuntimeError, match="the listener broke"):
        run_child(CHILD, {"do": "sleep"}, 60, listen)
    assert not psutil.pid_exists(pids[0])


def test_the_death_of_one_child_leaves_its_sibling_alone():
    results = []
    thread = threading.Thread(
        target=lambda: results.append(run_child(CHILD, {"do": "count", "to": 3}, 30)), daemon=True
    )
    thread.start()
    with pytest.raises(ChildFailedError, match="SIGKILL"):
        run_child(CHILD, {"do": "kill itself"}, 30)
    thread.join(30)
    assert results == [{"counted": 3}]


def test_a_child_whose_parent_is_killed_ends_itself(tmp_path):
    pid_file = tmp_path / "pid"
    request = {"do": "sleep", "pid_file": str(pid_file)}
    script = f"from tasks.processes.supervisor import run_child; run_child({CHILD!r}, {request!r}, 600)"
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
    started: list[tuple[threading.Thread, Context, int]] = []

    def supervise() -> None:
        try:
            run_child(CHILD, {"do": "sleep", "pid_file": str(tmp_path / "pid")}, 60)
        except ChildFailedError as error:
            errors.append(str(error))

    def interrupt() -> None:
        with supervise_children():
            # As Prefect does for the threads of a flow's tasks.
            context = copy_context()
            thread = threading.Thread(target=context.run, args=(supervise,), daemon=True)
            thread.start()
            started.append((thread, context, wait_for_pid(tmp_path / "pid")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    ((thread, context, pid),) = started
    thread.join(20)
    assert errors == ["it was ended with the run"]
    assert not psutil.pid_exists(pid)
    with pytest.raises(ChildFailedError, match=r"^it was not started, because the run is being ended$"):
        context.run(run_child, CHILD, {"do": "count", "to": 1}, 30)
    assert run_child(CHILD, {"do": "count", "to": 1}, 30) == {"counted": 1}


def test_a_run_that_ends_well_leaves_the_next_children_alone():
    with supervise_children():
        assert run_child(CHILD, {"do": "count", "to": 1}, 30) == {"counted": 1}
    assert run_child(CHILD, {"do": "count", "to": 2}, 30) == {"counted": 2}


def our_children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture
def no_others():
    """Let the test see its own children alone, and leave none."""
    before = our_children()
    yield before
    end_prepared_children()
    assert our_children() == before


def test_a_prepared_child_is_the_one_that_answers(no_others):
    prepare_children(CHILD, 1)
    (pid,) = our_children() - no_others
    assert run_child(CHILD, {"do": "pid"}, 30) == {"pid": pid}
    assert our_children() == no_others
    assert run_child(CHILD, {"do": "pid"}, 30) != {"pid": pid}


def test_no_more_children_are_prepared_than_asked_for(no_others):
    prepare_children(CHILD, 1)
    prepare_children(CHILD, 2)
    assert len(our_children() - no_others) == 2


def test_a_child_prepared_for_another_environment_is_left_alone(no_others):
    prepare_children(CHILD, 1, {"OMP_NUM_THREADS": "3"})
    assert run_child(
        CHILD, {"do": "environment", "name": "OMP_NUM_THREADS"}, 30, environment={"OMP_NUM_THREADS": "7"}
    ) == {"value": "7"}
    assert len(our_children() - no_others) == 1


def test_a_prepared_child_that_died_is_replaced(no_others):
    prepare_children(CHILD, 1)
    (pid,) = our_children() - no_others
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert run_child(CHILD, {"do": "count", "to": 1}, 30) == {"counted": 1}


def test_prepared_children_that_nobody_asked_are_ended_with_the_run(no_others):
    with supervise_children():
        prepare_children(CHILD, 2)
        assert len(our_children() - no_others) == 2
    assert our_children() == no_others


@pytest.mark.parametrize("variables", [{}, {"SECONDS_TO_IMPORT": "120"}], ids=["idle", "still importing"])
def test_a_prepared_child_whose_parent_is_killed_ends_itself(variables):
    script = (
        f"from tasks.processes.supervisor import prepare_children; prepare_children({CHILD!r}, 1, {variables}); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT, stdin=subprocess.PIPE) as parent:
        try:
            [child] = wait_until(psutil.Process(parent.pid).children, 20, "the start of the child", every=0.02)
        finally:
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
    wait_until_gone(child.pid)


@pytest.mark.parametrize("library", ["pandas", "sklearn", "matplotlib"])
def test_a_child_does_without_what_is_imported_only_because_it_is_installed(library):
    with pytest.raises(ChildFailedError) as caught:
        run_child(CHILD, {"do": "import", "name": library}, 30)
    assert str(caught.value) == f"ModuleNotFoundError: {library} is left out of child processes"
