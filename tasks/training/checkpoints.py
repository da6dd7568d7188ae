"""Save a training every few epochs, and go on from there after it was interrupted, bit for bit.

A checkpoint holds everything that a later epoch depends on: weights, the optimizer's state and the seeds of dropout
layers, which are all variables; what early stopping remembers; and the history. Python's, NumPy's and Keras's global
random states are not among it, because nothing draws from them once the network is built.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from storage.archive import read_arrays
from storage.damage import NewerFormatError
from storage.records import CheckpointRecord, Stopping
from storage.runs import checkpoints_folder, read_checkpoint_record
from storage.store import DamagedFileError, Store
from tasks.processes.messages import Event, Resumed, Warned
from tasks.training.training_request import TrainingRequest

Arrays = dict[str, npt.NDArray[Any]]

EVERY_EPOCHS = 5
# Of the time of a training that its checkpoints may take; an object store is slower than a disk.
COST_SHARE = 0.01


class Checkpoint(NamedTuple):
    """Where a training stood.

    Attributes:
        epoch: Epochs finished.
        stopping: What early stopping remembers, its weights apart.
        arrays: By name: `variable-<place>`, `best-<place>`, and `history-<column>`, float64, shape (epoch,).
    """

    epoch: int
    stopping: Stopping
    arrays: Arrays


def make_key(request: TrainingRequest, versions: dict[str, str]) -> dict[str, Any]:
    """Return the key that a checkpoint must have to be used: all that determines a training's bits."""
    key = {
        "dataset": request.padded.key,
        "versions": versions,
        "variant": request.variant.name,
        "layers": [asdict(layer) for layer in request.variant.layers],
        "seed": request.seed,
        "parameters": asdict(request.parameters),
    }
    # As it comes back from the manifest.
    read_back: dict[str, Any] = json.loads(json.dumps(key))
    return read_back


def publish_checkpoint(store: Store, folder: str, key: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Write a training's checkpoint, its manifest last, and then remove the older ones."""
    place = f"{checkpoints_folder(folder)}/epoch-{checkpoint.epoch:04d}"
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **checkpoint.arrays)
    # The hash in its name keeps it apart from what another manifest in the same place may name.
    file = store.write_bytes_by_hash(f"{place}/state-{{sha}}.npz", buffer.getvalue())
    record = CheckpointRecord(key, checkpoint.epoch, checkpoint.stopping, file)
    manifest = store.write_manifest(f"{place}/manifest.json", asdict(record))
    store.delete(checkpoints_folder(folder), keep=(file.path, manifest.path))


def find_checkpoint(store: Store, folder: str, key: dict[str, Any]) -> tuple[Checkpoint | None, list[str]]:
    """Look for the newest intact checkpoint of this very training.

    Returns:
        The checkpoint, or None when there is none; and one sentence for each that was moved to quarantine.
    """
    damage: list[str] = []
    paths = store.list_files(checkpoints_folder(folder))
    for manifest in sorted((path for path in paths if path.endswith("/manifest.json")), reverse=True):
        damaged = [manifest]
        try:
            record = read_checkpoint_record(store, manifest)
            if record.key != key:
                continue
            damaged.append(record.file.path)
            arrays = _unpack(store.read_verified(record.file), store.locate(record.file.path))
        except NewerFormatError:
            continue
        except DamagedFileError as error:
            targets = " and ".join(store.quarantine(path) for path in damaged)
            damage.append(f"{error} Moved to {targets}; going on from an older checkpoint or the beginning.")
            continue
        return Checkpoint(record.epoch, record.stopping, arrays), damage
    return None, damage


def _unpack(content: bytes, where: str) -> Arrays:
    try:
        return read_arrays(content, where)
    except ValueError as error:
        raise DamagedFileError(str(error)) from error


def remove_checkpoints(store: Store, folder: str, tell: Callable[[Event], None]) -> None:
    """Remove all checkpoints of a training that is finished."""
    _without_failing("removed", lambda: store.delete(checkpoints_folder(folder)), tell)


class Checkpoints(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Restores the newest checkpoint when `fit` begins, and publishes others while it goes on.

    It has to stand behind early stopping and whatever keeps `history` in the list of callbacks: they start afresh when
    `fit` begins, and what they made of an epoch belongs to its checkpoint. `fit` begins at `initial_epoch`.
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
            request: Of the training.
            versions: Of the libraries that compute it.
            stopping: Whose state is saved.
            history: By column, one figure for each epoch; is filled with those of the epochs before.
            tell: Is called with an event for each checkpoint that is used, damaged or cannot be saved.
        """
        super().__init__()
        self.store, self.folder, self.key = Store(request.store), request.folder, make_key(request, versions)
        self.stopping, self.history, self.tell = stopping, history, tell
        self.found, damage = find_checkpoint(self.store, self.folder, self.key)
        for sentence in damage:
            tell(Warned(sentence))
        self.cost_seconds = 0.0

    @property
    def initial_epoch(self) -> int:
        return self.found.epoch if self.found else 0

    def on_train_begin(self, _logs: dict[str, Any] | None = None) -> None:
        if self.found:
            self._restore(self.found)
            self.tell(Resumed(self.found.epoch))
        self.saved_at = time.perf_counter()

    def on_epoch_end(self, epoch: int, _logs: dict[str, Any] | None = None) -> None:
        finished = epoch + 1
        # A training that has stopped must not be gone on with.
        if finished % EVERY_EPOCHS or self.model.stop_training or finished == self.params["epochs"]:
            return
        began = time.perf_counter()
        if self.cost_seconds > COST_SHARE * (began - self.saved_at):
            return

        def save() -> None:
            publish_checkpoint(self.store, self.folder, self.key, self._take(finished))

        _without_failing("saved", save, self.tell)
        self.saved_at = time.perf_counter()
        self.cost_seconds = self.saved_at - began

    def _variables(self) -> list[Any]:
        self.model.optimizer.build(self.model.trainable_variables)
        # Those of the network include the seeds of its dropout layers, which its weights do not.
        return [*self.model.network.variables, *self.model.optimizer.variables]

    def _take(self, epoch: int) -> Checkpoint:
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


def _without_failing(done: str, action: Callable[[], None], tell: Callable[[Event], None]) -> None:
    """Do it; a store that refuses is said, and costs no training."""
    try:
        action()
    except OSError as error:
        tell(Warned(f"a checkpoint could not be {done}: {error}"))
