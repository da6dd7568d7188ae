"""What a night asks its workers to train, and what it believes of their answers in the store."""

from __future__ import annotations

from typing import Any, NamedTuple

from prefect import get_run_logger

from storage.records import Dataset, StoredFile, TrainingResult, training_name
from storage.runs import checkpoints_folder, read_training_record
from storage.store import Store
from tasks.train import TrainingParameters, TrainingStage, expect_record, find_training
from tasks.variants import Variant


class Order(NamedTuple):
    """What all trainings of a night have in common."""

    padded: Dataset
    parameters: TrainingParameters
    store: Store
    run_folder: str
    timeout_seconds: float
    minimal_pairs: StoredFile | None


def find_finished(variant: Variant, seed: int, order: Order) -> TrainingResult | None:
    """Return the training where it is in the store already, is the one asked for, and every file of it is intact."""
    name = training_name(variant.name, seed)
    finished, damage = find_training(order.store, f"{order.run_folder}/{name}", _expect(variant, seed, order))
    for sentence in damage:
        get_run_logger().warning("%s: %s", name, sentence)
    if finished:
        get_run_logger().info("%s: found in the store", name, extra={"stage": TrainingStage(name, "done")})
    return finished


def _expect(variant: Variant, seed: int, order: Order) -> dict[str, Any]:
    return expect_record(variant, seed, order.padded, order.parameters)


def read_result(variant: Variant, seed: int, order: Order) -> TrainingResult:
    """Return what a worker wrote of a training.

    Raises:
        FileNotFoundError: Nothing.
        DamagedFileError: Something else than the record of a training, or it was changed afterwards.
        ValueError: The record is of another training than the one asked for.
    """
    path = f"{order.run_folder}/{training_name(variant.name, seed)}/training.json"
    result = read_training_record(order.store.read_manifest(path), order.store.locate(path))
    for field, expected in _expect(variant, seed, order).items():
        received = getattr(result, field)
        if received != expected:
            raise ValueError(f"{order.store.locate(path)} must be of {field}={expected}. Received: {received}.")
    return result


def find_progress(variant: Variant, seed: int, order: Order) -> str:
    """Return the path of a training's newest checkpoint, which sorts behind those of earlier epochs; "" for none."""
    name = training_name(variant.name, seed)
    try:
        return max(order.store.list_files(checkpoints_folder(f"{order.run_folder}/{name}")), default="")
    except OSError as error:
        get_run_logger().warning("%s: %s", name, error)
        return ""
