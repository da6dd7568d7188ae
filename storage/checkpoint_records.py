"""The record of a checkpoint, which its manifest holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from storage.bounds import Constraint, Positive, Real, Whole
from storage.decoding import decode_record
from storage.records import JsonObject, StoredFile
from storage.store import Store

# Raise it to change the meaning of the record. A training ignores a checkpoint of a newer format.
CHECKPOINT_FORMAT = 1
# Compared as a whole; no value of it is read.
CheckpointKey = JsonObject


@dataclass(frozen=True)
class Stopping:
    """The state of Keras's `EarlyStopping` without its weights, by the names of its attributes."""

    best: Real
    wait: Whole
    best_epoch: Whole


@dataclass(frozen=True)
class CheckpointRecord:
    """The state of an unfinished training; a checkpoint's manifest holds it.

    Attributes:
        key: Everything that determines the training's bits.
        epoch: Epochs finished.
        stopping: The state of early stopping.
        file: The arrays.
    """

    key: CheckpointKey
    epoch: Positive
    stopping: Stopping
    file: StoredFile
    format: Annotated[int, Constraint(ge=1, le=CHECKPOINT_FORMAT)] = CHECKPOINT_FORMAT


def read_checkpoint_record(store: Store, manifest: str) -> CheckpointRecord:
    """Return the record of a checkpoint from its manifest.

    Raises:
        FileNotFoundError: The manifest does not exist.
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The manifest was changed, or is not that of a checkpoint.
    """
    must = f"{store.locate(manifest)} must be the manifest of a checkpoint"
    return decode_record(CheckpointRecord, store.read_manifest(manifest), must)
