"""What a training's process does: build a network, fit it, predict with it, and publish the results."""

from __future__ import annotations

import gc
import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pyarrow as pa

from storage.records import Scores, StoredFile, TrainingResult
from storage.schemas import PREDICTION_SCHEMA, padded_schema
from storage.store import Store
from tasks.data.pad import tokens_of
from tasks.processes.messages import Event
from tasks.training.batches import as_dataset
from tasks.training.checkpoint_store import remove_checkpoints
from tasks.training.fitting import Trainer, fit, list_versions, make_trainer
from tasks.training.training_request import TRAINING, TrainingParameters, TrainingRequest
from tasks.variants import Layer

JOB = TRAINING

# As in Keras: probabilities are clipped, so that the logarithm of 0 does not make a loss infinite.
EPSILON = 1e-7
CHECKED_REVIEWS = 32
# Float32 sums in another order differ in the seventh digit.
PROBABILITY_TOLERANCE = 1e-4
NORMAL_QUANTILE = 1.959963984540054


class Times(NamedTuple):
    """When each phase of a training ended: seconds since 1970."""

    started: float
    fitted: float
    predicted: float
    published: float

    def seconds_since(self, requested: float) -> dict[str, float]:
        """Return the seconds of each phase, as `TrainingResult.seconds` describes them."""
        return {
            "start": self.started - requested,
            "fit": self.fitted - self.started,
            "predict": self.predicted - self.fitted,
            "evaluate": self.published - self.fitted,
            "total": self.published - requested,
        }


def main(request: TrainingRequest, tell: Callable[[Event], None]) -> TrainingResult:
    """Train one variant with one seed, and publish model, history, predictions and, last, `training.json`.

    Args:
        request: The training.
        tell: Called with each event.

    Raises:
        ValueError: A file of the reviews is damaged, or Keras refuses a layer's arguments.
        FloatingPointError: A loss is infinite or NaN.
        RuntimeError: The stock network gives other probabilities than the trainer.
    """
    forget_earlier_trainings()
    keras.utils.set_random_seed(request.seed)
    store = Store(request.store)
    tables = read_tables(request, store)
    network = build_compiled_network(request.variant.layers, request.parameters)
    started = time.time()
    trainer = make_trainer(network, request.parameters.batch_size, request.parameters.learning_rate)
    history = fit(trainer, tables, request, tell)
    fitted = time.time()
    predictions = {"test": predict(trainer, tables["test"])}
    predicted = time.time()
    check_predictions(network, tables["test"], predictions["test"])
    predictions |= {part: predict(trainer, tables[part]) for part in tables if part not in ("train", "test")}
    files = publish_files(network, history, predictions, request.folder, store)
    times = Times(started, fitted, predicted, time.time())
    result = describe_training(request, network, history, predictions, len(tables["train"]), times, files)
    store.write_manifest(f"{request.folder}/training.json", asdict(result))
    remove_checkpoints(store, request.folder, tell)
    return result


def forget_earlier_trainings() -> None:
    """Reset Keras as in a fresh process: its layer names and seeds, and the memory of earlier models."""
    keras.config.set_floatx("float32")
    keras.utils.clear_session()
    gc.collect()


def read_tables(request: TrainingRequest, store: Store) -> dict[str, pa.Table]:
    """Return the padded reviews by part and, if the request has them, the "minimal_pairs".

    Raises:
        ValueError: A file is damaged, or holds other values.
    """
    files = dict(request.padded.files)
    if request.minimal_pairs:
        files["minimal_pairs"] = request.minimal_pairs
    maxlen, num_words = request.parameters.maxlen, request.parameters.num_words
    return {part: read_part(store, file, maxlen, num_words) for part, file in files.items()}


def read_part(store: Store, file: StoredFile, maxlen: int, num_words: int) -> pa.Table:
    """Return a padded table whose tokens are below `num_words` and whose labels are 0 or 1.

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


def build_network(layers: Sequence[Layer], num_words: int, embedding_dim: int, maxlen: int) -> keras.Sequential:
    """Return a network of Embedding, the variant's layers and Dense(1, sigmoid).

    The network takes integer tokens, shape (reviews, maxlen), and returns the probability that a review is positive:
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


