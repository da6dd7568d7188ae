"""Pad every review to the same length."""

from __future__ import annotations

from dataclasses import asdict

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.datasets import dataset_folder
from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.caching import reuse_or_build
from tasks.supervisor import run_child

# Raise it when the same split and length would give other files.
VERSION = 1
TIMEOUT_SECONDS = 600


@task(name="pad", task_run_name="pad to {maxlen}", cache_policy=NO_CACHE, persist_result=False)
def pad_reviews(split: Dataset, maxlen: int, store: Store) -> Dataset:
    """Publish the three Parquet files that the trainings read."""
    inputs = {"version": VERSION, "split": split.key, "maxlen": maxlen}

    def build() -> dict[str, StoredFile]:
        request = {
            "files": {part: asdict(file) for part, file in split.files.items()},
            "maxlen": maxlen,
            "store": store.absolute_uri,
            "folder": dataset_folder("pad", inputs),
        }
        files = run_child("tasks.pad_child", request, TIMEOUT_SECONDS)
        return {part: StoredFile(**file) for part, file in files.items()}

    return reuse_or_build(store, "pad", inputs, split.source, build)
