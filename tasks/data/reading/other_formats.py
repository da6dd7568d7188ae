"""Read JSON lines, JSON arrays, Parquet, fastText, and folders with a file a review."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.text import on_one_line
from tasks.data.reading.columns import normalise_name
from tasks.data.reading.layout import write_value
from tasks.data.reading.readings import Layout
from tasks.data.reading.rejects import SHOWN_CHARACTERS, Records
from tasks.data.reading.text_decoding import UNDECODABLE, read_blocks

ROWS_AT_ONCE = 8192
ARRAY_FILL = " \t\n\r,"
# A longer element of a JSON array is no review.
MAXIMUM_ELEMENT = 64 << 20
_FASTTEXT = re.compile(r"\s*((?:__label__\S+\s+)*__label__\S+)(?:\s+(.*))?$", re.DOTALL)

Row = tuple[int, dict[str, str]]
Broken = tuple[int, str, str]


class _Collector:
    """Gathers single records into `Records`."""

    def __init__(self, optional: Sequence[str]) -> None:
        self._names = ("text", "label", *optional)
        self._rows: list[Row] = []
        self._broken: list[Broken] = []
        self.number = 0

    def add(self, values: dict[str, str]) -> None:
        self.number += 1
        self._rows.append((self.number, values))

    def reject(self, reason: str, beginning: str) -> None:
        self.number += 1
        self._broken.append((self.number, reason, beginning[:SHOWN_CHARACTERS]))

    @property
    def is_full(self) -> bool:
        return len(self._rows) + len(self._broken) >= ROWS_AT_ONCE

    def take(self) -> Records:
        columns = {
            name: pa.array([values.get(name, "") for _, values in self._rows], pa.string()) for name in self._names
        }
        text, label = columns.pop("text"), columns.pop("label")
        rows = pa.array([number for number, _ in self._rows], pa.int64())
        records = Records(rows, text, label, columns, self._broken)
        self._rows, self._broken = [], []
        return records


def _read_lines(stream: BinaryIO, layout: Layout, skipped: int) -> Iterator[str]:
    """Yield the lines that are not empty."""
    rest = b""
    for block in read_blocks(stream, layout.encoding, skipped):
        *lines, rest = (rest + block).split(b"\n")
        yield from (line.decode() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode()


def _collect(
    lines: Iterator[Any], take: Callable[[_Collector, Any], None], layout: Layout, name: str, counted: Callable[[], int]
) -> Iterator[Records]:
    collector = _Collector(layout.optional)
    for line in lines:
        take(collector, line)
        if collector.is_full:
            yield collector.take()
    yield collector.take()
    if collector.number != counted():
        raise ValueError(
            f"{name} must be read whole. {counted():,} records were counted, and {collector.number:,} read."
        )


def read_json_lines(stream: BinaryIO, layout: Layout, skipped: int, name: str) -> Iterator[Records]:
    """Yield the records of JSON lines; a line that is no object is rejected."""
    lines, counter = _count(_read_lines(stream, layout, skipped))

    def take(collector: _Collector, line: str) -> None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        _take_object(collector, record, line, layout)

    return _collect(lines, take, layout, name, counter)


def _count(lines: Iterator[str]) -> tuple[Iterator[str], Callable[[], int]]:
    total = 0

    def count() -> Iterator[str]:
        nonlocal total
        for line in lines:
            total += 1
            yield line

    return count(), lambda: total


def _take_object(collector: _Collector, record: Any, shown: str, layout: Layout) -> None:
    if not isinstance(record, dict):
        collector.reject("not a JSON object", shown)
        return
    text = record.get(layout.text_column)
    label = record.get(layout.label_column)
    if text is not None and not isinstance(text, str):
        collector.reject("text is no text", shown)
    elif isinstance(label, (dict, list)):
        collector.reject("label is no plain value", shown)
    else:
        optional = {normalise_name(key): write_value(value) for key, value in record.items() if _is_plain(value)}
        values = {**optional, "text": text or "", "label": write_value(label)}
        collector.add({key: _whole_characters(value) for key, value in values.items()})


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def _whole_characters(text: str) -> str:
    """Return text without half characters, which JSON can hold and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", errors="replace").replace("\ufffd", UNDECODABLE)
    return text


