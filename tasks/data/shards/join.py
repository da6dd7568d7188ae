"""Join the padded reviews of an archive and of the shards into what the trainings read, and profile the own ones.

Runs in a child process, which frees its memory when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.sections.data_section import PartFacts
from storage.archive import Reviews, read_reviews
from storage.records import Dataset, StoredFile
from storage.schemas import (
    ASSIGNMENT_SCHEMA,
    ENCODED_SCHEMA,
    SAMPLE_SCHEMA,
    padded_schema,
    token_schema,
)
from storage.store import Store
from storage.table_streams import TableWriter, iterate_table, writing_table
from tasks.data.parts.assignment import LEFT_OUT, PARTS, TEST
from tasks.data.parts.near_duplicates import find_near_duplicates
from tasks.data.shards.encode_shards import hash_contents
from tasks.data.shards.profile_own import describe_part, tabulate_test
from tasks.data.shards.shard import Shard
from tasks.processes.messages import Event, Job, get_adapter

# Raise it when the same inputs give other files than before.
VERSION = 1
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
    return np.unique(np.concatenate([hash_contents(*without_markup(part)) for part in parts]))


def without_markup(part: Reviews) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
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


def find_repeats(
    store: Store, shards: Sequence[Shard], assignment: pa.Table, parts: npt.NDArray[np.uint8]
) -> tuple[set[bytes], int]:
    """Return the keys of test reviews that nearly repeat a review of another part, and how many were compared.

    Args:
        store: The store that has the shards.
        shards: The shards.
        assignment: Of `ASSIGNMENT_SCHEMA`.
        parts: The part of each of its rows.
    """
    tables = [store.read_table(shard.dataset.files["sample"], SAMPLE_SCHEMA) for shard in shards]
    sample = pa.concat_tables(tables).combine_chunks()
    keys = sample["key"].cast(pa.binary()).combine_chunks()
    # Those with the lowest keys, of all shards; a shard has its own lowest ones only.
    lowest = pc.sort_indices(keys)[:NEAR_DUPLICATE_SAMPLE].to_numpy()
    places = pc.index_in(keys.take(pa.array(lowest)), assignment["key"].cast(pa.binary()).combine_chunks())
    is_used = places.is_valid().to_numpy(zero_copy_only=False)
    chosen = lowest[is_used]
    part = parts[places.drop_null().to_numpy()]
    texts = sample["text"].combine_chunks()
    signatures = np.frombuffer(b"".join(sample["signature"].to_pylist()), np.uint64).reshape(len(sample), -1)
    test, others = chosen[part == TEST], chosen[part < TEST]
    found = find_near_duplicates(
        (texts.take(pa.array(test)), signatures[test]), (texts.take(pa.array(others)), signatures[others])
    )
    repeated = set(keys.take(pa.array(test[found])).to_pylist())
    return repeated, len(test) + len(others)


def read_counts(store: Store, encoded: Sequence[Dataset], assignment: pa.Table) -> pa.Table:
    """Return for each row of the assignment its row of `ENCODED_SCHEMA`."""
    tables = []
    shard, position = assignment["shard"].to_numpy(), assignment["position"].to_numpy()
    for number, dataset in enumerate(encoded):
        counts = store.read_table(dataset.files["counts"], ENCODED_SCHEMA)
        tables.append(counts.take(pa.array(position[shard == number])))
    return pa.concat_tables(tables).combine_chunks()


def main(request: JoinRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Publish "train", "validation" and "test", the table "own_reviews", and "facts"."""
    store = Store(request.store)
    assignment = store.read_table(request.assignment, ASSIGNMENT_SCHEMA)
    counts = read_counts(store, request.encoded, assignment)
    parts, labels = assignment["part"].to_numpy().copy(), assignment["label"].to_numpy()
    in_archive = 0
    if request.archive is not None:
        known = hash_archive(store.read_verified(request.archive), request.archive_source)
        is_known = np.isin(counts["content"].to_numpy(), known) & (parts != LEFT_OUT)
        parts[is_known], in_archive = LEFT_OUT, int(is_known.sum())
    _check_parts(request, parts)
    files = write_parts(store, request, assignment, parts)
    near, compared = find_repeats(store, request.shards, assignment, parts)
    everything = int((parts != LEFT_OUT).sum())
    facts = JoinFacts(
        parts={
            name: describe_part(
                counts.filter(pa.array(parts == number)),
                labels[parts == number],
                _count_repeats(assignment, parts == number),
            )
            for number, name in enumerate(PARTS)
        },
        in_archive=in_archive,
        near_duplicates=len(near),
        compared=compared,
    )
    table = tabulate_test(assignment, counts, parts, near, is_complete=compared >= everything)
    written: bytes = get_adapter(JoinFacts).dump_json(facts)
    return {
        **files,
        "own_reviews": store.write_table(f"{request.folder}/own_reviews-{{sha}}.parquet", table),
        "facts": store.write_bytes_by_hash(f"{request.folder}/facts-{{sha}}.json", written),
        # So that the report finds the words of a review.
        **{f"texts-{number}": shard.dataset.files["texts"] for number, shard in enumerate(request.shards)},
    }


def _check_parts(request: JoinRequest, parts: npt.NDArray[np.uint8]) -> None:
    """Raise a ValueError if own reviews alone leave a part empty. Beside an archive, the archive fills it."""
    counts = {name: int((parts == number).sum()) for number, name in enumerate(PARTS)}
    if not request.padded and not all(counts.values()):
        shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise ValueError(
            f"The reviews of {request.shards[0].dataset.source} must fill the three parts. Received: {shown}. Add some."
        )


def _count_repeats(assignment: pa.Table, chosen: npt.NDArray[np.bool_]) -> int:
    keys = assignment["key"].cast(pa.binary()).filter(pa.array(chosen))
    return len(keys) - int(pc.count_distinct(keys).as_py())


JOB = Job(__name__, JoinRequest, dict[str, StoredFile])
