"""Use a dataset that is already there, and show it in Prefect as Cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from prefect import get_run_logger
from prefect.states import Completed

from storage.datasets import find_dataset, publish_dataset
from storage.records import Dataset, Inputs, StoredFile
from storage.store import Store
from tasks.processes.children import ChildFailedError


def reuse_or_build(
    store: Store,
    step: str,
    inputs: Inputs,
    source: str,
    build: Callable[[], dict[str, StoredFile]],
) -> Dataset:
    """Return the dataset as a task must return it, to be shown as Cached when it was there and is intact.

    A damaged one is quarantined, said in the log, and built again. A child's failure names the step.

    What is returned to Prefect is a state that holds the dataset; Prefect takes it for the task's own, and hands on
    what it holds.
    """
    logger = get_run_logger()
    dataset, damage = find_dataset(store, step, inputs)
    for sentence in damage:
        logger.warning(sentence)
    if dataset is not None:
        logger.info("%s: verified %s, nothing to do", step, dataset.key)
        return cast(Dataset, Completed(name="Cached", message=f"verified {dataset.key}", data=dataset))
    try:
        files = build()
    except ChildFailedError as error:
        raise ChildFailedError(f"{step}: {error}", may_pass=error.may_pass) from error
    dataset = publish_dataset(store, step, inputs, files, source)
    logger.info("%s: built %s (%s)", step, dataset.key, ", ".join(_describe(dataset)))
    return dataset


def _describe(dataset: Dataset) -> list[str]:
    return [f"{part} {file.rows:,} reviews" if file.rows else part for part, file in dataset.files.items()]
