"""Publish datasets and runs for tests: small ones, and whole runs with their tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from storage.datasets import dataset_folder, publish_dataset
from storage.records import Dataset, FailedTraining, Inputs, Run, TrainingResult
from storage.runs import publish_run
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA
from storage.store import Store
from tests.example_runs import COUNT, HISTORY, a_run, a_training

PAD_INPUTS: Inputs = {"version": 1, "maxlen": 100}
PAD_FOLDER = "datasets/pad-84d628a8f59f3e5a"
RUN_ID = "20260102T030405Z-abcdef"
TRAINING = f"runs/{RUN_ID}/lstm-seed42"
# Two runs, one after the other.
FIRST, SECOND = "20261122T020000Z-aaaaaa", "20261123T020000Z-bbbbbb"


def publish_pad(store: Store, inputs: Inputs = PAD_INPUTS, content: bytes = b"reviews") -> Dataset:
    """Publish a dataset of one file; with the default inputs, its folder is `PAD_FOLDER`."""
    file = store.write_bytes(f"{dataset_folder('pad', inputs)}/train.parquet", content)
    return publish_dataset(store, "pad", inputs, {"train": file}, "imdb.npz")


def publish_example_run(store: Store) -> Run:
    """Publish a dataset of one file, a training of two files, a report, and the run: 6 files with the manifests."""
    files = {
        "model.keras": store.write_bytes(f"{TRAINING}/model.keras", b"weights"),
        "history.parquet": store.write_bytes(f"{TRAINING}/history.parquet", b"curves", rows=3),
    }
    run = a_run(
        a_training("lstm", 0.43, 800, files=files),
        failures=[FailedTraining("gru", 42, "it was killed by SIGKILL")],
        run_id=RUN_ID,
        datasets={"pad": publish_pad(store)},
        report=store.write_bytes(f"reports/{RUN_ID}.html", b"<!doctype html>"),
    )
    publish_run(store, run)
    return run


def publish_training(store: Store, folder: str, training: TrainingResult) -> TrainingResult:
    """Write the tables of a training that is right on its first test reviews and predicts 0 or 1 only."""
    labels = np.arange(COUNT) % 2
    right = np.arange(COUNT) < round(training.test.accuracy * COUNT)
    predictions = {
        "review_id": [f"test-{number}" for number in range(COUNT)],
        "label": labels,
        "probability": np.where(right, labels, 1 - labels).astype(np.float32),
    }
    tables = {
        "history.parquet": pa.table(HISTORY | {"seconds": [1.0, 1.0, 1.0]})
        .select(HISTORY_SCHEMA.names)
        .cast(HISTORY_SCHEMA),
        "predictions-test.parquet": pa.table(predictions).cast(PREDICTION_SCHEMA),
        "predictions-validation.parquet": pa.table(predictions).cast(PREDICTION_SCHEMA),
    }
    files = {name: store.write_table(f"{folder}/{training.name}/{name}", table) for name, table in tables.items()}
    return replace(training, files=files)
