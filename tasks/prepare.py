"""Prepare the reviews for the trainings: sample, split, pad, profile. Each step reuses its result from the store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.datasets import dataset_folder
from storage.records import Dataset, Inputs, StoredFile
from storage.store import Store
from tasks.caching import reuse_or_build
from tasks.data import minimal_pairs, pad, profile, sample, split
from tasks.data.shards import pairs
from tasks.processes.children import Children

TIMEOUT_SECONDS = 600


@task(name="sample", task_run_name="make {reviews} sample reviews", cache_policy=NO_CACHE, persist_result=False)
def make_sample(reviews: int, store: Store, children: Children) -> Dataset:
    """Publish the sample corpus: an archive of made-up reviews, and its word index."""
    inputs: Inputs = {"version": sample.VERSION, "reviews": reviews}
    request = sample.SampleRequest(reviews, store.absolute_uri, dataset_folder("sample", inputs))
    return reuse_or_build(
        store,
        "sample",
        inputs,
        f"sample corpus of {reviews:,} made-up reviews",
        lambda: children.ask(sample.JOB, request, TIMEOUT_SECONDS),
    )


@task(name="split", task_run_name="split", cache_policy=NO_CACHE, persist_result=False)
def split_reviews(archive: Dataset, parameters: split.SplitParameters, store: Store, children: Children) -> Dataset:
    """Publish the training, validation and test reviews, token for token as Keras and scikit-learn split them."""
    inputs: Inputs = {"version": split.VERSION, "archive": archive.files["archive"].sha256, **asdict(parameters)}

    def split_part(part: Literal["train", "test"]) -> dict[str, StoredFile]:
        folder = dataset_folder("split", inputs)
        request = split.SplitRequest(
            part, archive.files["archive"], archive.source, parameters, store.absolute_uri, folder
        )
        return children.ask(split.JOB, request, TIMEOUT_SECONDS)

    def build() -> dict[str, StoredFile]:
        # The padding's process can start while the split runs.
        children.start_ahead(pad.JOB, 1)
        # Unpickling uses one CPU, so each part has a process of its own.
        with ThreadPoolExecutor(2) as pool:
            train, test = pool.submit(split_part, "train"), pool.submit(split_part, "test")
            return {**train.result(), **test.result()}

    return reuse_or_build(store, "split", inputs, archive.source, build)


@task(name="pad", task_run_name="pad to {maxlen}", cache_policy=NO_CACHE, persist_result=False)
def pad_reviews(whole: Dataset, maxlen: int, store: Store, children: Children) -> Dataset:
    """Publish the reviews of a split dataset with `maxlen` tokens each, as the trainings read them."""
    inputs: Inputs = {"version": pad.VERSION, "split": whole.key, "maxlen": maxlen}
    request = pad.PadRequest(whole.files, maxlen, store.absolute_uri, dataset_folder("pad", inputs))
    return reuse_or_build(store, "pad", inputs, whole.source, lambda: children.ask(pad.JOB, request, TIMEOUT_SECONDS))


@task(name="pairs", task_run_name="encode minimal pairs", cache_policy=NO_CACHE, persist_result=False)
def profile_pairs(
    vocabulary: StoredFile, source: str, num_words: int, maxlen: int, store: Store, children: Children
) -> Dataset:
    """Publish "minimal_pairs" (tokens), if the vocabulary has their words; else a dataset without files."""
    inputs: Inputs = {
        "version": minimal_pairs.VERSION,
        "vocabulary": vocabulary.sha256,
        "num_words": num_words,
        "maxlen": maxlen,
    }
    folder = dataset_folder("pairs", inputs)
    request = pairs.PairsRequest(vocabulary, num_words, maxlen, store.absolute_uri, folder)
    return reuse_or_build(store, "pairs", inputs, source, lambda: children.ask(pairs.JOB, request, TIMEOUT_SECONDS))


@task(name="profile", task_run_name="profile", cache_policy=NO_CACHE, persist_result=False)
def profile_reviews(
    archive: Dataset, whole: Dataset, num_words: int, maxlen: int, store: Store, children: Children
) -> Dataset:
    """Publish "facts" (counts for each part), "reviews" (one row for each test review) and "minimal_pairs" (tokens)."""
    word_index = archive.files.get("word_index")
    inputs: Inputs = {
        "version": profile.VERSION,
        "minimal_pairs": minimal_pairs.VERSION,
        "split": whole.key,
        "word_index": word_index.sha256 if word_index else None,
        "num_words": num_words,
        "maxlen": maxlen,
    }
    request = profile.ProfileRequest(
        archive=archive.files["archive"],
        word_index=word_index,
        source=archive.source,
        split=whole.files,
        num_words=num_words,
        maxlen=maxlen,
        store=store.absolute_uri,
        folder=dataset_folder("profile", inputs),
    )
    return reuse_or_build(
        store, "profile", inputs, archive.source, lambda: children.ask(profile.JOB, request, TIMEOUT_SECONDS)
    )
