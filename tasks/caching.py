"""Reuse a dataset from the store, and show it in Prefect as Cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from prefect import get_run_logger
from prefect.states import Completed

from storage.datasets import dataset_folder, find_dataset, publish_dataset
from storage.records import Dataset, Inputs, StoredFile
from storage.store import Store
from storage.uses import note_use
from tasks.processes.children import ChildFailedError


def reuse_or_build(
    store: Store,
    step: str,
    inputs: Inputs,
    source: str,
    build: Callable[[], dict[str, StoredFile]],
    is_used: Callable[[str], bool] = lambda _part: True,
) -> Dataset:
    """Return the dataset from the store, or build it. Call this at the end of a task, and return its result.

    If the store has an intact dataset, the result is a Prefect state `Cached` that holds it. Prefect shows this state
    as the task's, and passes the dataset on. A damaged dataset is moved to quarantine, logged, and built again.

    Args:
        store: Where the dataset is published.
        step: "download", "sample", "split", "pad" or "profile".
        inputs: Everything that determines the content.
        source: Where the reviews come from, for people.
        build: Publishes the dataset's files and returns them by part.
        is_used: Whether a part's file is verified now; the others are verified when they are read.

    Raises:
        ChildFailedError: A child process failed; the message begins with the step.
    """
    logger = get_run_logger()
    folder = dataset_folder(step, inputs)
    # Before it is used, so that it is not removed while it is.
    if store.exists(f"{folder}/manifest.json"):
        note_use(store, folder)
    dataset, damage = find_dataset(store, step, inputs, is_used)
    for sentence in damage:
        logger.warning(sentence)
    if dataset is not None:
        logger.info("%s: verified %s, nothing to do", step, dataset.key)
        return cast(Dataset, Completed(name="Cached", message=f"verified {dataset.key}", data=dataset))
    try:
        files = build()
    except ChildFailedError as error:
        raise ChildFailedError(f"{step}: {error}", may_pass=error.may_pass) from error
    note_use(store, folder)
    dataset = publish_dataset(store, step, inputs, files, source)
    logger.info("%s: built %s (%s)", step, dataset.key, ", ".join(_describe(dataset)))
    return dataset


def _describe(dataset: Dataset) -> list[str]:
    return [f"{part} {file.rows:,} reviews" if file.rows else part for part, file in dataset.files.items()]
