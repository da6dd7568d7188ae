"""Trainings on real workers: a run hands them out; a worker is lost, or none exists."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil
import pytest

from storage.runs import read_run, verify_store
from storage.store import Store
from tests.e2e.servers import (
    OVER,
    PREFECT,
    SHORT_RUN,
    find_run,
    read_deployment,
    start_run,
    wait_for_end,
    wait_for_epoch,
)
from tests.processes import training_children
from tests.stubs import REAL_SEED
from tests.waiting import wait_until

ON_WORKERS = SHORT_RUN | {"placement": "workers", "timeout_seconds": 120}


def wait_for_run(site, identifier, store=None):
    """Wait for the end of a flow run; return its last state and the run that it published."""
    state = wait_for_end(site.api, identifier)
    return state, find_run(store or site.store, identifier)


def find_training_flow_runs(site, run_folder):
    """Return the flow runs of a run's trainings."""
    wanted = {"deployments": {"id": {"any_": [read_deployment(site.api, "train-variant/worker")["id"]]}}}
    found = site.api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
    return [flow_run for flow_run in found if flow_run["parameters"]["run_folder"].endswith(run_folder)]


def find_flow_process(identifier):
    """Return the process of a flow run, or None: the first with the environment that the worker gave it."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get("PREFECT__FLOW_RUN_ID") == identifier:
                return process
    return None


@pytest.fixture
def workers(site):
    """Two workers of the pool `training`, each with one training at a time."""
    return [site.start_worker("training", name) for name in ("first", "second")]


@contextmanager
def paused(site, pool):
    """Keep the server from handing flow runs of a pool to its workers."""
    site.api.patch(f"/work_pools/{pool}", json={"is_paused": True}).raise_for_status()
    try:
        yield
    finally:
        site.api.patch(f"/work_pools/{pool}", json={"is_paused": False}).raise_for_status()


def test_trainings_have_a_pool_of_their_own_and_no_schedule(site):
    training = read_deployment(site.api, "train-variant/worker")
    assert (training["work_pool_name"], training["schedules"]) == ("training", [])
    assert read_deployment(site.api, "nightly-retraining/nightly")["work_pool_name"] == "retraining"


def test_without_a_worker_the_trainings_fail_with_a_reason_and_the_report_is_written(site):
    with paused(site, "training"):
        state, run = wait_for_run(site, start_run(site.api, ON_WORKERS | {"timeout_seconds": 5}))
    assert state["type"] == "FAILED"
    reason = "no worker of the pool training took it within 5 s"
    assert {(failure.name, failure.error) for failure in run.failures} == {
        ("lstm-seed42", reason),
        ("gru-seed42", reason),
    }
    assert "No model: every training failed." in site.store.read_bytes(run.report.path).decode()
    assert {flow_run["state_type"] for flow_run in find_training_flow_runs(site, run.run_id)} == {"CANCELLED"}


def test_two_workers_train_for_real_what_a_run_hands_out_with_its_store_in_a_bucket(site, workers, object_store):
    wanted = ON_WORKERS | {"store": object_store.uri, "seeds": [REAL_SEED]}
    state, run = wait_for_run(site, start_run(site.api, wanted), object_store)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed7", "gru-seed7"]
    assert [training.epochs for training in run.trainings] == [2, 2]
    trained = find_training_flow_runs(site, run.run_id)
    assert {flow_run["name"] for flow_run in trained} == {"train lstm, seed 7", "train gru, seed 7"}
    assert [flow_run["state_type"] for flow_run in trained] == ["COMPLETED", "COMPLETED"]
    assert all(flow_run["parent_task_run_id"] for flow_run in trained)
    assert (verify_store(object_store).damaged, verify_store(object_store).unfinished) == ((), ())


def test_a_real_training_whose_process_is_killed_is_handed_out_again(site, workers):
    identifier = start_run(
        site.api, ON_WORKERS | {"variants": ["lstm"], "seeds": [REAL_SEED], "epochs": 300, "patience": 300}
    )
    # The flow run's process now has a child that trains.
    (child,) = wait_until(lambda: training_children(*workers)[:1], 300, "a training on a worker")
    child.parent().kill()
    state, run = wait_for_run(site, identifier)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed7"]
    states = sorted(flow_run["state_type"] for flow_run in find_training_flow_runs(site, run.run_id))
    assert states == ["COMPLETED", "CRASHED"]
    assert verify_store(site.store).damaged == ()
    # The child ends by itself when its parent is gone.
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running()


def test_a_run_that_is_retried_takes_over_its_finished_trainings(site, workers):
    # Each stub trains for 2 s.
    wanted = {"seeds": [42, 43], "variants": ["lstm", "gru"], "epochs": 20}
    identifier = start_run(site.api, ON_WORKERS | wanted)
    ours = identifier[:6]

    def first_finished():
        return any(one["state_type"] == "COMPLETED" for one in find_training_flow_runs(site, ours))

    wait_until(first_finished, 300, "a finished training", every=0.5)
    find_flow_process(identifier).kill()

    # The worker marks the flow run Crashed twice, and the second mark would end a new attempt. This event follows it.
    executed = {
        "event": {"name": ["prefect.worker.executed-flow-run"]},
        "related": {"id": [f"prefect.flow-run.{identifier}"]},
    }
    wait_until(
        lambda: site.api.post("/events/filter", json={"filter": executed}).raise_for_status().json()["events"],
        300,
        "the worker's event on the end of the flow run's process",
        every=0.5,
    )
    assert site.api.get(f"/flow_runs/{identifier}").json()["state_type"] == "CRASHED"
    subprocess.run([PREFECT, "flow-run", "retry", identifier], env=site.environment, check=True, capture_output=True)
    state, run = wait_for_run(site, identifier)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed42", "lstm-seed43", "gru-seed42", "gru-seed43"]
    # No training was done twice: finished ones were found, and unfinished ones were waited for.
    assert [one["state_type"] for one in find_training_flow_runs(site, run.run_id)] == ["COMPLETED"] * 4
    logs = site.api.post("/logs/filter", json={"logs": {"flow_run_id": {"any_": [identifier]}}}).json()
    assert any(log["message"].endswith(" was found in the store") for log in logs)
    assert verify_store(site.store).damaged == ()


def test_a_run_at_the_command_line_hands_out_too_and_its_workers_find_its_relative_store(site, workers, tmp_path):
    command = [
        sys.executable,
        "-m",
        "flows",
        "run",
        "--placement",
        "workers",
        "--store",
        "relative",
        "--source",
        "sample",
    ]
    small = ["--sample-reviews", "400", "--epochs", "2", "--maxlen", "40", "--variants", "lstm", "--no-baselines"]
    answer = subprocess.run(
        [*command, *small],
        env=site.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    store = Store(str(tmp_path / "relative"))
    (manifest,) = [path for path in store.list_files("runs") if path.endswith("/run.json")]
    assert [training.name for training in read_run(store, manifest.split("/")[1]).trainings] == ["lstm-seed42"]
    assert verify_store(store).damaged == ()


def test_a_terminated_worker_leaves_no_process_and_no_unfinished_flow_run(site):
    endless = {"placement": "local", "variants": ["lstm"], "epochs": 20_000, "patience": 20_000}
    identifier = start_run(site.api, ON_WORKERS | endless)
    # Its children start with the run, and train later.
    wait_for_epoch(site.api, identifier)
    process = find_flow_process(identifier)
    assert training_children(process)
    worker = process.parent()
    assert "retraining" in worker.cmdline()
    processes = [worker, *worker.children(recursive=True)]
    worker.terminate()
    _, alive = psutil.wait_procs(processes, timeout=90)
    assert alive == []

    def find_final_state():
        state = site.api.get(f"/flow_runs/{identifier}").raise_for_status().json()["state"]
        return state if state["type"] in OVER else None

    state = wait_until(find_final_state, 300, "the end of the flow run", every=0.5)
    assert state["type"] in ("FAILED", "CRASHED", "CANCELLED")
    assert state["message"]
    assert verify_store(site.store).damaged == ()
    site.start_worker("retraining", "runs")
    state, _ = wait_for_run(site, start_run(site.api, SHORT_RUN | {"variants": ["lstm"]}))
    assert state["type"] == "COMPLETED", state
