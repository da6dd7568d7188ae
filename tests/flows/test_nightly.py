"""The whole flow on a small sample corpus, on a real Prefect server."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)

from flows import nightly
from flows.cli.past_runs import read_evidence, render_stored_run
from flows.nightly import nightly_retraining
from flows.parameters import PARAMETERS
from storage.runs import INDEX_PATH, LATEST_PATH, read_run, verify_store
from storage.store import Store
from tasks.variants import VARIANTS, Variant, layer
from tests.processes import training_children
from tests.stubs import REAL_SEED
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("prefect_server", "stub_trainings")

SMALL = {"source": "sample", "sample_reviews": 400, "epochs": 2, "learning_rate": 1e-3, "maxlen": 40, "jobs": 2}
ALONE = {**SMALL, "baselines": False}


def task_states(state):
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[state.state_details.flow_run_id]))
        )
    return {run.name: run.state.name for run in runs}


def wait_for_states(state, names):
    """The server learns task states from events, a moment after the flow has ended."""

    def find_ended():
        states = task_states(state)
        return states if set(names) <= set(states) and "Running" not in states.values() else None

    return wait_until(find_ended, 20, "the end of all tasks")


@pytest.fixture(scope="module")
def two_runs(prefect_server, stub_trainings, tmp_path_factory):
    """Run the flow twice on one store; the second run finds the datasets of the first."""
    store = str(tmp_path_factory.mktemp("runs"))
    first = nightly_retraining(**SMALL, store=store, return_state=True)
    second = nightly_retraining(**ALONE, store=store, variants=("gru",), return_state=True)
    return Store(store), first, second


def test_a_run_ends_completed_with_all_variants_in_the_declared_order(two_runs):
    _, first, _ = two_runs
    run = first.result()
    assert first.is_completed()
    assert [training.name for training in run.trainings] == [
        "lstm-seed42",
        "lstm_dropout-seed42",
        "lstm_stacked-seed42",
        "gru-seed42",
    ]
    assert [baseline.name for baseline in run.baselines] == ["simple_rnn-seed42"]


def test_the_verdict_and_the_report_s_address_are_the_message_of_the_final_state(two_runs):
    store, first, second = two_runs
    assert "By the rule (lowest validation loss) " in first.message
    assert first.message.endswith(f" Report: {store.locate(first.result().report.path)}")
    assert "By the rule (lowest validation loss) gru is chosen. It gets " in second.message


def test_the_baselines_are_in_the_comparison_and_cannot_be_the_best(two_runs):
    store, first, second = two_runs
    rows = read_evidence(store, first.result()).comparison
    assert {row.name for row in rows if row.is_baseline} == {"simple_rnn", "bag_of_words", "majority_class"}
    assert not rows[0].is_baseline
    assert [row.name for row in read_evidence(store, second.result()).comparison] == ["gru"]


def test_each_training_predicts_the_minimal_pairs_whose_words_are_in_the_vocabulary(two_runs):
    store, first, _ = two_runs
    run = first.result()
    pairs = run.datasets["profile"].files["minimal_pairs"].rows
    assert pairs >= 2
    assert {training.files["predictions-minimal_pairs.parquet"].rows for training in run.trainings} == {pairs}
    assert read_evidence(store, run).minimal_pairs.categories


def test_the_report_of_the_second_run_compares_it_with_the_first(two_runs):
    store, first, second = two_runs
    history = read_evidence(store, second.result()).history
    assert (history.last, history.test_set_uses) == (first.result().run_id, 2)
    assert {change.name for change in history.changes} >= {"variants", "baselines"}
    # The same seed on the same machine gives the same model.
    assert history.regressions == ()


def test_the_list_of_runs_links_both_and_the_latest_page_is_the_second_run_s(two_runs):
    store, first, second = two_runs
    index = store.read_bytes(INDEX_PATH).decode()
    links = [index.index(f'href="./{state.result().run_id}.html"') for state in (second, first)]
    assert links == sorted(links)
    assert store.read_bytes(LATEST_PATH) == store.read_verified(second.result().report)


def test_the_record_is_read_back_from_run_json_and_all_files_that_it_names_are_sound(two_runs):
    store, first, _ = two_runs
    assert read_run(store, first.result().run_id) == first.result()
    found = verify_store(store)
    assert (found.damaged, found.unfinished, found.quarantined) == ((), (), ())


def test_a_run_that_is_read_back_gives_the_published_report(two_runs):
    store, first, _ = two_runs
    assert render_stored_run(store, read_run(store, first.result().run_id), "en") == store.read_verified(
        first.result().report
    )


def test_the_report_says_that_the_reviews_are_made_up(two_runs):
    store, first, _ = two_runs
    page = store.read_verified(first.result().report).decode()
    assert "Made-up reviews: this run trained on the sample corpus." in page


def test_the_second_run_finds_its_datasets_and_prefect_shows_them_cached(two_runs):
    _, _, second = two_runs
    names = ["make 400 sample reviews", "split", "pad to 40", "profile", "train gru, seed 42"]
    states = wait_for_states(second, names)
    assert [states[name] for name in names] == ["Cached", "Cached", "Cached", "Cached", "Completed"]


def test_every_epoch_is_in_the_prefect_log_and_the_table_in_an_artifact(two_runs):
    _, first, _ = two_runs
    flow_run_id = first.state_details.flow_run_id
    epochs = [f"{variant.name}-seed42 epoch {epoch}/2" for variant in VARIANTS for epoch in (1, 2)]

    def are_logged():
        with get_client(sync_client=True) as client:
            logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id])), limit=200)
        said = "\n".join(log.message for log in logs)
        return all(epoch in said for epoch in epochs)

    wait_until(are_logged, 20, "the log of every epoch")
    with get_client(sync_client=True) as client:
        response = client.request("POST", "/artifacts/filter", json={})
    artifacts = {artifact["key"]: artifact for artifact in response.json()}
    assert "| training | epochs |" in artifacts["nightly-report"]["data"]
    assert artifacts["training-lstm-stacked-seed42"]["data"] == 100
    assert artifacts["training-lstm-stacked-seed42"]["type"] == "progress"


def test_the_record_has_every_parameter(two_runs):
    _, first, second = two_runs
    for state in (first, second):
        assert set(state.result().parameters) == {parameter.name for parameter in PARAMETERS}


def test_the_record_says_how_long_each_step_took(two_runs):
    for run in (state.result() for state in two_runs[1:]):
        assert set(run.step_seconds) == {"archive", "split", "pad", "profile", "train"}
        assert 0 < sum(run.step_seconds.values()) < run.seconds


def test_a_real_training_whose_child_is_killed_is_started_again(tmp_path):
    killed = []

    def kill_the_first_child():
        for child in wait_until(training_children, 60, "the start of a training", every=0.05):
            child.send_signal(signal.SIGKILL)
            killed.append(child.pid)

    killer = threading.Thread(target=kill_the_first_child)
    killer.start()
    state = nightly_retraining(**ALONE, variants=("lstm",), seeds=(REAL_SEED,), store=str(tmp_path), return_state=True)
    killer.join()
    assert len(killed) == 1
    assert state.is_completed()
    assert [training.name for training in state.result().trainings] == ["lstm-seed7"]


@pytest.fixture
def broken_variant(monkeypatch):
    """A fifth variant that Keras refuses."""
    monkeypatch.setattr(nightly, "VARIANTS", (VARIANTS[0], Variant("broken", (layer("LSTM", units=-1),))))
    monkeypatch.setattr("flows.checks.VARIANTS", nightly.VARIANTS)


@pytest.mark.usefixtures("broken_variant")
def test_a_failed_variant_is_left_out_of_the_report_and_fails_the_flow(tmp_path):
    state = nightly_retraining(**ALONE, variants=("lstm", "broken"), store=str(tmp_path), return_state=True)
    assert state.is_failed()
    assert state.message.startswith("broken-seed42 failed; the report says so: ")
    run = state.result(raise_on_failure=False)
    page = Store(str(tmp_path)).read_verified(run.report).decode()
    assert "broken-seed42" in page
    assert "units" in page
    assert "1 of 2 variants failed, so no winner is named." in page
    assert "By the rule" not in page


def test_an_interrupted_flow_ends_its_children_and_publishes_no_run(tmp_path):
    def interrupt_when_training():
        # The children start with the run, and train as soon as the padded reviews exist.
        wait_until(lambda: list(tmp_path.glob("datasets/pad-*/manifest.json")), 60, "the padding", every=0.05)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_training).start()
    with pytest.raises(KeyboardInterrupt):
        nightly_retraining(**{**ALONE, "epochs": 1000, "patience": 1000}, store=str(tmp_path), return_state=True)
    wait_until(lambda: not training_children(), 20, "the end of the training children")
    assert not any(path.endswith("run.json") for path in Store(str(tmp_path)).list_files("runs"))


def test_bad_parameters_fail_the_flow_before_anything_is_written(tmp_path):
    state = nightly_retraining(source="sample", epochs=0, store=str(tmp_path / "new"), return_state=True)
    assert state.is_failed()
    with pytest.raises(ValueError, match=r"`epochs` must be an integer of at least 1\. Received: epochs=0\."):
        state.result()
    assert not (tmp_path / "new").exists()


def test_an_unreachable_source_falls_back_to_the_sample_only_when_it_was_auto(tmp_path, monkeypatch):
    from tasks.sources import IMDB

    # Port 9 of this machine has no server, so that the connection is refused at once.
    gone = replace(IMDB, archive="http://127.0.0.1:9/imdb.npz")
    monkeypatch.setattr("tasks.sources.IMDB", gone)
    options = {**ALONE, "variants": ("lstm",), "epochs": 1}
    fallen_back = nightly_retraining(**{**options, "source": "auto"}, store=str(tmp_path), return_state=True)
    assert fallen_back.is_completed()
    assert fallen_back.result().is_sample
    assert "http://127.0.0.1:9/imdb.npz could not be fetched" in fallen_back.result().notice
    refused = nightly_retraining(**{**options, "source": "imdb"}, store=str(tmp_path), return_state=True)
    assert refused.is_failed()
    with pytest.raises(ConnectionError, match="could not be fetched"):
        refused.result()


def test_the_run_id_is_the_scheduled_time_and_the_start_of_the_flow_run_s_id(two_runs):
    _, first, _ = two_runs
    flow_run_id = first.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        (flow_run,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))
    scheduled = flow_run.expected_start_time.strftime("%Y%m%dT%H%M%SZ")
    assert first.result().run_id == f"{scheduled}-{str(flow_run_id)[:6]}"
