"""What the steps on a team's own reviews hand each other, and what they say of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.records import Dataset
from storage.text import on_one_line
from tasks.data.reading.labels import show_counts
from tasks.data.reading.layout import describe_layout
from tasks.data.reading.readings import Reading, SourceFile, sum_counts


@dataclass(frozen=True)
class Shard:
    """One source file, as it was read and stored.

    Attributes:
        name: Of the source file.
        fingerprint: Of the source file when it was read.
        reading: What was found in it.
        dataset: The stored tables: "facts", "texts", "sample", "rejected", and "reading" as JSON.
        is_cached: Whether it was stored before this run.
    """

    name: str
    fingerprint: str
    reading: Reading
    dataset: Dataset
    is_cached: bool


@dataclass(frozen=True)
class SeenFile:
    """A source file as an earlier run saw it.

    Attributes:
        name: Of the source file.
        fingerprint: Of the source file at that time.
        sha256: Of its content at that time.
    """

    name: str
    fingerprint: str
    sha256: str


def recall_hashes(files: Iterable[SourceFile], seen: Iterable[SeenFile]) -> dict[str, str]:
    """Return by name the SHA-256 of the files that an earlier run saw, and that look unchanged."""
    known = {(one.name, one.fingerprint): one.sha256 for one in seen}
    return {file.name: known[key] for file in files if (key := (file.name, file.fingerprint)) in known}


def group_files(files: Sequence[SourceFile], most_bytes: int = 64 << 20) -> list[list[SourceFile]]:
    """Return the files in groups of at most `most_bytes`, or of one larger file.

    A process reads one group. It gives all of its memory back when it ends.
    """
    groups: list[list[SourceFile]] = []
    size = most_bytes
    for file in files:
        if size + file.bytes > most_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.bytes
    return groups


def describe_shards(shards: Sequence[Shard]) -> str:
    """Return in words how much was read.

    Example: "3 files, 1 of them new; 30,000 reviews, 12 records rejected".
    """
    new = sum(not shard.is_cached for shard in shards)
    accepted = sum(shard.reading.accepted for shard in shards)
    rejected = sum(sum(shard.reading.rejected.values()) for shard in shards)
    files = f"{len(shards):,} {'file' if len(shards) == 1 else 'files'}, {new:,} of them new"
    return f"{files}; {accepted:,} reviews, {rejected:,} records rejected"


def describe_guesses(shards: Sequence[Shard]) -> str:
    """Return in words how the files are laid out and which labels they have.

    Example: "csv, utf-8, comma, with a header; text in review, label in sentiment; labels positive (25), negative (5)".
    """
    layout = shards[0].reading.layout
    label = f"in {layout.label_column}" if layout.label_column else "by folder"
    columns = f"text in {layout.text_column}, label {label}"
    counts = show_counts(sum_counts(shard.reading.labels for shard in shards))
    return on_one_line(f"{describe_layout(layout)}; {columns}; labels {counts}")


def tabulate_shards(shards: Sequence[Shard]) -> list[dict[str, str | int]]:
    """Return one row for each source file: what was read, why records were rejected, and the first ten labels."""
    return [
        {
            "file": shard.name,
            "format": shard.reading.layout.format,
            "records": shard.reading.records,
            "accepted": shard.reading.accepted,
            "rejected": sum(shard.reading.rejected.values()),
            "why": "; ".join(f"{reason}: {count:,}" for reason, count in shard.reading.rejected.items()),
            "labels": "; ".join(f"{label}: {count:,}" for label, count in list(shard.reading.labels.items())[:10]),
        }
        for shard in shards
    ]


def hash_keys(datasets: Iterable[Dataset]) -> str:
    """Return the SHA-256 of the keys of some datasets, in their order, as 64 hexadecimal digits."""
    return hashlib.sha256(" ".join(dataset.key for dataset in datasets).encode()).hexdigest()
