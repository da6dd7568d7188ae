"""Describe the reviews for the report: their lengths, words and repeats, and the minimal pairs in their vocabulary."""

from __future__ import annotations

from dataclasses import asdict

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.datasets import dataset_folder
from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks import behaviour
from tasks.caching import reuse_or_build
from tasks.supervisor import run_child

# Raise it when the same archive and parameters would give other files.
VERSION = 1
TIMEOUT_SECONDS = 600


@task(name="describe", task_run_name="describe", cache_policy=NO_CACHE, persist_result=False)
def describe_reviews(archive: Dataset, split: Dataset, num_words: int, maxlen: int, store: Store) -> Dataset:
    """Publish "facts" (counts of each part), "reviews" (of each test review) and "behaviour" (the minimal pairs)."""
    word_index = archive.files.get("word_index")
    parameters = {"num_words": num_words, "maxlen": maxlen}
    inputs = {
        "version": VERSION,
        "behaviour": behaviour.VERSION,
        "split": split.key,
        "word_index": word_index.sha256 if word_index else None,
        **parameters,
    }

    def build() -> dict[str, StoredFile]:
        request = {
            "archive": asdict(archive.files["archive"]),
            "word_index": asdict(word_index) if word_index else None,
            "source": archive.source,
            "split": {part: asdict(file) for part, file in split.files.items()},
            "parameters": parameters,
            "store": store.absolute_uri,
            "folder": dataset_folder("describe", inputs),
        }
        files = run_child("tasks.describe_child", request, TIMEOUT_SECONDS)
        return {name: StoredFile(**file) for name, file in files.items()}

    return reuse_or_build(store, "describe", inputs, archive.source, build)
