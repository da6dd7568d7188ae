"""Publish, find and remove the checkpoints of a training. Imports no Keras.

A checkpoint holds everything that a later epoch depends on: the weights, the optimizer's state and the seeds of the
dropout layers (all of them variables), the state of early stopping, and the history. It does not hold the global random
states of Python, NumPy and Keras, because nothing draws from them after the network is built.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from storage.archive import read_arrays
from storage.checkpoint_records import CheckpointKey, CheckpointRecord, Stopping, read_checkpoint_record
from storage.damage import NewerFormatError
from storage.runs import checkpoints_folder
from storage.store import DamagedFileError, Store
from tasks.processes.messages import Event, Warned
from tasks.training.training_request import TrainingRequest

Arrays = dict[str, npt.NDArray[Any]]


class Checkpoint(NamedTuple):
    """The state of a training after an epoch.

    Attributes:
        epoch: Epochs finished.
        stopping: The state of early stopping, without its weights.
        arrays: By name: `variable-<place>`, `best-<place>`, and `history-<column>`, float64, shape (epoch,).
    """

    epoch: int
    stopping: Stopping
    arrays: Arrays


def make_key(request: TrainingRequest, versions: dict[str, str]) -> CheckpointKey:
    """Return everything that determines a training's bits. Only a checkpoint with the same key is used.

    Args:
        request: The training.
        versions: Of the libraries that compute it, by name.
    """
    key = {
        "dataset": request.padded.key,
        "versions": versions,
        "variant": request.variant.name,
        "layers": [asdict(layer) for layer in request.variant.layers],
        "seed": request.seed,
        "parameters": asdict(request.parameters),
    }
    # With lists instead of tuples, as the manifest gives it back.
    read_back: CheckpointKey = json.loads(json.dumps(key))
    return read_back


def publish_checkpoint(store: Store, folder: str, key: CheckpointKey, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, its manifest last, and then remove the older ones.

    Args:
        store: Where the training is kept.
        folder: Of the training, in the store.
        key: From `make_key`.
        checkpoint: What to write.

    Raises:
        OSError: The store did not accept it. The older checkpoints are still there.
    """
    place = f"{checkpoints_folder(folder)}/epoch-{checkpoint.epoch:04d}"
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **checkpoint.arrays)
    # The name holds the content's hash, so that it never replaces a file that another manifest names.
    file = store.write_bytes_by_hash(f"{place}/state-{{sha}}.npz", buffer.getvalue())
    record = CheckpointRecord(key, checkpoint.epoch, checkpoint.stopping, file)
    manifest = store.write_manifest(f"{place}/manifest.json", asdict(record))
    store.delete(checkpoints_folder(folder), keep=(file.path, manifest.path))


def find_checkpoint(store: Store, folder: str, key: CheckpointKey) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest intact checkpoint with the same key. A checkpoint of a newer version is left as it is.

    Args:
        store: Where the training is kept.
        folder: Of the training, in the store.
        key: From `make_key`.

    Returns:
        The checkpoint, or None if there is none; and one sentence for each checkpoint that was moved to quarantine.
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
            arrays = _read_state(store.read_verified(record.file), store.locate(record.file.path))
        except NewerFormatError:
            continue
        except DamagedFileError as error:
            targets = " and ".join(store.quarantine(path) for path in damaged)
            damage.append(f"{error} Moved to {targets}; going on from an older checkpoint or the beginning.")
            continue
        return Checkpoint(record.epoch, record.stopping, arrays), damage
    return None, damage


def _read_state(content: bytes, name: str) -> Arrays:
    try:
        return read_arrays(content, name)
    except ValueError as error:
        raise DamagedFileError(str(error)) from error


def remove_checkpoints(store: Store, folder: str, tell: Callable[[Event], None]) -> None:
    """Remove all checkpoints of a finished training; if the store refuses, `tell` gets a warning."""
    with errors_as_warnings("removed", tell):
        store.delete(checkpoints_folder(folder))


@contextmanager
def errors_as_warnings(done: str, tell: Callable[[Event], None]) -> Iterator[None]:
    """Turn a store's error in the block into a warning, because a training can go on without checkpoints.

    Args:
        done: What the block does to a checkpoint, for the warning: "saved" or "removed".
        tell: Called with the warning.
    """
    try:
        yield
    except OSError as error:
        tell(Warned(f"a checkpoint could not be {done}: {error}"))
