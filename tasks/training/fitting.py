"""Fit a network with Keras's own `fit`: early stopping, the history, and checkpoints."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping

import keras
import numpy as np
import pyarrow as pa
import tensorflow

from storage.schemas import HISTORY_SCHEMA
from tasks.data.pad import tokens_of
from tasks.processes.messages import EpochFinished, Event
from tasks.training.batches import as_dataset, shuffle_reviews
from tasks.training.checkpoints import Checkpoints
from tasks.training.keras_network import is_supported_by_kernels
from tasks.training.numba_trainer import NumbaTrainer
from tasks.training.training_request import TrainingRequest
from tasks.training.xla_trainer import XlaTrainer

Trainer = XlaTrainer | NumbaTrainer


class EpochReporter(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Sends the figures of each epoch, and keeps them in `history`: by column, one value per epoch."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        super().__init__()
        self.tell = tell
        self.history: dict[str, list[float]] = {}

    def on_epoch_begin(self, _epoch: int, _logs: Mapping[str, float] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Add the epoch to the history, and send an `EpochFinished`.

        Args:
            epoch: The epoch that has ended, from 0.
            logs: Its figures by Keras's names: loss, accuracy, val_loss, val_accuracy.

        Raises:
            FloatingPointError: A figure is infinite or NaN.
        """
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


def make_trainer(network: keras.Sequential, batch_size: int, learning_rate: float) -> Trainer:
    """Return a compiled trainer: the compiled kernels if they support the network, otherwise an XLA program.

    Args:
        network: The network to train; its weights are changed in place.
        batch_size: Reviews per step.
        learning_rate: Of RMSprop.
    """
    kind = NumbaTrainer if is_supported_by_kernels(network) else XlaTrainer
    trainer = kind(network, batch_size)
    trainer.compile(optimizer=keras.optimizers.RMSprop(learning_rate), **kind.COMPILE)
    return trainer


def fit(
    trainer: Trainer, tables: dict[str, pa.Table], request: TrainingRequest, tell: Callable[[Event], None]
) -> pa.Table:
    """Fit the network until early stopping or the last epoch, and leave the weights of the best epoch in it.

    An interrupted training continues from its newest checkpoint.

    Args:
        trainer: From `make_trainer`.
        tables: The padded reviews "train" and "validation".
        request: The training.
        tell: Called with each event.

    Returns:
        The history, in `HISTORY_SCHEMA`.

    Raises:
        FloatingPointError: A loss is infinite or NaN.
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
        # In this order: `checkpoints` saves what the others recorded.
        callbacks=[stopping, reporter, checkpoints],
        verbose=0,
    )
    epochs = np.arange(1, len(reporter.history["seconds"]) + 1)
    return pa.table({"epoch": epochs, **reporter.history}).select(HISTORY_SCHEMA.names).cast(HISTORY_SCHEMA)


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute a training."""
    return {
        "python": platform.python_version(),
        "tensorflow": tensorflow.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
