"""Make the sample corpus, where the real reviews cannot be had or are not wanted."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.datasets import dataset_folder
from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.caching import reuse_or_build
from tasks.supervisor import run_child

# Raise it when the same number of reviews would give other reviews.
VERSION = 1
TIMEOUT_SECONDS = 600


@task(name="sample", task_run_name="make {reviews} sample reviews", cache_policy=NO_CACHE, persist_result=False)
def make_sample(reviews: int, store: Store) -> Dataset:
    """Publish an archive of made-up reviews and its word index."""
    inputs = {"version": VERSION, "reviews": reviews}

    def build() -> dict[str, StoredFile]:
        request = {"reviews": reviews, "store": store.absolute_uri, "folder": dataset_folder("sample", inputs)}
        files = run_child("tasks.sample_child", request, TIMEOUT_SECONDS)
        return {part: StoredFile(**file) for part, file in files.items()}

    return reuse_or_build(store, "sample", inputs, f"sample corpus of {reviews:,} made-up reviews", build)
