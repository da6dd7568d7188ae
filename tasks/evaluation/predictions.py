"""Read the stored predictions of a run's trainings."""

from __future__ import annotations

import numpy as np

from reports.analysis.measurements import Predictions
from storage.records import Run
from storage.schemas import PREDICTION_SCHEMA
from storage.store import Store


def read_predictions(run: Run, part: str, store: Store) -> Predictions:
    """Return the predictions of all trainings of a run on the reviews of one part.

    Raises:
        DamagedFileError: A file differs from what was published.
        ValueError: Two trainings predicted different reviews.
    """
    labels, probabilities, first = np.zeros(0, bool), {}, None
    identifiers = np.zeros(0, object)
    for training in (*run.trainings, *run.baselines):
        table = store.read_table(training.files[f"predictions-{part}.parquet"], PREDICTION_SCHEMA)
        if first is None:
            first, labels = table, table["label"].to_numpy() == 1
            identifiers = table["review_id"].to_numpy()
        if not table["review_id"].equals(first["review_id"]):
            raise ValueError(f"All trainings must be tested on the same reviews. {training.name} was tested on others.")
        probabilities[training.name] = table["probability"].to_numpy().astype(np.float64)
    return Predictions(labels, probabilities, identifiers)
