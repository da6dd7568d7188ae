"""What the steps on a team's own reviews hand each other."""

from __future__ import annotations

from dataclasses import dataclass

from storage.records import Dataset
from tasks.data.reading.readings import Reading


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
