"""Prepare a team's own reviews for the trainings: read, assign to parts, encode, join. Each step reuses its results."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import cast

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from storage.datasets import dataset_folder, publish_dataset
from storage.records import Dataset, Inputs, StoredFile
from storage.store import Store
from storage.uses import note_use
from tasks.artifacts import UNREACHABLE, ProgressArtifact, brief_requests
from tasks.caching import reuse_or_build
from tasks.data.checks import check_reviews as check
from tasks.data.checks.check_reviews import CheckThresholds
from tasks.data.encoding.encoder import Encoder
from tasks.data.encoding.tokenise import TokenKind
from tasks.data.reading.readings import OwnSource, SourceFile
from tasks.data.reading.source_files import list_source_files
from tasks.data.shards import assign, build_encoder, encode_shards, join, read_shards
from tasks.data.shards.shard import (
    SeenFile,
    Shard,
    describe_guesses,
    describe_shards,
    group_files,
    hash_keys,
    recall_hashes,
    tabulate_shards,
)
from tasks.processes.children import Children
from tasks.processes.messages import Event, RecordsRead, get_adapter

# A million reviews of IMDB's length take a minute.
TIMEOUT_SECONDS = 3600
# Processes that read at once. Each takes up to 700 MB.
MOST_READERS = 4


@task(name="read", task_run_name="read {source.address}", cache_policy=NO_CACHE, persist_result=False)
def read_reviews(
    source: OwnSource, seen: Sequence[SeenFile], jobs: int, store: Store, children: Children
) -> tuple[Shard, ...]:
    """Read every source file that the store does not have yet, and show in Prefect what was read.

    Args:
        source: The team's reviews.
        seen: The source files as an earlier run saw them: an unchanged fingerprint stands for the content's hash.
        jobs: How many files to read at once.
        store: Where the shards are stored.
        children: The run's child processes.

    Raises:
        BadInputError: A file cannot be read without the user's help, or is no file of reviews.
    """
    note_use(store, source.address)
    # The processes of the next steps can start while this one reads.
    for job in (assign.JOB, encode_shards.JOB, check.JOB, join.JOB):
        children.start_ahead(job, 1)
    with tempfile.TemporaryDirectory() as temporary:
        files = list_source_files(source.address, source.sha256, Path(temporary))
        shards, damage = _read_files(files, source, seen, jobs, store, children)
    for sentence in damage:
        get_run_logger().warning(sentence)
    _show_shards(shards)
    is_cached = all(shard.is_cached for shard in shards)
    get_run_logger().info("read: %s", describe_shards(shards))
    get_run_logger().info("read: %s", describe_guesses(shards))
    if not is_cached:
        return shards
    message = f"{len(shards)} files unchanged"
    return cast(tuple[Shard, ...], Completed(name="Cached", message=message, data=shards))


def _read_files(
    files: Sequence[SourceFile],
    source: OwnSource,
    seen: Sequence[SeenFile],
    jobs: int,
    store: Store,
    children: Children,
) -> tuple[tuple[Shard, ...], list[str]]:
    hashes, done = recall_hashes(files, seen), Counter[str]()
    progress = ProgressArtifact("reading", key="reading-reviews")
    all_bytes = max(1, sum(file.bytes for file in files))

    def show(event: Event) -> None:
        if isinstance(event, RecordsRead):
            progress.update(100 * done.total() / all_bytes, f"{event.file}: {event.records:,} records")

    def read(group: Sequence[SourceFile]) -> read_shards.ReadAnswer:
        request = read_shards.ReadRequest(tuple(group), hashes, source.options, source.address, store.absolute_uri)
        answer = children.ask(read_shards.JOB, request, TIMEOUT_SECONDS, show)
        done.update({file.name: file.bytes for file in group})
        return answer

    try:
        with ThreadPoolExecutor(min(jobs, MOST_READERS)) as pool:
            answers = list(pool.map(read, group_files(files)))
        progress.update(100, f"{len(files)} files")
    finally:
        progress.close()
    shards = tuple(shard for answer in answers for shard in answer.shards)
    return shards, [sentence for answer in answers for sentence in answer.damage]


def _show_shards(shards: Sequence[Shard]) -> None:
    try:
        with brief_requests():
            create_table_artifact(
                tabulate_shards(shards), key="reviews-read", description="Records read from each source file"
            )
    except UNREACHABLE as error:
        get_run_logger().warning("Prefect's server could not be told what was read: %s", error)


@task(name="assign", task_run_name="assign reviews to parts", cache_policy=NO_CACHE, persist_result=False)
def assign_reviews(
    shards: tuple[Shard, ...], label_map: str | None, validation_fraction: float, store: Store, children: Children
) -> Dataset:
    """Give each review a label and a part, and publish "assignment", "rejected" and "summary"."""
    inputs: Inputs = {
        "version": assign.VERSION,
        "read": hash_keys(shard.dataset for shard in shards),
        "label_map": label_map,
        "validation_fraction": validation_fraction,
    }
    folder = dataset_folder("assign", inputs)
    request = assign.AssignRequest(shards, label_map, validation_fraction, store.absolute_uri, folder)
    build = partial(children.ask, assign.JOB, request, TIMEOUT_SECONDS)
    return reuse_or_build(store, "assign", inputs, shards[0].dataset.source, build)


@task(name="vocabulary", task_run_name="vocabulary of {tokens}", cache_policy=NO_CACHE, persist_result=False)
def build_vocabulary(
    shards: tuple[Shard, ...],
    assignment: Dataset,
    tokens: str,
    threads: int,
    store: Store,
    children: Children,
    anew: bool,
) -> Dataset:
    """Publish the most frequent words of the training part. It stays the same on later nights, unless built anew.

    Args:
        shards: The team's reviews.
        assignment: Their parts.
        tokens: What texts are taken apart into.
        threads: How many pieces to work on at once.
        store: Where it is stored.
        children: The run's child processes.
        anew: Whether to build it though the store has one.
    """
    source = shards[0].dataset.source
    inputs: Inputs = {"version": build_encoder.VERSION, "source": source, "tokens": tokens}
    folder = dataset_folder("vocabulary", inputs)
    file = assignment.files["assignment"]
    request = build_encoder.VocabularyRequest(
        shards, file, cast(TokenKind, tokens), threads, store.absolute_uri, folder
    )

    build = partial(children.ask, build_encoder.JOB, request, TIMEOUT_SECONDS)
    if anew:
        # The file's name holds its hash, so that what earlier runs used stays.
        return publish_dataset(store, "vocabulary", inputs, build(), source)
    return reuse_or_build(store, "vocabulary", inputs, source, build)


@task(name="encoder", task_run_name="encoder", cache_policy=NO_CACHE, persist_result=False)
def store_encoder(encoder: Encoder, vocabulary: StoredFile, source: str, store: Store) -> Dataset:
    """Publish the encoder's record beside its "vocabulary", for whoever uses a model later."""
    inputs: Inputs = dict(asdict(encoder))

    def build() -> dict[str, StoredFile]:
        folder, written = dataset_folder("encoder", inputs), get_adapter(Encoder).dump_json(encoder)
        return {
            "encoder": store.write_bytes_by_hash(f"{folder}/encoder-{{sha}}.json", written),
            "vocabulary": vocabulary,
        }

    return reuse_or_build(store, "encoder", inputs, source, build)


