"""Read of a run's files what its report needs; without Prefect, so that a past run is rendered at once."""

from __future__ import annotations

from reports.rows import EvaluatedRun
from storage.records import Run
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA
from storage.store import Store


def evaluate_run(run: Run, store: Store) -> EvaluatedRun:
    """Read of each training's files what the report needs.

    Raises:
        DamagedFileError: One of them is not as it was published.
        ValueError: Two trainings were tested on different reviews.
    """
    histories, hits, reviews = {}, {}, {}
    for training in run.trainings:
        history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
        histories[training.name] = {name: history[name].to_pylist() for name in HISTORY_SCHEMA.names}
        predictions = store.read_table(training.files["predictions-test.parquet"], PREDICTION_SCHEMA)
        reviews[training.name] = predictions["review_id"]
        positive = predictions["probability"].to_numpy() > 0.5
        hits[training.name] = positive == (predictions["label"].to_numpy() == 1)
    first = next(iter(reviews), None)
    for name, review_ids in reviews.items():
        if first is not None and not review_ids.equals(reviews[first]):
            raise ValueError(f"All trainings must be tested on the same reviews. {name} and {first} were not.")
    return EvaluatedRun(run, histories, hits)
