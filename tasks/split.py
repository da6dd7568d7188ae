"""Split the archive into training, validation and test reviews."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.datasets import dataset_folder
from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.caching import reuse_or_build
from tasks.split_child import SplitParameters
from tasks.supervisor import prepare_children, run_child

# Raise it when the same archive and parameters would give other files, so that no older dataset is taken for a new one.
VERSION = 1
TIMEOUT_SECONDS = 600


@task(name="split", task_run_name="split", cache_policy=NO_CACHE, persist_result=False)
def split_reviews(archive: Dataset, parameters: SplitParameters, store: Store) -> Dataset:
    """Publish three Parquet files of whole reviews, token for token what Keras and scikit-learn give."""
    inputs = {"version": VERSION, "archive": archive.files["archive"].sha256, **parameters._asdict()}

    def split_part(part: str) -> dict[str, StoredFile]:
        request = {
            "part": part,
            "archive": asdict(archive.files["archive"]),
            "source": archive.source,
            "parameters": parameters._asdict(),
            "store": store.absolute_uri,
            "folder": dataset_folder("split", inputs),
        }
        files = run_child("tasks.split_child", request, TIMEOUT_SECONDS)
        return {name: StoredFile(**file) for name, file in files.items()}

    def build() -> dict[str, StoredFile]:
        # Padding comes next, and its process can start meanwhile.
        prepare_children("tasks.pad_child", 1)
        # Unpickling keeps one CPU busy, so the two parts take one process each.
        with ThreadPoolExecutor(2) as pool:
            train, test = pool.map(split_part, ("train", "test"))
        return {**train, **test}

    return reuse_or_build(store, "split", inputs, archive.source, build)
