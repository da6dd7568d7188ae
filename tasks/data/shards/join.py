"""Join the padded reviews of an archive and of the shards into what the trainings read, and profile the shards' reviews.

Runs in a child process, which frees its memory when it ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reports.sections.data_section import PartFacts
from storage.archive import Reviews, read_reviews
from storage.records import Dataset, StoredFile
from storage.schemas import (
    ASSIGNMENT_SCHEMA,
    ENCODED_SCHEMA,
    OWN_REVIEW_SCHEMA,
    SAMPLE_SCHEMA,
    padded_schema,
    token_schema,
)
from storage.store import Store
from storage.table_streams import TableWriter, iterate_table, writing_table
from tasks.data.parts.assignment import weeks_of
from tasks.data.parts.near_duplicates import find_near_duplicates
from tasks.data.profile import LENGTH_EDGES, QUANTILES
from tasks.data.shards.encode_shards import hash_contents
from tasks.data.shards.records import Shard
from tasks.processes.messages import Event, Job, get_adapter

# Raise it when the same inputs give other files than before.
VERSION = 1
PARTS = ("train", "validation", "test")
LEFT_OUT = 3
NEAR_DUPLICATE_SAMPLE = 50_000
# The rank of "br" in IMDB's word index.
MARKUP_RANK = 7


@dataclass(frozen=True)
class JoinRequest:
    """The request to join.

    Attributes:
        shards: The shards of the source.
        encoded: Their encoded datasets, in the same order.
        assignment: The parts of their reviews.
        padded: The padded files of the archive by part; empty without an archive.
        archive: The archive that own texts may also stand in; None without one.
        archive_source: Where the archive came from, for error messages.
        maxlen: Tokens per review.
        store: URI of the store.
        folder: For the new files, in the store.
    """

    shards: tuple[Shard, ...]
    encoded: tuple[Dataset, ...]
    assignment: StoredFile
    padded: dict[str, StoredFile]
    archive: StoredFile | None
    archive_source: str
    maxlen: int
    store: str
    folder: str


@dataclass(frozen=True)
class JoinFacts:
    """What was found while joining.

    Attributes:
        parts: Statistics of the own reviews by part.
        in_archive: Number of own reviews that also stand in the archive, and were left out.
        near_duplicates: Number of own test reviews that nearly repeat a review of the other parts.
        compared: How many reviews were compared for that; fewer than all if it is a sample.
    """

    parts: dict[str, PartFacts]
    in_archive: int
    near_duplicates: int
    compared: int


def hash_archive(content: bytes, source: str) -> npt.NDArray[np.uint64]:
    """Return the hashes of all reviews of an archive, for comparison with `content` of `ENCODED_SCHEMA`, sorted."""
    parts = [read_reviews(content, part, source) for part in ("train", "test")]
    return np.unique(np.concatenate([hash_contents(*_without_markup(part)) for part in parts]))


def _without_markup(part: Reviews) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return ranks and offsets without the word br, which is mark-up in the archive and is left out of own texts."""
    kept = part.tokens != MARKUP_RANK
    offsets = np.concatenate([[0], np.cumsum(kept)])[part.offsets]
    return part.tokens[kept], offsets


@dataclass(frozen=True)
class OwnPart:
    """The own reviews of one shard that stand in a part.

    Attributes:
        rows: int64, their rows in the shard's tables.
        review_ids: Their ids.
        labels: uint8, 0 negative or 1 positive.
    """

    rows: npt.NDArray[np.int64]
    review_ids: pa.ChunkedArray
    labels: npt.NDArray[np.uint8]


def group_parts(assignment: pa.Table, parts: npt.NDArray[np.uint8], shard: int) -> dict[str, OwnPart]:
    """Return by part the reviews of one shard.

    Args:
        assignment: Of `ASSIGNMENT_SCHEMA`.
        parts: uint8, shape (rows of the assignment,): the part of each.
        shard: The shard's number.
    """
    is_here = assignment["shard"].to_numpy() == shard
    groups = {}
    for number, name in enumerate(PARTS):
        chosen = np.flatnonzero(is_here & (parts == number))
        rows = assignment.take(pa.array(chosen))
        positions = rows["position"].to_numpy().astype(np.int64)
        groups[name] = OwnPart(positions, rows["review_id"], rows["label"].to_numpy())
    return groups


def write_parts(
    store: Store, request: JoinRequest, assignment: pa.Table, parts: npt.NDArray[np.uint8]
) -> dict[str, StoredFile]:
    """Write what the trainings read: the archive's reviews of each part, and then the own ones in the shards' order."""
    schema = padded_schema(request.maxlen)
    with ExitStack() as stack:
        writers = {
            part: stack.enter_context(writing_table(store, f"{request.folder}/{part}-{{sha}}.parquet", schema))
            for part in PARTS
        }
        for part, file in request.padded.items():
            writers[part].write(store.read_table(file, schema))
        for number, dataset in enumerate(request.encoded):
            groups = group_parts(assignment, parts, number)
            _route_tokens(store, dataset.files["tokens"], request.maxlen, groups, writers)
    return {part: writer.published for part, writer in writers.items()}


def _route_tokens(
    store: Store, file: StoredFile, maxlen: int, groups: dict[str, OwnPart], writers: dict[str, TableWriter]
) -> None:
    first = 0
    for batch in iterate_table(store, file, token_schema(maxlen)):
        for part, group in groups.items():
            start, end = np.searchsorted(group.rows, [first, first + len(batch)])
            if start < end:
                tokens = batch.column("tokens").take(pa.array(group.rows[start:end] - first))
                columns = [
                    group.review_ids.slice(start, end - start).combine_chunks(),
                    tokens,
                    pa.array(group.labels[start:end]),
                ]
                writers[part].write(pa.table(columns, schema=padded_schema(maxlen)))
        first += len(batch)
