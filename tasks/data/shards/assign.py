"""Give each review of the shards a label and a part. Runs in a child process, which frees its memory when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.sections.own_reviews_section import FileFacts
from storage.records import StoredFile
from storage.schemas import ASSIGNMENT_SCHEMA, FACT_SCHEMA, REJECTED_SCHEMA
from storage.store import Store
from tasks.data.parts.assignment import AssignmentFacts, assign_parts, find_repeated_ids
from tasks.data.reading.labels import choose_labels, name_meanings, show_counts
from tasks.data.reading.layout import check_same_layout, describe_layout
from tasks.data.reading.readings import sum_counts
from tasks.data.shards.shard import Shard
from tasks.processes.messages import Event, Job, get_adapter

# Raise it when the same shards and parameters give other parts than before.
VERSION = 1
REPEATED_ID = "review_id repeats an earlier one"


@dataclass(frozen=True)
class AssignRequest:
    """The request to assign the reviews of some shards.

    Attributes:
        shards: The shards of the source, in the order of their names.
        label_map: As the user gave it, or None.
        validation_fraction: Share of the reviews that are not test reviews.
        store: URI of the store.
        folder: For the new files, in the store.
    """

    shards: tuple[Shard, ...]
    label_map: str | None
    validation_fraction: float
    store: str
    folder: str


@dataclass(frozen=True)
class AssignmentSummary:
    """What became of the records of all source files.

    Attributes:
        records: Records read.
        labels: By label, as the files write it: how many reviews have it, the most frequent first.
        meaning: By label: "negative", "positive" or "left out".
        rejected: Number of rejected records by reason.
        parts: How the reviews were assigned.
        files: What was read from each source file.
    """

    records: int
    labels: dict[str, int]
    meaning: dict[str, str]
    rejected: dict[str, int]
    parts: AssignmentFacts
    files: tuple[FileFacts, ...]


def read_facts(store: Store, shards: Sequence[Shard]) -> pa.Table:
    """Return the facts of all shards, with the columns `file`, `shard` and `position` beside."""
    tables = []
    for number, shard in enumerate(shards):
        facts = store.read_table(shard.dataset.files["facts"], FACT_SCHEMA)
        rows = len(facts)
        facts = facts.append_column("file", pa.repeat(shard.name, rows).dictionary_encode())
        facts = facts.append_column("shard", pa.repeat(pa.scalar(number, pa.int32()), rows))
        tables.append(facts.append_column("position", pa.array(np.arange(rows, dtype=np.int32))))
    return pa.concat_tables(tables)


def map_labels(labels: pa.ChunkedArray, meaning: Mapping[str, int | None]) -> npt.NDArray[np.int8]:
    """Return for each label 0, 1, or -1 if the map leaves it out: int8, shape (reviews,)."""
    values = pa.array(list(meaning))
    codes = np.array([-1 if code is None else code for code in meaning.values()], np.int8)
    places = pc.index_in(labels, values).to_numpy()
    mapped: npt.NDArray[np.int8] = codes[places]
    return mapped


def main(request: AssignRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Publish "assignment", "rejected" and "summary" of all shards."""
    store, shards = Store(request.store), request.shards
    check_same_layout({shard.name: shard.reading.layout for shard in shards})
    counts = sum_counts(shard.reading.labels for shard in shards)
    meaning = choose_labels(counts, request.label_map)
    facts = read_facts(store, shards)
    repeated = find_repeated_ids(facts["review_id"])
    labels = map_labels(facts["label"], meaning)
    kept = (labels >= 0) & ~repeated
    if not kept.any():
        source, reasons = shards[0].dataset.source, sum_counts(shard.reading.rejected for shard in shards)
        raise ValueError(f"{source} must hold reviews. No record of it is one. Rejected: {show_counts(reasons)}.")
    rejected = _gather_rejected(store, shards, facts.filter(pa.array(repeated)))
    facts = facts.filter(pa.array(kept)).combine_chunks()
    assignment = assign_parts(facts, labels[kept].astype(np.uint8), validation_fraction=request.validation_fraction)
    table = pa.table(
        {
            "review_id": assignment.review_ids,
            **{name: facts[name] for name in ("key", "shard", "position")},
            "label": pa.array(labels[kept].astype(np.uint8)),
            "part": pa.array(assignment.parts),
            "created_at": facts["created_at"],
        },
        schema=ASSIGNMENT_SCHEMA,
    )
    summary = AssignmentSummary(
        records=sum(shard.reading.records for shard in shards),
        labels=counts,
        meaning=name_meanings(meaning),
        rejected=dict(Counter(rejected["reason"].to_pylist()).most_common()),
        parts=assignment.facts,
        files=tuple(map(_describe_file, shards)),
    )
    written: bytes = get_adapter(AssignmentSummary).dump_json(summary)
    return {
        "assignment": store.write_table(f"{request.folder}/assignment-{{sha}}.parquet", table),
        "rejected": store.write_table(f"{request.folder}/rejected-{{sha}}.parquet", rejected),
        "summary": store.write_bytes_by_hash(f"{request.folder}/summary-{{sha}}.json", written),
    }


def _describe_file(shard: Shard) -> FileFacts:
    reading = shard.reading
    layout = reading.layout
    columns = (layout.text_column, layout.label_column)
    rejected = sum(reading.rejected.values())
    return FileFacts(
        shard.name,
        shard.fingerprint,
        reading.sha256,
        describe_layout(layout),
        columns,
        reading.records,
        reading.accepted,
        rejected,
    )


def _gather_rejected(store: Store, shards: Sequence[Shard], repeated: pa.Table) -> pa.Table:
    """Return the rejected records of all shards, and those whose review_id is not their own."""
    tables = [store.read_table(shard.dataset.files["rejected"], REJECTED_SCHEMA) for shard in shards]
    columns = [
        repeated["file"].cast(pa.string()),
        repeated["row"],
        pa.repeat(REPEATED_ID, len(repeated)),
        repeated["review_id"],
    ]
    return pa.concat_tables([*tables, pa.table(columns, schema=REJECTED_SCHEMA)])


JOB = Job(__name__, AssignRequest, dict[str, StoredFile])
