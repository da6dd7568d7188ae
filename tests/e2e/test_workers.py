"""Trainings on real workers: a night hands them out, loses one, and finds none at all."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil
import pytest

from storage.runs import read_run, verify_store
from storage.store import Store
from tests.e2e.servers import NIGHT, OVER, PREFECT, deployment, find_run, start_night, wait_for_end, wait_for_epoch
from tests.processes import training_children
from tests.stubs import REAL_SEED
from tests.waiting import wait_until

ON_WORKERS = NIGHT | {"placement": "workers", "timeout_seconds": 120}


def wait_for_night(site, identifier, store=None):
    """Return the flow run's last state, and the run that it published."""
    state = wait_for_end(site.api, identifier)
    return state, find_run(store or site.store, identifier)


def training_runs(site, run_folder):
    """Return the flow runs of a night's trainings."""
    wanted = {"deployments": {"id": {"any_": [deployment(site.api, "train-variant/worker")["id"]]}}}
    found = site.api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
    return [flow_run for flow_run in found if flow_run["parameters"]["run_folder"].endswith(run_folder)]


def find_flow_process(identifier):
    """Return the process that runs a flow run, the first with the environment that the worker gave it, or None."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get("PREFECT__FLOW_RUN_ID") == identifier:
                return process
    return None


@pytest.fixture
def workers(site):
    """Two workers of the pool `training`, each with one training at a time."""
    return [site.worker("training", name) for name in ("first", "second")]


@contextmanager
def paused(site, pool):
    """Let the server hand nothing of a pool to its workers."""
    site.api.patch(f"/work_pools/{pool}", json={"is_paused": True}).raise_for_status()
    try:
        yield
    finally:
        site.api.patch(f"/work_pools/{pool}", json={"is_paused": False}).raise_for_status()


def test_trainings_have_a_pool_of_their_own_and_no_schedule(site):
    training = deployment(site.api, "train-variant/worker")
    assert (training["work_pool_name"], training["schedules"]) == ("training", [])
    assert deployment(site.api, "nightly-retraining/nightly")["work_pool_name"] == "retraining"


def test_without_a_worker_the_trainings_fail_with_the_reason_and_the_report_is_written(site):
    with paused(site, "training"):
        state, run = wait_for_night(site, start_night(site.api, ON_WORKERS | {"timeout_seconds": 5}))
    assert state["type"] == "FAILED"
    reason = "no worker of the pool training took it within 5 s"
    assert {(failure.name, failure.error) for failure in run.failures} == {
        ("lstm-seed42", reason),
        ("gru-seed42", reason),
    }
    assert "No model tonight: every training failed." in site.store.read_bytes(run.report.path).decode()
    assert {flow_run["state_type"] for flow_run in training_runs(site, run.run_id)} == {"CANCELLED"}


def test_two_workers_train_for_real_what_the_night_hands_out_in_a_bucket(site, workers, object_store):
    wanted = ON_WORKERS | {"store": object_store.uri, "seeds": [REAL_SEED]}
    state, run = wait_for_night(site, start_night(site.api, wanted), object_store)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed7", "gru-seed7"]
    assert [training.epochs for training in run.trainings] == [2, 2]
    trained = training_runs(site, run.run_id)
    assert {flow_run["name"] for flow_run in trained} == {"train lstm, seed 7", "train gru, seed 7"}
    assert [flow_run["state_type"] for flow_run in trained] == ["COMPLETED", "COMPLETED"]
    assert all(flow_run["parent_task_run_id"] for flow_run in trained)
    assert (verify_store(object_store).damaged, verify_store(object_store).unfinished) == ((), ())


def test_a_real_training_whose_process_is_killed_is_handed_out_again(site, workers):
    identifier = start_night(
        site.api, ON_WORKERS | {"variants": ["lstm"], "seeds": [REAL_SEED], "epochs": 300, "patience": 300}
    )
    # In the middle of its work: the flow's process has a child that trains.
    (child,) = wait_until(lambda: training_children(*workers)[:1], 300, "a training on a worker")
    child.parent().kill()
    state, run = wait_for_night(site, identifier)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed7"]
    states = sorted(flow_run["state_type"] for flow_run in training_runs(site, run.run_id))
    assert states == ["COMPLETED", "CRASHED"]
    assert verify_store(site.store).damaged == ()
    # The orphan ended itself.
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running()


def test_a_night_that_is_run_again_takes_over_what_it_had_finished(site, workers):
    # Stubs, for 2 s each.
    wanted = {"seeds": [42, 43], "variants": ["lstm", "gru"], "epochs": 20}
    identifier = start_night(site.api, ON_WORKERS | wanted)
    ours = identifier[:6]

    def first_finished():
        return any(one["state_type"] == "COMPLETED" for one in training_runs(site, ours))

    wait_until(first_finished, 300, "a finished training", every=0.5)
    find_flow_process(identifier).kill()

    # Its worker marks the flow run as crashed twice, and the second time would end the new attempt; then it says this.
    executed = {
        "event": {"name": ["prefect.worker.executed-flow-run"]},
        "related": {"id": [f"prefect.flow-run.{identifier}"]},
    }
    wait_until(
        lambda: site.api.post("/events/filter", json={"filter": executed}).raise_for_status().json()["events"],
        300,
        "the worker's last word of the night's process",
        every=0.5,
    )
    assert site.api.get(f"/flow_runs/{identifier}").json()["state_type"] == "CRASHED"
    subprocess.run([PREFECT, "flow-run", "retry", identifier], env=site.environment, check=True, capture_output=True)
    state, run = wait_for_night(site, identifier)
    assert state["type"] == "COMPLETED", state
    assert [training.name for training in run.trainings] == ["lstm-seed42", "lstm-seed43", "gru-seed42", "gru-seed43"]
    # No training was done twice: those that were finished were found, and those at work were waited for.
    assert [one["state_type"] for one in training_runs(site, run.run_id)] == ["COMPLETED"] * 4
    logs = site.api.post("/logs/filter", json={"logs": {"flow_run_id": {"any_": [identifier]}}}).json()
    assert any(log["message"].endswith(": found in the store") for log in logs)
    assert verify_store(site.store).damaged == ()


def test_the_command_line_hands_out_too_and_its_relative_store_is_the_workers_own(site, workers, tmp_path):
    command = [sys.executable, "-m", "flows", "run", "--placement", "workers", "--store", "night", "--source", "sample"]
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
    store = Store(str(tmp_path / "night"))
    (manifest,) = [path for path in store.list_files("runs") if path.endswith("/run.json")]
    assert [training.name for training in read_run(store, manifest.split("/")[1]).trainings] == ["lstm-seed42"]
    assert verify_store(store).damaged == ()


def test_a_worker_that_is_told_to_end_leaves_no_process_and_no_run_without_an_end(site):
    endless = {"placement": "local", "variants": ["lstm"], "epochs": 20_000, "patience": 20_000}
    identifier = start_night(site.api, ON_WORKERS | endless)
    # Its children are there from the start, and train later.
    wait_for_epoch(site.api, identifier)
    process = find_flow_process(identifier)
    assert training_children(process)
    worker = process.parent()
    assert "retraining" in worker.cmdline()
    processes = [worker, *worker.children(recursive=True)]
    worker.terminate()
    _, alive = psutil.wait_procs(processes, timeout=90)
    assert alive == []

    def ended():
        state = site.api.get(f"/flow_runs/{identifier}").raise_for_status().json()["state"]
        return state if state["type"] in OVER else None

    state = wait_until(ended, 300, "the end of the night's run", every=0.5)
    assert state["type"] in ("FAILED", "CRASHED", "CANCELLED")
    assert state["message"]
    assert verify_store(site.store).damaged == ()
    site.worker("retraining", "nights")
    state, _ = wait_for_night(site, start_night(site.api, NIGHT | {"variants": ["lstm"]}))
    assert state["type"] == "COMPLETED", state
