"""Read one file of reviews: whatever wrote it, every record is accepted or rejected with a reason, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.reading.delimited import read_delimited
from tasks.data.reading.labels import show_counts
from tasks.data.reading.layout import find_layout
from tasks.data.reading.opening import open_bytes
from tasks.data.reading.other_formats import (
    read_fasttext,
    read_folder,
    read_json_array,
    read_json_lines,
    read_parquet_file,
)
from tasks.data.reading.readings import Layout, Reading, ReadingOptions, SourceFile
from tasks.data.reading.rejects import Batch, Records, sift_records
from tasks.data.reading.source_files import check_unchanged, fetch
from tasks.data.reading.text_decoding import BOMS

MAXIMUM_LABELS = 1000
_STREAM_READERS = {
    "csv": read_delimited,
    "json lines": read_json_lines,
    "json array": read_json_array,
    "fasttext": read_fasttext,
}


def read_file(file: SourceFile, options: ReadingOptions, pass_on: Callable[[Batch], None], sha256: str) -> Reading:
    """Read a file, and pass its records on in batches.

    Args:
        file: The file.
        options: What the user said of it.
        pass_on: Called with each batch.
        sha256: The file's hash, for the result.

    Raises:
        ValueError: The file cannot be read without the user's help, or changed while it was read.
    """
    path = fetch(file)
    layout = find_layout(path, file.name, options, file.label)
    labels: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for batch in read_batches(file, path, layout):
        _count_values(labels, batch.accepted["label"])
        _count_values(rejected, batch.rejected["reason"])
        if len(labels) > MAXIMUM_LABELS:
            raise ValueError(
                f"{file.name} must have at most {MAXIMUM_LABELS:,} different labels. {layout.label_column} has "
                f"more: {show_counts(dict(labels))}. Give --label-column."
            )
        pass_on(batch)
    check_unchanged(file)
    records = labels.total() + rejected.total()
    return Reading(file.name, sha256, layout, records, dict(labels.most_common()), dict(rejected.most_common()))


def _count_values(counter: Counter[str], column: pa.ChunkedArray) -> None:
    for one in pc.value_counts(column).to_pylist():
        counter[one["values"]] += one["counts"]


def read_batches(file: SourceFile, path: Path, layout: Layout) -> Iterator[Batch]:
    """Yield the accepted and the rejected records of a file, in its order."""
    for records in read_records(path, layout, file.name):
        yield sift_records(_add_what_the_folder_says(records, file), file.name, layout.encoding or "text")


def read_records(path: Path, layout: Layout, name: str) -> Iterator[Records]:
    """Yield the records of a file as they are, in its order."""
    if layout.format == "folder":
        yield from read_folder(path, layout, name)
    elif layout.format == "parquet":
        yield from read_parquet_file(path, layout, name)
    else:
        with open_bytes(path, name) as stream:
            yield from _STREAM_READERS[layout.format](stream, layout, _length_of_mark(path, name, layout), name)


def _length_of_mark(path: Path, name: str, layout: Layout) -> int:
    with open_bytes(path, name) as stream:
        beginning = stream.read(4)
    return next((len(bom) for bom, found in BOMS if beginning.startswith(bom) and layout.encoding == found), 0)


def _add_what_the_folder_says(records: Records, file: SourceFile) -> Records:
    if file.label is not None:
        records = replace(records, label=pa.array([file.label] * len(records.text), pa.string()))
    if file.split is not None:
        split = pa.array([file.split] * len(records.text), pa.string())
        records = replace(records, optional={**records.optional, "split": split})
    return records
