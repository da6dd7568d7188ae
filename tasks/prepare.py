"""Make the reviews ready for the trainings: sample, split, pad, profile. Each step is found again where it was done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.datasets import dataset_folder
from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.caching import reuse_or_build
from tasks.data import minimal_pairs, pad, profile, sample, split
from tasks.data.split import SplitParameters
from tasks.processes.supervisor import prepare_children, run_child

TIMEOUT_SECONDS = 600


@task(name="sample", task_run_name="make {reviews} sample reviews", cache_policy=NO_CACHE, persist_result=False)
def make_sample(reviews: int, store: Store) -> Dataset:
    """Publish an archive of made-up reviews and its word index."""
    inputs = {"version": sample.VERSION, "reviews": reviews}

    def build() -> dict[str, StoredFile]:
        request = {"reviews": reviews, "store": store.absolute_uri, "folder": dataset_folder("sample", inputs)}
        files = run_child("tasks.data.sample", request, TIMEOUT_SECONDS)
        return {part: StoredFile(**file) for part, file in files.items()}

    return reuse_or_build(store, "sample", inputs, f"sample corpus of {reviews:,} made-up reviews", build)


@task(name="split", task_run_name="split", cache_policy=NO_CACHE, persist_result=False)
def split_reviews(archive: Dataset, parameters: SplitParameters, store: Store) -> Dataset:
    """Publish three Parquet files of whole reviews, token for token what Keras and scikit-learn give."""
    inputs = {"version": split.VERSION, "archive": archive.files["archive"].sha256, **parameters._asdict()}

    def split_part(part: str) -> dict[str, StoredFile]:
        request = {
            "part": part,
            "archive": asdict(archive.files["archive"]),
            "source": archive.source,
            "parameters": parameters._asdict(),
            "store": store.absolute_uri,
            "folder": dataset_folder("split", inputs),
        }
        files = run_child("tasks.data.split", request, TIMEOUT_SECONDS)
        return {name: StoredFile(**file) for name, file in files.items()}

    def build() -> dict[str, StoredFile]:
        # Padding comes next, and its process can start meanwhile.
        prepare_children("tasks.data.pad", 1)
        # Unpickling keeps one CPU busy, so the two parts take one process each.
        with ThreadPoolExecutor(2) as pool:
            train, test = pool.map(split_part, ("train", "test"))
        return {**train, **test}

    return reuse_or_build(store, "split", inputs, archive.source, build)


@task(name="pad", task_run_name="pad to {maxlen}", cache_policy=NO_CACHE, persist_result=False)
def pad_reviews(split: Dataset, maxlen: int, store: Store) -> Dataset:
    """Publish the three Parquet files that the trainings read."""
    inputs = {"version": pad.VERSION, "split": split.key, "maxlen": maxlen}

    def build() -> dict[str, StoredFile]:
        request = {
            "files": {part: asdict(file) for part, file in split.files.items()},
            "maxlen": maxlen,
            "store": store.absolute_uri,
            "folder": dataset_folder("pad", inputs),
        }
        files = run_child("tasks.data.pad", request, TIMEOUT_SECONDS)
        return {part: StoredFile(**file) for part, file in files.items()}

    return reuse_or_build(store, "pad", inputs, split.source, build)


@task(name="profile", task_run_name="profile", cache_policy=NO_CACHE, persist_result=False)
def profile_reviews(archive: Dataset, split: Dataset, num_words: int, maxlen: int, store: Store) -> Dataset:
    """Publish "facts" (counts of each part), "reviews" (of each test review) and "minimal_pairs" (their tokens)."""
    word_index = archive.files.get("word_index")
    parameters = {"num_words": num_words, "maxlen": maxlen}
    inputs = {
        "version": profile.VERSION,
        "minimal_pairs": minimal_pairs.VERSION,
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
            "folder": dataset_folder("profile", inputs),
        }
        files = run_child("tasks.data.profile", request, TIMEOUT_SECONDS)
        return {name: StoredFile(**file) for name, file in files.items()}

    return reuse_or_build(store, "profile", inputs, archive.source, build)