def read_json_array(stream: BinaryIO, layout: Layout, skipped: int, name: str) -> Iterator[Records]:
    """Yield the records of a JSON array of objects, which is never held in memory as a whole."""
    total = 0

    def count() -> Iterator[Any]:
        nonlocal total
        for element in _iterate_array(stream, layout, skipped, name):
            total += 1
            yield element

    def take(collector: _Collector, record: Any) -> None:
        _take_object(collector, record, json.dumps(record, ensure_ascii=False)[:SHOWN_CHARACTERS], layout)

    return _collect(count(), take, layout, name, lambda: total)


def _iterate_array(stream: BinaryIO, layout: Layout, skipped: int, name: str) -> Iterator[Any]:
    decoder, text, place = json.JSONDecoder(), "", 0
    blocks = read_blocks(stream, layout.encoding, skipped)
    has_begun = is_over = False
    # Blocks end with whole characters.
    for block in blocks:
        text, place = text[place:] + block.decode(), 0
        if not has_begun:
            place = text.index("[") + 1
            has_begun = True
        while not is_over:
            while place < len(text) and text[place] in ARRAY_FILL:
                place += 1
            if place >= len(text):
                break
            if text[place] == "]":
                is_over = True
                place += 1
                break
            try:
                element, end = decoder.raw_decode(text, place)
            except (ValueError, RecursionError) as error:
                if len(text) - place > MAXIMUM_ELEMENT:
                    raise ValueError(
                        f"{name} must be a JSON array of objects. Received: {on_one_line(error)}"
                    ) from None
                break
            # A number at the end of a block may go on in the next one.
            if end == len(text) and not isinstance(element, dict):
                break
            yield element
            place = end
    if not is_over or text[place:].strip():
        raise ValueError(
            f"{name} must be a whole JSON array. It ends early, is damaged, or has something behind its end."
        )


def read_fasttext(stream: BinaryIO, layout: Layout, skipped: int, name: str) -> Iterator[Records]:
    """Yield the records of fastText's form: a label or several, and the text."""
    lines, counter = _count(_read_lines(stream, layout, skipped))

    def take(collector: _Collector, line: str) -> None:
        found = _FASTTEXT.match(line)
        if not found:
            collector.reject("no label", line)
        elif len(found[1].split()) > 1:
            collector.reject("more than one label", line)
        else:
            collector.add({"text": found[2] or "", "label": found[1]})

    return _collect(lines, take, layout, name, counter)


def read_parquet_file(path: Path, layout: Layout, name: str) -> Iterator[Records]:
    """Yield the records of a Parquet file."""
    first = 1
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        wanted = {"text": layout.text_column} | ({"label": layout.label_column} if layout.label_column else {})
        wanted |= {one: next(column for column in names if normalise_name(column) == one) for one in layout.optional}
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(dict.fromkeys(wanted.values())), use_threads=False):
            columns = {one: write_column(batch.column(column)) for one, column in wanted.items()}
            text = columns.pop("text")
            label = columns.pop("label", pa.repeat("", len(text)))
            yield Records(pa.array(range(first, first + len(batch)), pa.int64()), text, label, columns)
            first += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{name} must be a whole Parquet file. Received: {on_one_line(error)}") from None
    if first - 1 != file.metadata.num_rows:
        raise ValueError(f"{name} must hold {file.metadata.num_rows:,} records, as it says. {first - 1:,} were read.")


def write_column(column: pa.Array) -> pa.Array:
    """Return a column's values as text; "" for null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not pa.types.is_string(column.type):
        is_simple = pa.types.is_large_string(column.type) or pa.types.is_integer(column.type)
        is_date = pa.types.is_timestamp(column.type)
        if is_simple or is_date:
            column = pc.cast(column, pa.string())
        else:
            column = pa.array([write_value(value) for value in column.to_pylist()], pa.string())
    return pc.fill_null(column, "")


def read_folder(path: Path, layout: Layout, name: str) -> Iterator[Records]:
    """Yield the reviews of a folder with a file a review, by name; their labels are the folder's."""
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    decode = codecs.getdecoder(layout.encoding)

    def take(collector: _Collector, file: Path) -> None:
        text, _ = decode(file.read_bytes(), "mark undecodable")
        collector.add({"text": text.removeprefix("\ufeff"), "label": ""})

    return _collect(iter(files), take, layout, name, lambda: len(files))
