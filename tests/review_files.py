"""Write review files of the kinds that people keep, and read them as a run does."""

from __future__ import annotations

from pathlib import Path

from tasks.data.reading.read_file import read_file
from tasks.data.reading.readings import Reading, ReadingOptions
from tasks.data.reading.source_files import hash_file, list_source_files

GOOD, BAD = "A fine film, and I would see it again.", "A dull film; not one scene is worth the time."


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file, and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **options: str) -> tuple[Reading, list[dict], list[dict]]:
    """Return what was found in a file, its accepted records and its rejected ones."""
    accepted: list[dict] = []
    rejected: list[dict] = []

    def take(batch):
        accepted.extend(batch.accepted.to_pylist())
        rejected.extend(batch.rejected.to_pylist())

    [file] = list_source_files(str(path), None, path.parent)
    return read_file(file, ReadingOptions(**options), take, hash_file(file)), accepted, rejected


def texts_of(records: list[dict]) -> list[str]:
    return [record["text"] for record in records]
