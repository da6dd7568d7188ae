"""Read delimited text: CSV and its relatives, in blocks of whole records."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from storage.text import on_one_line
from tasks.data.reading.columns import normalise_name
from tasks.data.reading.delimited_layout import look_of
from tasks.data.reading.header import REPEATED
from tasks.data.reading.quote_votes import RecordLook
from tasks.data.reading.quoting import QuotedFields, count_filled, find_quoted_fields, find_record_ends
from tasks.data.reading.readings import Layout
from tasks.data.reading.rejects import SHOWN_CHARACTERS, Records
from tasks.data.reading.text_decoding import read_blocks
from tasks.data.reading.unmatched_quotes import RecordTaker

# Lines that a record with quotes that do not match may take, before its first line is rejected.
LONGEST_RECORD_LINES = 500
MAXIMUM_BLOCK_BYTES = 512 << 20
UNMATCHED, REPEATED_HEADER = "quotes that do not match", "repeats the header"


def read_delimited(stream: BinaryIO, layout: Layout, skipped: int, name: str) -> Iterator[Records]:
    """Yield the records of a file.

    Raises:
        ValueError: The records that were read are not as many as the line ends outside quotes say.
    """
    first, rest, is_beginning, look = 1, b"", True, look_of(layout)
    for text, is_last in _mark_last(read_blocks(stream, layout.encoding, skipped)):
        content = rest + text
        if is_beginning:
            content, is_beginning = _skip_header(content, layout), False
        fields, done = _find_whole(content, layout, is_last=is_last)
        is_odd = layout.has_odd_quotes and fields is not None and _are_odd(content[:done], fields, look)
        if not is_odd:
            records, number = _read_counted(content[:done], fields, layout, first, name)
        else:
            records, number, done = _read_badly_quoted(content, layout, first, is_last=is_last)
        rest = content[done:]
        if len(rest) > MAXIMUM_BLOCK_BYTES:
            raise ValueError(
                f"{name} must have records of at most {MAXIMUM_BLOCK_BYTES >> 20} MB. A longer one begins with "
                f"{on_one_line(repr(rest[:60].decode(errors='replace')))}; perhaps a quote is not closed."
            )
        if number:
            yield _reject_headers(records, layout)
        first += number


def _mark_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    before = next(blocks, b"")
    for block in blocks:
        yield before, False
        before = block
    yield before, True


def _find_whole(content: bytes, layout: Layout, *, is_last: bool) -> tuple[QuotedFields | None, int]:
    """Return the fields in quotes of the whole records of a block, and where these end. None if quotes mean nothing."""
    done = len(content) if is_last else content.rfind(b"\n") + 1
    if not layout.is_quoted or b'"' not in content:
        return None, done
    fields = find_quoted_fields(content[:done], layout.delimiter)
    if not is_last:
        done = fields.find_open_record(content[:done])
    return fields.before(done), done


def _are_odd(content: bytes, fields: QuotedFields, look: RecordLook) -> bool:
    """Return whether a field in quotes is not sound, or holds lines that are records by themselves."""
    return not fields.is_sound(len(content)).all() or bool(look.find_swallowing(content, fields).any())


def _skip_header(content: bytes, layout: Layout) -> bytes:
    """Return the text behind the header, before which empty lines and a title may stand."""
    content = content.lstrip(b"\n")
    for _ in range(layout.preamble):
        content = content.partition(b"\n")[2].lstrip(b"\n")
    if not layout.has_header:
        return content
    fields = find_quoted_fields(content, layout.delimiter) if layout.is_quoted else None
    ends = find_record_ends(content, fields)
    return content[ends[0] :] if len(ends) else b""


def _reject_headers(records: Records, layout: Layout) -> Records:
    """Reject records that are the header again, as in a file that others were appended to."""
    if not layout.has_header:
        return records
    is_header = pc.equal(pc.utf8_trim_whitespace(records.label), layout.label_column)
    if not pc.any(is_header).as_py():
        return records
    names = pc.utf8_trim(records.text, characters=REPEATED)
    is_header = pc.and_(is_header, pc.equal(names, layout.text_column))
    rows = records.rows.filter(is_header).to_pylist()
    kept = pc.invert(is_header)
    optional = {name: values.filter(kept) for name, values in records.optional.items()}
    broken = [*records.broken, *((row, REPEATED_HEADER, layout.text_column) for row in rows)]
    return Records(records.rows.filter(kept), records.text.filter(kept), records.label.filter(kept), optional, broken)


def _read_counted(
    content: bytes, fields: QuotedFields | None, layout: Layout, first: int, name: str
) -> tuple[Records, int]:
    """Read whole records, and compare their number with that of the line ends outside quotes."""
    counted = count_filled(content, find_record_ends(content, fields))
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
    """Read a block in which a quote neither opens nor closes a field, or closes one that another text opened.

    Lines are taken together until they are a record with the right number of fields. The first line of what never
    becomes one is rejected. So one bad record costs itself alone.

    Returns:
        The records, how many they are, and the bytes that they take. The rest of the block may be half a record.
    """
    lines, place, number = content.decode().split("\n"), 0, first
    whole = len(lines) if is_last else len(lines) - 1
    names, taker = list(layout.columns), RecordTaker(layout)
    found: list[Sequence[str]] = []
    rows: list[int] = []
    broken: list[tuple[int, str, str]] = []
    while place < whole:
        if not lines[place]:
            place += 1
            continue
        fields, taken = taker.take(lines[place : min(whole, place + LONGEST_RECORD_LINES)])
        if not taken:
            if not is_last and whole - place < LONGEST_RECORD_LINES and found:
                break
            taken = 1
        if fields is None:
            broken.append((number, UNMATCHED, lines[place][:SHOWN_CHARACTERS]))
        elif len(fields) != len(names):
            reason = f"{len(fields)} fields instead of {len(names)}"
            broken.append((number, reason, lines[place][:SHOWN_CHARACTERS]))
        else:
            found.append(fields)
            rows.append(number)
        place, number = place + taken, number + 1
    columns = {
        name: pa.array([fields[names.index(column)] for fields in found], pa.string())
        for name, column in _wanted_columns(layout).items()
    }
    rest = "\n".join(lines[place:]).encode()
    return _gather(pa.array(rows, pa.int64()), columns, broken), number - first, len(content) - len(rest)
