"""Which trainings are handed to workers, and how results are checked. For real workers: tests/e2e/test_workers.py."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import asdict, replace

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.logging import disable_run_logger
from prefect.states import Cancelled, Completed, Pending, Running

from flows.workers import hand_out
from flows.workers.hand_out import train_on_workers
from flows.workers.train_here import find_variant, train_on_this_worker
from flows.workers.worker_results import find_finished, read_result
from storage.records import Dataset, FailedTraining, StoredFile
from storage.store import DamagedFileError, Store
from tasks.processes.children import children_of_run
from tasks.train import PlannedTraining, TrainingInputs
from tasks.training.training_request import TrainingParameters
from tasks.variants import BASELINES, VARIANTS
from tests.example_runs import a_training
from tests.waiting import wait_until

LSTM, GRU = VARIANTS[0], VARIANTS[3]
LSTM_42 = PlannedTraining(LSTM, 42)
FOLDER = "runs/20261124T020000Z-c48114"
PARAMETERS = TrainingParameters(500, 40, 16, 2, 64, 3, 1e-4)


@pytest.fixture
def inputs(tmp_path):
    padded = Dataset("pad", "13902df99d23f1ff", {"maxlen": 40}, {"train": StoredFile("a", "b", 1, 160)}, "made up")
    return TrainingInputs(padded, None, PARAMETERS, Store(str(tmp_path / "store")), FOLDER, 120.0)


def write_training(inputs, **changes):
    """Write the files of the training lstm-seed42 as a worker does, with changes to its record."""
    result = a_training(
        "lstm",
        0.69,
        500,
        parameters=asdict(PARAMETERS),
        dataset=inputs.padded.key,
        files={"model.keras": inputs.store.write_bytes(f"{FOLDER}/lstm-seed42/model.keras", b"a model")},
    )
    result = replace(result, **changes)
    inputs.store.write_manifest(f"{FOLDER}/lstm-seed42/training.json", asdict(result))
    return result


def find_lstm(inputs):
    with disable_run_logger():
        return find_finished(LSTM_42, inputs)


def test_the_result_of_the_planned_training_is_read(inputs):
    written = write_training(inputs)
    assert read_result(LSTM_42, inputs) == written


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "gru"),
        ("layers", "LSTM(units=9)"),
        ("seed", 43),
        ("dataset", "0000000000000000"),
        ("parameters", asdict(replace(PARAMETERS, epochs=3))),
    ],
)
def test_another_training_is_refused_and_not_used_again(inputs, field, value):
    write_training(inputs, **{field: value})
    with pytest.raises(ValueError, match=rf"training\.json must be of {field}=.*\. Received: "):
        read_result(LSTM_42, inputs)
    assert find_lstm(inputs) is None


def test_a_record_that_was_changed_afterwards_is_refused_and_not_used_again(inputs):
    write_training(inputs)
    path = f"{FOLDER}/lstm-seed42/training.json"
    inputs.store.write_bytes(path, inputs.store.read_bytes(path).replace(b'"seed": 42', b'"seed": 41'))
    with pytest.raises(DamagedFileError):
        read_result(LSTM_42, inputs)
    assert find_lstm(inputs) is None


def test_a_file_that_is_not_a_record_of_a_training_is_refused(inputs):
    inputs.store.write_manifest(f"{FOLDER}/lstm-seed42/training.json", {"variant": "lstm"})
    with pytest.raises(DamagedFileError, match="must be the record of a training"):
        read_result(LSTM_42, inputs)


def test_a_finished_training_is_used_again_while_its_files_are_intact(inputs):
    assert find_lstm(inputs) is None
    written = write_training(inputs)
    assert find_lstm(inputs) == written
    inputs.store.write_bytes(f"{FOLDER}/lstm-seed42/model.keras", b"another")
    assert find_lstm(inputs) is None


def test_a_worker_finds_every_variant_and_baseline_by_its_name():
    assert [find_variant(variant.name) for variant in (*VARIANTS, *BASELINES)] == [*VARIANTS, *BASELINES]
    with pytest.raises(ValueError, match=r"^`variant` must be one of lstm, .*\. Received: variant=bert\.$"):
        find_variant("bert")


@pytest.fixture
def deployment(prefect_server):
    """Create the deployment of the trainings on a pool that no worker serves; return its id."""
    with get_client(sync_client=True) as client:
        if "training" not in {pool.name for pool in client.read_work_pools()}:
            client.create_work_pool(WorkPoolCreate(name="training", type="process"))
        identifier = client.create_deployment(
            client.create_flow(train_on_this_worker), "worker", work_pool_name="training"
        )
        yield identifier
        client.delete_deployment(identifier)


def flow_runs(client, deployment):
    return client.read_flow_runs(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])))


@flow(name="a run of one training")
def run_flow(inputs, act):
    with children_of_run() as children:
        return act(inputs, children)


def hand_out_lstm(inputs, children):
    return list(train_on_workers([LSTM_42], inputs, children))


def test_a_retried_run_takes_over_unfinished_flow_runs_and_submits_ended_ones_again(inputs, deployment):
    def submit_again_and_again(inputs, _children):
        first, second = (hand_out._submit(LSTM_42, inputs) for _ in range(2))
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(first.id, Cancelled())
        return [str(run.id) for run in (first, second, hand_out._submit(LSTM_42, inputs))]

    first, second, third = run_flow(inputs, submit_again_and_again)
    assert first == second != third
    with get_client(sync_client=True) as client:
        runs = flow_runs(client, deployment)
    assert {str(run.id) for run in runs} == {first, third}
    handed_over = runs[0].parameters
    assert json.loads(json.dumps(handed_over)) == handed_over
    assert handed_over["store"] == inputs.store.absolute_uri
    assert handed_over["padded"] == asdict(inputs.padded)


def test_a_training_that_ends_while_a_retried_run_looks_for_it_is_not_handed_out_again(inputs, deployment):
    def submit_and_end(inputs, _children):
        with get_client(sync_client=True) as client:
            first = hand_out._submit(LSTM_42, inputs)
            client.set_flow_run_state(first.id, Completed(), force=True)
            without_an_answer = hand_out._submit(LSTM_42, inputs)
        write_training(inputs)
        return [str(run.id) for run in (first, without_an_answer, hand_out._submit(LSTM_42, inputs))]

    first, second, third = run_flow(inputs, submit_and_end)
    assert first == third != second
    with get_client(sync_client=True) as client:
        assert {str(run.id) for run in flow_runs(client, deployment)} == {first, second}


def test_a_finished_training_is_not_handed_out(inputs, deployment):
    written = write_training(inputs)
    assert run_flow(inputs, hand_out_lstm) == [written]
    with get_client(sync_client=True) as client:
        assert flow_runs(client, deployment) == []


@pytest.mark.parametrize("state", [Pending, Running])
def test_a_training_whose_worker_never_ends_it_is_handed_out_three_times_in_all(inputs, deployment, monkeypatch, state):
    """If a whole machine is lost, no process reports to the server."""
    # A taken training has one second to end; a waiting one has half a minute to be taken.
    monkeypatch.setattr(hand_out, "GRACE_SECONDS", 1.0)
    monkeypatch.setattr(hand_out, "SUPERVISED_ATTEMPTS", 0)
    monkeypatch.setattr(hand_out, "POLL_SECONDS", 0.1)
    over = threading.Event()

    def take_and_vanish():
        with get_client(sync_client=True) as client:
            while not over.is_set():
                for run in flow_runs(client, deployment):
                    if run.state.is_scheduled():
                        client.set_flow_run_state(run.id, state(), force=True)
                time.sleep(0.1)

    worker = threading.Thread(target=take_and_vanish)
    worker.start()
    try:
        (failure,) = run_flow(replace(inputs, timeout_seconds=30.0), hand_out_lstm)
    finally:
        over.set()
        worker.join()
    reason = "it was not over 1 s after a worker took it, so that worker was lost; it was lost 3 times without progress"
    assert failure == FailedTraining("lstm", 42, reason)
    with get_client(sync_client=True) as client:
        assert [run.state.name for run in flow_runs(client, deployment)] == ["Crashed"] * 3


def test_a_training_with_progress_between_two_losses_is_submitted_again(inputs):
    training = hand_out._HandedOut(LSTM_42, flow_run=None)
    submitted = []

    def lose():
        with disable_run_logger():
            return hand_out._resubmit(training, "its worker was lost", inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hand_out, "_submit", lambda *_training: submitted.append(training.resubmissions))
        assert [lose(), lose()] == [None, None]
        for epoch in (5, 10):
            inputs.store.write_bytes(f"{FOLDER}/lstm-seed42/checkpoints/epoch-{epoch:04d}/manifest.json", b"{}")
            assert [lose(), lose()] == [None, None]
        assert lose() == FailedTraining("lstm", 42, "its worker was lost; it was lost 3 times without progress")
    assert submitted == [0, 1, 0, 1, 0, 1]


def test_a_run_that_is_ended_ends_its_trainings(inputs, deployment):
    def interrupt_when_handed_out():
        with get_client(sync_client=True) as client:
            wait_until(lambda: flow_runs(client, deployment), 60, "the handing out of the training")
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_handed_out).start()
    with pytest.raises(KeyboardInterrupt):
        run_flow(inputs, hand_out_lstm)
    with get_client(sync_client=True) as client:
        assert [run.state.name for run in flow_runs(client, deployment)] == ["Cancelled"]


def test_a_server_without_the_deployment_is_refused_with_what_to_do(inputs, prefect_server):
    with pytest.raises(ValueError, match=r"^`placement` must be local if the server has no deployment train-variant"):
        run_flow(inputs, hand_out_lstm)