def build_compiled_network(layers: Sequence[Layer], parameters: TrainingParameters) -> keras.Sequential:
    """Return the network, compiled so that one can call `evaluate` after loading the saved model.

    The trainer has an optimizer of its own. Keras builds the optimizer when it loads a model, and warns if the saved
    one has fewer variables, so this one is built too.
    """
    network = build_network(layers, parameters.num_words, parameters.embedding_dim, parameters.maxlen)
    network.compile(keras.optimizers.RMSprop(parameters.learning_rate), "binary_crossentropy", metrics=["accuracy"])
    network.optimizer.build(network.trainable_variables)
    return network


def predict(trainer: Trainer, table: pa.Table) -> pa.Table:
    """Return the predictions for a padded table, in `PREDICTION_SCHEMA` and in the order of the table."""
    tokens, labels = tokens_of(table), table["label"].to_numpy()
    epoch = as_dataset(trainer.stack_batches(tokens, labels, training=False))
    probabilities = trainer.predict(epoch, steps=1, verbose=0)[: len(labels)]
    return pa.Table.from_arrays([table["review_id"], table["label"], pa.array(probabilities)], schema=PREDICTION_SCHEMA)


def check_predictions(network: keras.Model, table: pa.Table, predictions: pa.Table) -> None:
    """Compare the first predictions with those of the stock network, which is the one that is saved.

    Raises:
        RuntimeError: They differ by `PROBABILITY_TOLERANCE` or more.
    """
    stock = network(tokens_of(table)[:CHECKED_REVIEWS].astype(np.int32)).numpy()[:, 0]
    difference = float(np.abs(predictions["probability"].to_numpy()[:CHECKED_REVIEWS] - stock).max())
    # Not `difference >= PROBABILITY_TOLERANCE`, which NaN would pass.
    if not difference < PROBABILITY_TOLERANCE:
        raise RuntimeError(
            f"the fast and the stock network must give the same probabilities. Received: a difference of {difference}."
        )


def publish_files(
    network: keras.Model, history: pa.Table, predictions: dict[str, pa.Table], folder: str, store: Store
) -> dict[str, StoredFile]:
    """Write the model, the history and the predictions of each part; return the files by name."""
    tables = {"history": history} | {f"predictions-{part}": table for part, table in predictions.items()}
    return {"model.keras": save_network(network, store, f"{folder}/model.keras")} | {
        f"{name}.parquet": store.write_table(f"{folder}/{name}.parquet", table) for name, table in tables.items()
    }


def save_network(network: keras.Model, store: Store, path: str) -> StoredFile:
    """Publish the network as a `.keras` file that stock Keras loads in safe mode."""
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "model.keras"
        network.save(local)
        return store.write_bytes(path, local.read_bytes())


def describe_training(
    request: TrainingRequest,
    network: keras.Model,
    history: pa.Table,
    predictions: dict[str, pa.Table],
    train_count: int,
    times: Times,
    files: dict[str, StoredFile],
) -> TrainingResult:
    """Return the record of a training; arguments as in `main`, `train_count` the number of training reviews."""
    best = int(np.argmin(history["val_loss"].to_numpy()))
    return TrainingResult(
        variant=request.variant.name,
        layers=request.variant.description,
        seed=request.seed,
        parameters=asdict(request.parameters),
        versions=list_versions(),
        dataset=request.padded.key,
        epochs=len(history),
        best_epoch=best + 1,
        stopped_early=len(history) < request.parameters.epochs,
        train=Scores(history["loss"][best].as_py(), history["accuracy"][best].as_py(), None, train_count),
        validation=score_predictions(predictions["validation"]),
        test=score_predictions(predictions["test"]),
        parameter_count=network.count_params(),
        weights_sha256=hash_weights(network),
        seconds=times.seconds_since(request.requested),
        files=files,
    )


def score_predictions(predictions: pa.Table) -> Scores:
    """Return mean binary cross-entropy and accuracy of predictions in `PREDICTION_SCHEMA`.

    The margin of the loss is the half-width of the normal 95% interval of the mean.
    """
    labels = predictions["label"].to_numpy()
    probabilities = np.clip(predictions["probability"].to_numpy().astype(np.float64), EPSILON, 1 - EPSILON)
    losses = -np.log(np.where(labels == 1, probabilities, 1 - probabilities))
    margin = NORMAL_QUANTILE * losses.std() / np.sqrt(len(losses))
    hits = (probabilities > 0.5) == (labels == 1)
    return Scores(float(losses.mean()), float(hits.mean()), float(margin), len(labels))


def hash_weights(network: keras.Model) -> str:
    """Return the SHA-256 of all weights, in Keras's order, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
