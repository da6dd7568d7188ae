"""A training's process without Keras, for tests of other parts. Its files pass every check.

`tests/chaos/hook` replaces `tasks.training.training` by it if STUB_TRAINING is set. It starts in 0.3 s instead of 4 s.
Each epoch takes STUB_EPOCH_SECONDS. It runs all epochs, and saves no checkpoints. A training with the seed REAL_SEED is
a real one, and so is a training of a variant that the project does not declare.
"""

import os
import time
from dataclasses import asdict
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tasks
from storage.records import Scores, TrainingResult
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, padded_schema
from storage.store import Store
from tasks.processes.messages import EpochFinished
from tasks.training.training_request import TRAINING
from tests.stubs import REAL_SEED

JOB = TRAINING
EPOCH_SECONDS = float(os.environ.get("STUB_EPOCH_SECONDS", "0.1"))
# The probability of the predicted class by variant. Each variant is right on four reviews of five.
SURENESS = {"lstm": 0.72, "lstm_dropout": 0.71, "lstm_stacked": 0.7, "gru": 0.69, "simple_rnn": 0.68}


def main(request, tell):
    name = request.variant.name
    if request.seed == REAL_SEED or name not in SURENESS:
        return load_real_child().main(request, tell)
    store, folder, parameters = Store(request.store), request.folder, request.parameters
    files = dict(request.padded.files)
    if request.minimal_pairs:
        files["minimal_pairs"] = request.minimal_pairs
    tables = {part: store.read_table(file, padded_schema(parameters.maxlen)) for part, file in files.items()}
    history = run_epochs(parameters.epochs, tell)
    predictions = {part: predict(table, SURENESS[name]) for part, table in tables.items()}
    written = {"history": history} | {f"predictions-{part}": predictions[part] for part in tables if part != "train"}
    published = {"model.keras": store.write_bytes(f"{folder}/model.keras", name.encode())}
    published |= {
        f"{file}.parquet": store.write_table(f"{folder}/{file}.parquet", table) for file, table in written.items()
    }
    result = TrainingResult(
        variant=request.variant.name,
        layers=request.variant.description,
        seed=request.seed,
        parameters=asdict(parameters),
        versions={"keras": "a stub", "tensorflow": "a stub"},
        dataset=request.padded.key,
        epochs=len(history),
        best_epoch=len(history),
        stopped_early=False,
        train=score(predictions["train"]),
        validation=score(predictions["validation"]),
        test=score(predictions["test"]),
        parameter_count=8809,
        weights_sha256="0" * 64,
        seconds=dict.fromkeys(("start", "fit", "predict", "evaluate", "total"), time.time() - request.requested),
        files=published,
    )
    store.write_manifest(f"{folder}/training.json", asdict(result))
    return result


def load_real_child() -> Any:
    spec = spec_from_file_location("real_training_child", Path(tasks.__file__).parent / "training" / "training.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_epochs(count: int, tell: Any) -> pa.Table:
    columns: dict[str, list[float]] = {name: [] for name in HISTORY_SCHEMA.names}
    for epoch in range(1, count + 1):
        time.sleep(EPOCH_SECONDS)
        loss = 0.4 + 0.3 / epoch
        figures = {"loss": loss, "accuracy": 0.8, "val_loss": loss, "val_accuracy": 0.8, "seconds": EPOCH_SECONDS}
        for name, value in {"epoch": epoch, **figures}.items():
            columns[name].append(value)
        tell(EpochFinished(epoch, **figures))
    return pa.table(columns).cast(HISTORY_SCHEMA)


def predict(table: pa.Table, sureness: float) -> pa.Table:
    labels = table["label"].to_numpy() == 1
    is_right = np.arange(len(labels)) % 5 != 0
    probabilities = np.where(labels == is_right, sureness, 1 - sureness).astype(np.float32)
    return pa.Table.from_arrays([table["review_id"], table["label"], pa.array(probabilities)], schema=PREDICTION_SCHEMA)


def score(predictions: pa.Table) -> Scores:
    labels = predictions["label"].to_numpy() == 1
    probabilities = predictions["probability"].to_numpy().astype(np.float64)
    losses = -np.log(np.where(labels, probabilities, 1 - probabilities))
    margin = 1.959964 * losses.std() / np.sqrt(len(losses))
    return Scores(float(losses.mean()), float(((probabilities > 0.5) == labels).mean()), float(margin), len(labels))
