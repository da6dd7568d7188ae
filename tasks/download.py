"""Get the reviews: from the official address, from a file, or from an address of one's own."""

from __future__ import annotations

from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.tasks import exponential_backoff

from storage.records import Dataset, Inputs, StoredFile
from storage.store import Store
from tasks.caching import reuse_or_build
from tasks.data.fetching import DEFAULT_LIMITS, SourceUnreachableError, TimeLimits, fetch_file, fetch_source
from tasks.sources import Source


def _may_succeed_later(_task: Any, _run: Any, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, SourceUnreachableError) and error.transient


@task(name="word index", task_run_name="download the word index", cache_policy=NO_CACHE, persist_result=False)
def download_word_index(source: Source, store: Store, limits: TimeLimits = DEFAULT_LIMITS) -> Dataset:
    """Fetch a source's word index alone into the store, unless the store has it.

    Raises:
        ValueError: It has another SHA-256, or the source has none.
        SourceUnreachableError: It could not be fetched.
    """
    address, sha256 = source.word_index, source.word_index_sha256
    if address is None or sha256 is None:
        raise ValueError(f"{source.archive} must have a word index. It has none.")
    path = f"raw/{sha256[:16]}.json"

    def build() -> dict[str, StoredFile]:
        get_run_logger().info("download: fetching %s", address)
        return {"word_index": fetch_file(store, path, address, sha256, limits)}

    return reuse_or_build(store, "word_index", {"word_index": sha256}, address, build)


@task(
    name="download",
    task_run_name="download {source.archive}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=exponential_backoff(1),
    retry_jitter_factor=0.3,
    retry_condition_fn=_may_succeed_later,
)
def download_reviews(source: Source, store: Store, limits: TimeLimits = DEFAULT_LIMITS) -> Dataset:
    """Fetch the archive and its word index into the store, unless the store has them.

    Raises:
        ValueError: A file has another SHA-256, or the archive is not a whole .npz file.
        SourceUnreachableError: A file could not be fetched; the task is tried again if that may help.
    """
    inputs: Inputs = {"archive": source.sha256, "word_index": source.word_index_sha256}

    def build() -> dict[str, StoredFile]:
        get_run_logger().info("download: fetching %s", source.archive)
        return fetch_source(store, source, limits)

    return reuse_or_build(store, "download", inputs, source.archive, build)
