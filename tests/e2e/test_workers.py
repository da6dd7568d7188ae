"""Trainings on real workers: a night hands them out, loses one, and finds none at all."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from storage.runs import read_run, verify_store
from storage.store import Store
from tests.e2e.conftest import (
    NIGHT,
    OVER,
    PREFECT,
    PROJECT_ROOT,
    deployment,
    end,
    start,
    start_night,
    wait_until,
)
from tests.processes import training_children

ON_WORKERS = NIGHT | {"placement": "workers", "timeout_seconds": 120}


def wait_for_night(api, identifier, store):
    """Return the flow run's last state, and the run that it published."""

    def finished():
        flow_run = api.get(f"/flow_runs/{identifier}").raise_for_status().json()
        return flow_run if flow_run["state_type"] in OVER else None

    flow_run = wait_until(finished, 240, "the night's end")
    manifests = [path for path in store.list_files("runs") if path.endswith(f"{identifier[:6]}/run.json")]
    assert len(manifests) == 1, flow_run["state"]["message"]
    manifest = manifests[0]
    return flow_run["state"], read_run(store, manifest.split("/")[1])


def training_runs(api, run):
    """Return the flow runs of a night's trainings."""
    wanted = {"deployments": {"id": {"any_": [deployment(api, "train-variant/worker")["id"]]}}}
    found = api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
    return [flow_run for flow_run in found if flow_run["parameters"]["run_folder"] == f"runs/{run.run_id}"]


def find_flow_process(identifier):
    """Return the process that runs a flow run, the first with the environment that the worker gave it, or None."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get("PREFECT__FLOW_RUN_ID") == identifier:
                return process
    return None


@pytest.fixture(scope="module")
def shared(environment):
    """The store that the workers' environment names."""
    return Store(environment["RETRAIN_STORE"])


@pytest.fixture(scope="module")
def workers(api, environment, tmp_path_factory):
    """Two workers of the pool `training`, each with one training at a time."""
    command = [PREFECT, "worker", "start", "--pool", "training", "--limit", "1", "--name"]
    with (tmp_path_factory.mktemp("logs") / "workers.txt").open("w") as log:
        options = {"env": environment, "cwd": PROJECT_ROOT, "stdout": log, "stderr": subprocess.STDOUT}
        started = [subprocess.Popen([*command, name], **options) for name in ("first", "second")]
        try:
            yield started
        finally:
            for process in started:
                end(process)


def test_trainings_have_a_pool_of_their_own_and_no_schedule(api):
    training = deployment(api, "train-variant/worker")
    assert (training["work_pool_name"], training["schedules"]) == ("training", [])
    assert deployment(api, "nightly-retraining/nightly")["work_pool_name"] == "retraining"


def test_without_a_worker_the_trainings_fail_with_the_reason_and_the_report_is_written(api, shared):
    state, run = wait_for_night(api, start_night(api, ON_WORKERS | {"timeout_seconds": 5}), shared)
    assert state["type"] == "FAILED"
    reason = "no worker of the pool training took it within 5 s"
    assert {(failure.name, failure.error) for failure in run.failures} == {
        ("lstm-seed42", reason),
        ("gru-seed42", reason),
    }
    assert "No model tonight: every training failed." in shared.read_bytes(run.report.path).decode()
    assert {flow_run["state_type"] for flow_run in training_runs(api, run)} == {"CANCELLED"}


def test_two_workers_train_what_the_night_hands_out_in_a_bucket(api, workers, object_store):
    state, run = wait_for_night(api, start_night(api, ON_WORKERS | {"store": object_store.uri}), object_store)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed42", "gru-seed42"]
    assert [training.epochs for training in run.trainings] == [2, 2]
    trained = training_runs(api, run)
    assert {flow_run["name"] for flow_run in trained} == {"train lstm, seed 42", "train gru, seed 42"}
    assert [flow_run["state_type"] for flow_run in trained] == ["COMPLETED", "COMPLETED"]
    assert all(flow_run["parent_task_run_id"] for flow_run in trained)
    assert (verify_store(object_store).damaged, verify_store(object_store).unfinished) == ((), ())


