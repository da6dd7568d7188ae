"""The Keras callback that saves a training every few epochs, and continues an interrupted one with the same bits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from storage.checkpoint_records import Stopping
from storage.store import Store
from tasks.processes.messages import Event, Resumed, Warned
from tasks.training.checkpoint_store import (
    Arrays,
    Checkpoint,
    errors_as_warnings,
    find_checkpoint,
    make_key,
    publish_checkpoint,
)
from tasks.training.training_request import TrainingRequest

EVERY_EPOCHS = 5
# The share of a training's time that its checkpoints may take. An object store is slower than a disk.
COST_SHARE = 0.01


class Checkpoints(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Restores the newest checkpoint when `fit` begins, and publishes new ones during `fit`.

    Call `fit` with `initial_epoch`. In the list of callbacks, this one must come after early stopping and after the
    callback that keeps `history`: both reset themselves when `fit` begins, and what they record of an epoch is part of
    the epoch's checkpoint.
    """

    def __init__(
        self,
        request: TrainingRequest,
        versions: dict[str, str],
        stopping: keras.callbacks.EarlyStopping,
        history: dict[str, list[float]],
        tell: Callable[[Event], None],
    ) -> None:
        """Look for a checkpoint.

        Args:
            request: The training.
            versions: Of the libraries that compute it, by name.
            stopping: The early stopping whose state is saved and restored.
            history: By column, one value per epoch. The epochs of the checkpoint are added when `fit` begins.
            tell: Called with an event for each checkpoint that is used, is damaged or cannot be saved.
        """
        super().__init__()
        self.store, self.folder, self.key = Store(request.store), request.folder, make_key(request, versions)
        self.stopping, self.history, self.tell = stopping, history, tell
        self.found, damage = find_checkpoint(self.store, self.folder, self.key)
        for sentence in damage:
            tell(Warned(sentence))
        self.save_seconds = 0.0

    @property
    def initial_epoch(self) -> int:
        """The number of finished epochs, 0 without a checkpoint; `fit` takes it under the same name."""
        return self.found.epoch if self.found else 0

    def on_train_begin(self, _logs: Mapping[str, float] | None = None) -> None:
        """Restore the checkpoint that was found, if any."""
        if self.found:
            self._restore(self.found)
            self.tell(Resumed(self.found.epoch))
        self.saved_at = time.perf_counter()

    def on_epoch_end(self, epoch: int, _logs: Mapping[str, float] | None = None) -> None:
        """Publish a checkpoint after every `EVERY_EPOCHS` epochs.

        No checkpoint is published after the last epoch, and none if the last one took more than `COST_SHARE` of the
        time since then. If the store refuses a checkpoint, `tell` gets a warning and the training continues.

        Args:
            epoch: The epoch that has ended, from 0.
        """
        finished = epoch + 1
        # After early stopping too: a restored training would train further than an uninterrupted one.
        if finished % EVERY_EPOCHS or self.model.stop_training or finished == self.params["epochs"]:
            return
        began = time.perf_counter()
        if self.save_seconds > COST_SHARE * (began - self.saved_at):
            return
        with errors_as_warnings("saved", self.tell):
            publish_checkpoint(self.store, self.folder, self.key, self._collect_state(finished))
        self.saved_at = time.perf_counter()
        self.save_seconds = self.saved_at - began

    def _variables(self) -> list[Any]:
        self.model.optimizer.build(self.model.trainable_variables)
        # `variables` of the network include the seeds of its dropout layers; `weights` do not.
        return [*self.model.network.variables, *self.model.optimizer.variables]

    def _collect_state(self, epoch: int) -> Checkpoint:
        best = self.stopping.best_weights or []
        arrays = {f"variable-{place:04d}": variable.numpy() for place, variable in enumerate(self._variables())}
        arrays |= {f"best-{place:04d}": np.asarray(weight) for place, weight in enumerate(best)}
        arrays |= {f"history-{name}": np.asarray(column) for name, column in self.history.items()}
        stopping = self.stopping
        state = Stopping(stopping.best, stopping.wait, stopping.best_epoch)
        return Checkpoint(epoch, state, arrays)

    def _restore(self, checkpoint: Checkpoint) -> None:
        for place, variable in enumerate(self._variables()):
            variable.assign(checkpoint.arrays[f"variable-{place:04d}"])
        for name, value in asdict(checkpoint.stopping).items():
            setattr(self.stopping, name, value)
        self.stopping.best_weights = _select(checkpoint.arrays, "best-")
        for name, array in checkpoint.arrays.items():
            if name.startswith("history-"):
                self.history[name.removeprefix("history-")] = array.tolist()


def _select(arrays: Arrays, prefix: str) -> list[npt.NDArray[Any]]:
    return [array for name, array in sorted(arrays.items()) if name.startswith(prefix)]
