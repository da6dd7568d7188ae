"""Read delimited text: CSV and its relatives, in blocks of whole records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from storage.text import on_one_line
from tasks.data.reading.columns import normalise_name
from tasks.data.reading.quoting import count_filled, find_record_ends, is_well_quoted
from tasks.data.reading.readings import Layout
from tasks.data.reading.rejects import SHOWN_CHARACTERS, Records
from tasks.data.reading.text_decoding import read_blocks

# Lines that a record with quotes that do not match may take, before its first line is rejected.
LONGEST_RECORD_LINES = 500
MAXIMUM_BLOCK_BYTES = 512 << 20


def read_delimited(stream: BinaryIO, layout: Layout, skipped: int, name: str) -> Iterator[Records]:
    """Yield the records of a file.

    Raises:
        ValueError: The records that were read are not as many as the line ends outside quotes say.
    """
    first, rest, is_beginning = 1, b"", layout.has_header
    for text, is_last in _mark_last(read_blocks(stream, layout.encoding, skipped)):
        content = rest + text
        is_good = _is_good(content, layout, is_last=is_last)
        if is_beginning:
            content = _skip_header(content, layout, is_good=is_good)
            is_beginning = False
        if is_good:
            cut = len(content) if is_last else _last_end(content, layout)
            records, number = _read_counted(content[:cut], layout, first, name)
        else:
            records, number, cut = _read_badly_quoted(content, layout, first, is_last=is_last)
        rest = content[cut:]
        if len(rest) > MAXIMUM_BLOCK_BYTES:
            raise ValueError(
                f"{name} must have records of at most {MAXIMUM_BLOCK_BYTES >> 20} MB. A longer one begins with "
                f"{on_one_line(repr(rest[:60].decode(errors='replace')))}; perhaps a quote is not closed."
            )
        if number:
            yield records
        first += number


def _mark_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    before = next(blocks, b"")
    for block in blocks:
        yield before, False
        before = block
    yield before, True


def _is_good(content: bytes, layout: Layout, *, is_last: bool) -> bool:
    """Return whether the records can be told apart by the quotes: every quote opens or closes a field."""
    if not layout.is_quoted or b'"' not in content:
        return True
    return is_well_quoted(content, layout.delimiter.encode()) and not (is_last and content.count(b'"') % 2)


def _last_end(content: bytes, layout: Layout) -> int:
    ends = find_record_ends(content, is_quoted=layout.is_quoted)
    return int(ends[-1]) if len(ends) else 0


def _skip_header(content: bytes, layout: Layout, *, is_good: bool) -> bytes:
    """Return the text behind the header, before which empty lines may stand."""
    content = content.lstrip(b"\n")
    ends = find_record_ends(content, is_quoted=layout.is_quoted and is_good)
    return content[ends[0] :] if len(ends) else b""


def _read_counted(content: bytes, layout: Layout, first: int, name: str) -> tuple[Records, int]:
    """Read whole records, and compare their number with that of the line ends outside quotes."""
    counted = count_filled(content, find_record_ends(content, is_quoted=layout.is_quoted))
    records, number = _read_block(content, layout, first) if counted else (_gather_none(layout), 0)
    if number != counted:
        raise ValueError(
            f"{name} must be read whole. From record {first:,} on, {counted:,} records were counted by line ends, "
            f"and {number:,} were read. Save the file as JSON lines or Parquet instead."
        )
    return records, number


def _gather_none(layout: Layout) -> Records:
    none = pa.array([], pa.string())
    return Records(pa.array([], pa.int64()), none, none, dict.fromkeys(layout.optional, none))


def _read_block(content: bytes, layout: Layout, first: int) -> tuple[Records, int]:
    """Return the records of a block, and how many they are."""
    broken: list[tuple[int, str, str]] = []

    def note(row: pa_csv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields instead of {row.expected_columns}"
        broken.append((first + row.number - 1, reason, row.text[:SHOWN_CHARACTERS]))
        return "skip"

    wanted = _wanted_columns(layout)
    table = pa_csv.read_csv(
        io.BytesIO(content),
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(content) + 1, column_names=list(layout.columns)
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char='"' if layout.is_quoted else False,
            double_quote=True,
            newlines_in_values=layout.is_quoted,
            invalid_row_handler=note,
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=list(wanted.values()),
            column_types=dict.fromkeys(wanted.values(), pa.string()),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    ).combine_chunks()
    number = len(table) + len(broken)
    rows = np.arange(first, first + number)
    if broken:
        rows = np.delete(rows, [row - first for row, *_ in broken])
    columns = {name: _one_array(table[column]) for name, column in wanted.items()}
    return _gather(pa.array(rows), columns, broken), number


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _wanted_columns(layout: Layout) -> dict[str, str]:
    """Return the file's name of each column that is read."""
    wanted = {"text": layout.text_column}
    if layout.label_column:
        wanted["label"] = layout.label_column
    return wanted | {
        name: next(column for column in layout.columns if normalise_name(column) == name) for name in layout.optional
    }


def _gather(rows: pa.Array, columns: dict[str, pa.Array], broken: list[tuple[int, str, str]]) -> Records:
    text = columns.pop("text")
    label = columns.pop("label", pa.repeat("", len(text)))
    return Records(rows, text, label, columns, broken)


def _read_badly_quoted(content: bytes, layout: Layout, first: int, *, is_last: bool) -> tuple[Records, int, int]:
    """Read a block in which a quote neither opens nor closes a field.

    Lines are taken together until they are a record with the right number of fields. The first line of what never
    becomes one is rejected. So one bad record costs itself alone.

    Returns:
        The records, how many they are, and the bytes that they take. The rest of the block may be half a record.
    """
    lines, place, number = content.decode().split("\n"), 0, first
    whole = len(lines) if is_last else len(lines) - 1
    wanted, names = _wanted_columns(layout), list(layout.columns)
    found: list[Sequence[str]] = []
    rows: list[int] = []
    broken: list[tuple[int, str, str]] = []
    while place < whole:
        if not lines[place]:
            place += 1
            continue
        fields, taken = _take_record(lines[place : min(whole, place + LONGEST_RECORD_LINES)], layout, len(names))
        if fields is None and taken == 0:
            if not is_last and whole - place < LONGEST_RECORD_LINES and found:
                break
            taken = 1
        if fields is None:
            broken.append((number, "quotes that do not match", lines[place][:SHOWN_CHARACTERS]))
        else:
            found.append(fields)
            rows.append(number)
        place, number = place + taken, number + 1
    columns = {
        name: pa.array([fields[names.index(column)] for fields in found], pa.string())
        for name, column in wanted.items()
    }
    rest = "\n".join(lines[place:]).encode()
    return _gather(pa.array(rows, pa.int64()), columns, broken), number - first, len(content) - len(rest)


def _take_record(lines: Sequence[str], layout: Layout, width: int) -> tuple[list[str] | None, int]:
    """Return the fields of the record that begins at the first line, and the number of its lines.

    Without a record, the number is 1 if the first line is a broken record by itself, and 0 if more lines might help.
    """
    delimiter = layout.delimiter
    record = ""
    for taken, line in enumerate(lines, 1):
        record = f"{record}\n{line}" if taken > 1 else line
        if record.count('"') % 2 == 0 and ('"' not in record or is_well_quoted(record.encode(), delimiter.encode())):
            fields = next(csv.reader(io.StringIO(record, newline="\n"), delimiter=delimiter))
            if len(fields) == width:
                return fields, taken
            if taken == 1:
                return None, 1
    return None, 0