def test_a_training_whose_process_is_killed_is_handed_out_again(api, shared, workers):
    identifier = start_night(api, ON_WORKERS)
    # In the middle of its work: the flow's process has a child that trains.
    (child,) = wait_until(lambda: training_children(*workers)[:1], 120, "a training on a worker")
    child.parent().kill()
    state, run = wait_for_night(api, identifier, shared)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed42", "gru-seed42"]
    states = sorted(flow_run["state_type"] for flow_run in training_runs(api, run))
    assert states == ["COMPLETED", "COMPLETED", "CRASHED"]
    assert verify_store(shared).damaged == ()
    # The orphan ended itself.
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running()


def test_a_night_that_is_run_again_takes_over_what_it_had_finished(api, environment, shared, workers):
    identifier = start_night(api, ON_WORKERS | {"seeds": [42, 43], "variants": ["lstm", "gru"]})
    wanted = {"deployments": {"id": {"any_": [deployment(api, "train-variant/worker")["id"]]}}}

    def first_finished():
        found = api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
        night = [one for one in found if one["parameters"]["run_folder"].endswith(identifier[:6])]
        return any(one["state_type"] == "COMPLETED" for one in night)

    wait_until(first_finished, 120, "a finished training")
    find_flow_process(identifier).kill()

    # Its worker marks the flow run as crashed twice, and the second time would end the new attempt; then it says this.
    executed = {
        "event": {"name": ["prefect.worker.executed-flow-run"]},
        "related": {"id": [f"prefect.flow-run.{identifier}"]},
    }
    wait_until(
        lambda: api.post("/events/filter", json={"filter": executed}).raise_for_status().json()["events"],
        120,
        "the worker's last word of the night's process",
    )
    assert api.get(f"/flow_runs/{identifier}").json()["state_type"] == "CRASHED"
    subprocess.run([PREFECT, "flow-run", "retry", identifier], env=environment, check=True, capture_output=True)
    state, run = wait_for_night(api, identifier, shared)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed42", "lstm-seed43", "gru-seed42", "gru-seed43"]
    # No training was done twice: those that were finished were found, and those at work were waited for.
    assert [one["state_type"] for one in training_runs(api, run)] == ["COMPLETED"] * 4
    logs = api.post("/logs/filter", json={"logs": {"flow_run_id": {"any_": [identifier]}}}).json()
    assert any(log["message"].endswith(": found in the store") for log in logs)
    assert verify_store(shared).damaged == ()


def test_the_command_line_hands_out_too_and_its_relative_store_is_the_workers_own(environment, workers, tmp_path):
    command = [sys.executable, "-m", "flows", "run", "--placement", "workers", "--store", "night", "--source", "sample"]
    small = ["--sample-reviews", "400", "--epochs", "2", "--maxlen", "40", "--variants", "lstm", "--no-baselines"]
    folders = {"PYTHONPATH": str(PROJECT_ROOT)}
    answer = subprocess.run(
        [*command, *small],
        env=environment | folders,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    store = Store(str(tmp_path / "night"))
    (manifest,) = [path for path in store.list_files("runs") if path.endswith("/run.json")]
    assert [training.name for training in read_run(store, manifest.split("/")[1]).trainings] == ["lstm-seed42"]
    assert verify_store(store).damaged == ()


def test_a_worker_that_is_told_to_end_leaves_no_process_and_no_run_without_an_end(api, environment, shared, tmp_path):
    identifier = start_night(api, ON_WORKERS | {"placement": "local", "epochs": 20_000, "patience": 20_000})
    process = wait_until(lambda: find_flow_process(identifier), 120, "the night's process")
    wait_until(lambda: training_children(process), 120, "a training")
    worker = process.parent()
    assert "retraining" in worker.cmdline()
    processes = [worker, *worker.children(recursive=True)]
    worker.terminate()
    _, alive = psutil.wait_procs(processes, timeout=90)
    assert alive == []

    def ended():
        state = api.get(f"/flow_runs/{identifier}").raise_for_status().json()["state"]
        return state if state["type"] in OVER else None

    state = wait_until(ended, 120, "the end of the night's run")
    assert state["type"] in ("FAILED", "CRASHED", "CANCELLED")
    assert state["message"]
    assert verify_store(shared).damaged == ()
    with (tmp_path / "log.txt").open("w") as log:
        successor = start(["worker", "start", "--pool", "retraining"], environment, log)
        try:
            state, _ = wait_for_night(api, start_night(api, ON_WORKERS | {"placement": "local"}), shared)
        finally:
            end(successor)
    assert state["type"] == "COMPLETED", state
