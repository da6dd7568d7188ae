"""Prepared reviews, and requests for trainings with them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.data import pad, sample, split
from tasks.train import TrainingInputs
from tasks.training.training_request import TrainingParameters, TrainingRequest
from tasks.variants import Variant
from tests.splits import RECIPE

PARAMETERS = TrainingParameters(
    num_words=500, maxlen=40, embedding_dim=16, epochs=2, batch_size=64, patience=3, learning_rate=1e-3
)

Files = dict[str, StoredFile]


def ignore(_event: object) -> None:
    """Ignore an event."""


def prepare_reviews(root: str) -> tuple[Store, Files]:
    """Make a store with 400 padded sample reviews; return it and its files by part."""
    archive = sample.main(sample.SampleRequest(400, root, "sample"), ignore)["archive"]
    whole: Files = {}
    for part in ("train", "test"):
        whole |= split.main(split.SplitRequest(part, archive, "sample", RECIPE, root, "split"), ignore)
    return Store(root), pad.main(pad.PadRequest(whole, 40, root, "pad"), ignore)


def as_dataset(files: Files) -> Dataset:
    """Return padded files as a dataset."""
    return Dataset("pad", "0" * 16, {}, files, "sample")


def inputs_for(
    prepared: tuple[Store, Files], parameters: TrainingParameters = PARAMETERS, run_folder: str = "runs/retried"
) -> TrainingInputs:
    """Return the inputs that the trainings of a run share."""
    store, files = prepared
    return TrainingInputs(as_dataset(files), None, parameters, store, run_folder, timeout_seconds=120)


def request_for(
    prepared: tuple[Store, Files], variant: Variant, folder: str, seed: int = 42, **changes: Any
) -> TrainingRequest:
    """Return the request for a training; `changes` are those of `PARAMETERS`."""
    store, files = prepared
    return TrainingRequest(
        variant=variant,
        seed=seed,
        parameters=replace(PARAMETERS, **changes),
        padded=as_dataset(files),
        minimal_pairs=None,
        store=store.uri,
        folder=folder,
        requested=time.time(),
    )
