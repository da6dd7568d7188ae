"""One training after another, in a process of its own."""

from __future__ import annotations

import gc
import hashlib
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import tensorflow

from storage.records import Scores, StoredFile, TrainingResult
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, padded_schema
from storage.store import Store
from tasks.data.pad import tokens_of
from tasks.processes.messages import EpochFinished, Event
from tasks.training.batches import as_dataset, shuffle_reviews
from tasks.training.checkpoints import Checkpoints, remove_checkpoints
from tasks.training.keras_network import is_supported_by_kernels
from tasks.training.numba_trainer import NumbaTrainer
from tasks.training.training_request import TRAINING, TrainingRequest
from tasks.training.xla_trainer import XlaTrainer
from tasks.variants import Layer

JOB = TRAINING

Trainer = XlaTrainer | NumbaTrainer
# Keras clips probabilities so that the logarithm of a confidently wrong one stays finite.
EPSILON = 1e-7
CHECKED_REVIEWS = 32
# Float32 sums in another order differ in the seventh digit.
PROBABILITY_TOLERANCE = 1e-4
NORMAL_QUANTILE = 1.959964


def build_network(layers: Sequence[Layer], num_words: int, embedding_dim: int, maxlen: int) -> keras.Sequential:
    """Return Embedding, the variant's layers and Dense(1, sigmoid).

    The network takes integer tokens, shape (reviews, maxlen), and gives the probability that a review is positive,
    float32, shape (reviews, 1).
    """
    middle = [getattr(keras.layers, layer.name)(**layer.arguments) for layer in layers]
    return keras.Sequential(
        [
            keras.Input((maxlen,), dtype="int32"),
            keras.layers.Embedding(num_words, embedding_dim),
            *middle,
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


class EpochReporter(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Tells each epoch's figures, and keeps them with its seconds."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        super().__init__()
        self.tell = tell
        self.history: dict[str, list[float]] = {}

    def on_epoch_begin(self, _epoch: int, _logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not all(np.isfinite(value) for value in figures.values()):
            raise FloatingPointError(f"the loss of epoch {epoch + 1} is not a finite number: {figures}")
        figures["seconds"] = time.perf_counter() - self._began
        for name, value in figures.items():
            self.history.setdefault(name, []).append(value)
        self.tell(
            EpochFinished(
                epoch=epoch + 1,
                loss=figures["loss"],
                accuracy=figures["accuracy"],
                val_loss=figures["val_loss"],
                val_accuracy=figures["val_accuracy"],
                seconds=figures["seconds"],
            )
        )


def read_part(store: Store, file: StoredFile, maxlen: int, num_words: int) -> pa.Table:
    """Return a padded table, checked: tokens below `num_words`, labels 0 or 1.

    Raises:
        ValueError: The file is damaged, or holds other values.
    """
    table = store.read_table(file, padded_schema(maxlen))
    tokens, labels = tokens_of(table), table["label"].to_numpy()
    if tokens.max() >= num_words or labels.max() > 1:
        raise ValueError(
            f"{store.locate(file.path)} must hold tokens below {num_words} and labels of 0 and 1. "
            f"Received: a token {tokens.max()}, a label {labels.max()}."
        )
    return table


def make_trainer(network: keras.Sequential, batch_size: int, learning_rate: float) -> Trainer:
    """Return what trains the network: the compiled kernels where they know its layers, an XLA program elsewhere."""
    kind = NumbaTrainer if is_supported_by_kernels(network) else XlaTrainer
    trainer = kind(network, batch_size)
    trainer.compile(optimizer=keras.optimizers.RMSprop(learning_rate), **kind.COMPILE)
    return trainer


def fit(
    trainer: Trainer, tables: dict[str, pa.Table], request: TrainingRequest, tell: Callable[[Event], None]
) -> pa.Table:
    """Fit the network until its val_loss stops falling, leave the best epoch's weights in it, return the history.

    A training that was interrupted goes on from its newest checkpoint.
    """
    train, validation = (
        (tokens_of(tables[part]), tables[part]["label"].to_numpy()) for part in ("train", "validation")
    )
    shuffled = shuffle_reviews(*train, request.seed)
    reporter = EpochReporter(tell)
    stopping = keras.callbacks.EarlyStopping(patience=request.parameters.patience, restore_best_weights=True)
    checkpoints = Checkpoints(request, list_versions(), stopping, reporter.history, tell)
    trainer.fit(
        as_dataset(trainer.stack_batches(*shuffled, training=True)),
        initial_epoch=checkpoints.initial_epoch,
        epochs=request.parameters.epochs,
        steps_per_epoch=1,
        shuffle=False,
        validation_data=as_dataset(trainer.stack_batches(*validation, training=False)),
        validation_steps=1,
        # Each on what those before it made of the epoch.
        callbacks=[stopping, reporter, checkpoints],
        verbose=0,
    )
    columns = {name: reporter.history[name] for name in HISTORY_SCHEMA.names if name in reporter.history}
    epoch_numbers = np.arange(1, len(reporter.history["seconds"]) + 1)
    return pa.table({"epoch": epoch_numbers, **columns}).cast(HISTORY_SCHEMA)


def predict(trainer: Trainer, table: pa.Table) -> pa.Table:
    """Return the predictions: review_id, label, and the probability that the review is positive."""
    tokens, labels = tokens_of(table), table["label"].to_numpy()
    epoch = as_dataset(trainer.stack_batches(tokens, labels, training=False))
    probabilities = trainer.predict(epoch, steps=1, verbose=0)[: len(labels)]
    return pa.Table.from_arrays([table["review_id"], table["label"], pa.array(probabilities)], schema=PREDICTION_SCHEMA)


def check_predictions(network: keras.Model, table: pa.Table, predictions: pa.Table) -> None:
    """Hold the first predictions against the stock network, which is what gets saved.

    Raises:
        RuntimeError: They differ.
    """
    stock = network(tokens_of(table)[:CHECKED_REVIEWS].astype(np.int32)).numpy()[:, 0]
    difference = float(np.abs(predictions["probability"].to_numpy()[:CHECKED_REVIEWS] - stock).max())
    # The other way round, NaN would pass.
    if not difference < PROBABILITY_TOLERANCE:
        raise RuntimeError(
            f"the fast and the stock network must give the same probabilities. Received: a difference of {difference}."
        )


def score_predictions(predictions: pa.Table) -> Scores:
    """Return mean binary cross-entropy and accuracy, with the normal 95% interval of the mean loss."""
    labels = predictions["label"].to_numpy()
    probabilities = np.clip(predictions["probability"].to_numpy().astype(np.float64), EPSILON, 1 - EPSILON)
    losses = -np.log(np.where(labels == 1, probabilities, 1 - probabilities))
    margin = NORMAL_QUANTILE * losses.std() / np.sqrt(len(losses))
    hits = (probabilities > 0.5) == (labels == 1)
    return Scores(float(losses.mean()), float(hits.mean()), float(margin), len(labels))


def save_network(network: keras.Model, store: Store, path: str) -> StoredFile:
    """Publish the network as a `.keras` file that plain Keras loads in safe mode."""
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "model.keras"
        network.save(local)
        return store.write_bytes(path, local.read_bytes())


def hash_weights(network: keras.Model) -> str:
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute a training."""
    return {
        "python": platform.python_version(),
        "tensorflow": tensorflow.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def main(request: TrainingRequest, tell: Callable[[Event], None]) -> TrainingResult:
    """Train one variant with one seed, and publish model, history, predictions and, last, `training.json`."""
    forget_earlier_trainings()
    keras.utils.set_random_seed(request.seed)
    parameters, store = request.parameters, Store(request.store)
    files = dict(request.padded.files)
    if request.minimal_pairs:
        files["minimal_pairs"] = request.minimal_pairs
    tables = {part: read_part(store, file, parameters.maxlen, parameters.num_words) for part, file in files.items()}
    network = build_network(request.variant.layers, parameters.num_words, parameters.embedding_dim, parameters.maxlen)
    # Not used here: it lets whoever loads the model call `evaluate` at once. Built, because Keras builds the optimizer
    # when it loads the model, and warns if the saved one has fewer variables.
    network.compile(keras.optimizers.RMSprop(parameters.learning_rate), "binary_crossentropy", metrics=["accuracy"])
    network.optimizer.build(network.trainable_variables)
    started = time.time()
    trainer = make_trainer(network, parameters.batch_size, parameters.learning_rate)
    history = fit(trainer, tables, request, tell)
    fitted = time.time()
    predictions = {"test": predict(trainer, tables["test"])}
    predicted = time.time()
    check_predictions(network, tables["test"], predictions["test"])
    predictions |= {part: predict(trainer, tables[part]) for part in tables if part not in ("train", "test")}
    published = publish_files(network, history, predictions, request.folder, store)
    best = int(np.argmin(history["val_loss"].to_numpy()))
    finished = time.time()
    result = TrainingResult(
        variant=request.variant.name,
        layers=request.variant.description,
        seed=request.seed,
        parameters=asdict(parameters),
        versions=list_versions(),
        dataset=request.padded.key,
        epochs=len(history),
        best_epoch=best + 1,
        stopped_early=len(history) < parameters.epochs,
        train=Scores(history["loss"][best].as_py(), history["accuracy"][best].as_py(), None, len(tables["train"])),
        validation=score_predictions(predictions["validation"]),
        test=score_predictions(predictions["test"]),
        parameter_count=network.count_params(),
        weights_sha256=hash_weights(network),
        seconds={
            "start": started - request.requested,
            "fit": fitted - started,
            "predict": predicted - fitted,
            "evaluate": finished - fitted,
            "total": finished - request.requested,
        },
        files=published,
    )
    store.write_manifest(f"{request.folder}/training.json", asdict(result))
    remove_checkpoints(store, request.folder, tell)
    return result


def forget_earlier_trainings() -> None:
    """Put Keras into the state of a fresh process: layer names, seeds and what earlier models hold of the memory."""
    keras.config.set_floatx("float32")
    keras.utils.clear_session()
    gc.collect()


def publish_files(
    network: keras.Model, history: pa.Table, predictions: dict[str, pa.Table], folder: str, store: Store
) -> dict[str, StoredFile]:
    """Write the model, the history and the predictions by part; return the files by name."""
    tables = {"history": history} | {f"predictions-{part}": table for part, table in predictions.items()}
    return {"model.keras": save_network(network, store, f"{folder}/model.keras")} | {
        f"{name}.parquet": store.write_table(f"{folder}/{name}.parquet", table) for name, table in tables.items()
    }
