"""The earlier runs that a run is compared with, read from the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from storage.records import Dataset, FailedTraining, StoredFile
from storage.runs import publish_run, run_folder
from storage.schemas import PREDICTION_SCHEMA
from tasks.evaluation.earlier_runs import read_earlier_runs
from tasks.evaluation.evaluate import measure_run
from tests.example_runs import COUNT, a_run, a_training, measure
from tests.stores import publish_training


def publish_example_run(store, day, *trainings, **changes):
    """Publish a run of a day in November with the predictions of its models; return its record."""
    run = a_run(*trainings, run_id=f"202611{day:02}T020000Z-abc123", **changes)
    published = (publish_training(store, run_folder(run.run_id), training) for training in run.trainings)
    run = replace(run, trainings=tuple(published))
    publish_run(store, run)
    return run


def earlier_runs_of(store, this_run):
    """Return the ids of the earlier runs and the discordant reviews."""
    earlier, discordant, _ = read_earlier_runs(this_run, store, measure(this_run))
    return [run.run_id[:8] for run in earlier], discordant


def of_other_reviews(sha256):
    files = {"archive": StoredFile("raw/x.npz", sha256, 17)}
    return {"archive": Dataset("download", "1" * 16, {}, files, "imdb.npz")}


def test_a_store_without_runs_has_no_earlier_run(store):
    assert earlier_runs_of(store, a_run(a_training("lstm", 0.43, 800))) == ([], {})


def test_earlier_runs_come_oldest_first_and_later_ones_do_not_count(store):
    runs = {day: publish_example_run(store, day, a_training("lstm", 0.43, 800)) for day in (24, 21, 22, 23)}
    assert earlier_runs_of(store, runs[23])[0] == ["20261121", "20261122"]


def test_runs_on_other_test_reviews_do_not_count(store):
    publish_example_run(store, 20, a_training("lstm", 0.43, 800))
    publish_example_run(store, 21, a_training("lstm", 0.43, 800), datasets=of_other_reviews("e" * 64))
    publish_example_run(store, 22, a_training("lstm", 0.43, 800), is_sample=True)
    this_run = publish_example_run(store, 23, a_training("lstm", 0.43, 800))
    assert earlier_runs_of(store, this_run)[0] == ["20261120"]


def test_the_reviews_on_which_only_one_run_s_model_is_right_are_counted_by_variant(store):
    publish_example_run(store, 21, a_training("lstm", 0.43, 100), a_training("gru", 0.45, 100))
    publish_example_run(store, 22, a_training("lstm", 0.43, 800), a_training("gru", 0.45, 700))
    this_run = publish_example_run(
        store, 23, a_training("lstm", 0.43, 790), a_training("gru", 0.45, 720), a_training("lstm_stacked", 0.5, 700)
    )
    # Reviews lost and gained since the previous run, by variant of both runs.
    assert earlier_runs_of(store, this_run)[1] == {"lstm": (10, 0), "gru": (0, 20)}


def test_of_several_seeds_the_one_with_the_lowest_validation_loss_is_compared(store):
    publish_example_run(store, 22, a_training("lstm", 0.44, 100), a_training("lstm", 0.43, 800, seed=43))
    this_run = publish_example_run(store, 23, a_training("lstm", 0.42, 790), a_training("lstm", 0.43, 100, seed=43))
    assert earlier_runs_of(store, this_run)[1] == {"lstm": (10, 0)}


def test_a_variant_that_failed_in_either_run_is_not_compared(store):
    failed = [FailedTraining("gru", 42, "no")]
    publish_example_run(store, 22, a_training("lstm", 0.43, 800), failures=failed)
    this_run = publish_example_run(store, 23, a_training("lstm", 0.43, 800), a_training("gru", 0.45, 700))
    assert earlier_runs_of(store, this_run)[1] == {"lstm": (0, 0)}


def test_a_damaged_record_of_an_old_run_is_left_out(store):
    for day in (20, 21):
        publish_example_run(store, day, a_training("lstm", 0.43, 800))
    this_run = publish_example_run(store, 23, a_training("lstm", 0.43, 800))
    path = Path(store.locate("runs/20261120T020000Z-abc123/run.json"))
    path.write_bytes(path.read_bytes().replace(b"61.0", b"60.0"))
    assert earlier_runs_of(store, this_run)[0] == ["20261121"]


@pytest.mark.parametrize("is_missing", [True, False])
def test_without_the_previous_run_s_predictions_its_record_still_counts(store, is_missing):
    publish_example_run(store, 22, a_training("lstm", 0.43, 800))
    this_run = publish_example_run(store, 23, a_training("lstm", 0.43, 700))
    path = Path(store.locate("runs/20261122T020000Z-abc123/lstm-seed42/predictions-test.parquet"))
    if is_missing:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert earlier_runs_of(store, this_run) == (["20261122"], {})


def test_trainings_that_were_tested_on_other_reviews_are_not_compared(store):
    run = publish_example_run(store, 23, a_training("lstm", 0.43, 800), a_training("gru", 0.45, 700))
    table = store.read_table(run.trainings[1].files["predictions-test.parquet"], PREDICTION_SCHEMA)
    turned = store.write_table("turned.parquet", table.take(list(range(COUNT))[::-1]))
    validation = run.trainings[0].files["predictions-test.parquet"]
    trainings = [
        replace(one, files={"predictions-validation.parquet": validation, "predictions-test.parquet": file})
        for one, file in zip(run.trainings, (validation, turned), strict=True)
    ]
    with pytest.raises(ValueError, match="gru-seed42 was tested on others"):
        measure_run(replace(run, trainings=tuple(trainings)), store)