@task(name="encode", task_run_name="encode {encoder.tokens}", cache_policy=NO_CACHE, persist_result=False)
def encode_reviews(
    shards: tuple[Shard, ...],
    encoder: Encoder,
    vocabulary: StoredFile,
    maxlen: int,
    threads: int,
    store: Store,
    children: Children,
) -> tuple[Dataset, ...]:
    """Encode and pad every shard that the store does not have with this encoder yet."""
    request = encode_shards.EncodeRequest(
        shards, encoder, vocabulary, maxlen, threads, shards[0].dataset.source, store.absolute_uri
    )
    answer = children.ask(encode_shards.JOB, request, TIMEOUT_SECONDS)
    for sentence in answer.damage:
        get_run_logger().warning(sentence)
    get_run_logger().info("encode: %d of %d files encoded now", answer.built, len(shards))
    if answer.built:
        return answer.datasets
    message = f"{len(shards)} files unchanged"
    return cast(tuple[Dataset, ...], Completed(name="Cached", message=message, data=answer.datasets))


@task(name="join", task_run_name="join reviews", cache_policy=NO_CACHE, persist_result=False)
def join_reviews(
    shards: tuple[Shard, ...],
    encoded: tuple[Dataset, ...],
    assignment: Dataset,
    archive: Mapping[str, Dataset],
    maxlen: int,
    store: Store,
    children: Children,
) -> Dataset:
    """Publish the archive's padded reviews and the own ones together, and the profile of the own ones.

    Args:
        shards: The team's reviews.
        encoded: The same, encoded.
        assignment: Their parts.
        archive: The archive's datasets by step: "archive" and "pad"; empty without an archive.
        maxlen: Tokens per review.
        store: Where all is stored.
        children: The run's child processes.
    """
    inputs: Inputs = {
        "version": join.VERSION,
        "assign": assignment.key,
        "encode": hash_keys(encoded),
        "pad": archive["pad"].key if archive else None,
        "maxlen": maxlen,
    }
    source = shards[0].dataset.source
    request = join.JoinRequest(
        shards=shards,
        encoded=encoded,
        assignment=assignment.files["assignment"],
        padded=archive["pad"].files if archive else {},
        archive=archive["archive"].files["archive"] if archive else None,
        archive_source=archive["archive"].source if archive else "",
        maxlen=maxlen,
        store=store.absolute_uri,
        folder=dataset_folder("join", inputs),
    )
    build = partial(children.ask, join.JOB, request, TIMEOUT_SECONDS)
    return reuse_or_build(store, "join", inputs, source, build, is_used=lambda part: not part.startswith("texts-"))


@task(name="check", task_run_name="check reviews", cache_policy=NO_CACHE, persist_result=False)
def check_reviews(
    shards: tuple[Shard, ...],
    encoded: tuple[Dataset, ...],
    assigned: Dataset,
    before: Dataset | None,
    thresholds: CheckThresholds,
    texts: bool,
    store: Store,
    children: Children,
) -> Dataset:
    """Publish the results of all "checks".

    Args:
        shards: The team's reviews.
        encoded: The same, encoded.
        assigned: Their parts.
        before: The parts in the last run that trained on this source, or None.
        thresholds: When to warn and when to stop.
        texts: Whether words of the reviews may be shown.
        store: Where all is stored.
        children: The run's child processes.
    """
    inputs: Inputs = {
        "version": check.VERSION,
        "assign": assigned.key,
        "encode": hash_keys(encoded),
        "before": before.key if before else None,
        "thresholds": json.dumps(asdict(thresholds)),
        "texts": int(texts),
    }
    folder = dataset_folder("check", inputs)
    request = check.CheckRequest(shards, encoded, assigned, before, thresholds, texts, store.absolute_uri, folder)
    build = partial(children.ask, check.JOB, request, TIMEOUT_SECONDS)
    return reuse_or_build(store, "check", inputs, shards[0].dataset.source, build)
