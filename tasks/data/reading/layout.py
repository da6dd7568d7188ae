"""Find out how a file of reviews is laid out, from its beginning."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.text import on_one_line
from tasks.data.reading.columns import MAXIMUM_COLUMNS, choose_columns, find_optional
from tasks.data.reading.delimited_layout import find_delimited, look_of, settle_quoting
from tasks.data.reading.opening import find_compression, open_bytes
from tasks.data.reading.quote_votes import QuoteVotes
from tasks.data.reading.readings import NAMES_OF_DELIMITERS, Layout, ReadingOptions
from tasks.data.reading.sample_rows import ROWS as SAMPLE_ROWS
from tasks.data.reading.text_decoding import find_encoding, read_blocks

SAMPLE_BYTES = 4 << 20
PARQUET = b"PAR1"
FASTTEXT = "__label__"
# The columns of JSON lines, of a JSON array and of fastText, by the format's name.
TEXT, LABEL = "text", "label"


def find_layout(path: Path, name: str, options: ReadingOptions, label: str | None = None) -> Layout:
    """Return how a file is laid out.

    Args:
        path: The file; of a folder with a file a review, the folder.
        name: Its name for error messages.
        options: What the user said.
        label: The label of all its reviews if the folder says so; else None.

    Raises:
        ValueError: The file is empty or ambiguous, or of a kind that cannot hold reviews.
    """
    needs_label = label is None
    if path.is_dir():
        return Layout("folder", (TEXT,), TEXT, "", encoding=options.encoding or "utf-8")
    compression = find_compression(path)
    with open_bytes(path, name) as stream:
        beginning = stream.read(SAMPLE_BYTES)
        is_whole = not stream.read(1)
    if not beginning.strip(b"\xef\xbb\xbf\xff\xfe \r\n\t"):
        raise ValueError(f"{name} must hold reviews. It is empty.")
    if beginning.startswith(PARQUET):
        if compression:
            raise ValueError(f"{name} must be a plain Parquet file, which is compressed inside. Decompress it.")
        return _find_parquet(path, name, options, needs_label=needs_label)
    encoding, skipped = find_encoding(beginning, options.encoding, name)
    text = b"".join(read_blocks(io.BytesIO(beginning), encoding, skipped)).decode()
    if not is_whole:
        text = text[: text.rfind("\n") + 1] or text
    found = _find_text(text, name, options, needs_label=needs_label)
    if found.format == "csv" and not is_whole and options.quoting is None:
        with open_bytes(path, name) as stream:
            votes = QuoteVotes(look_of(found))
            votes.add_all(read_blocks(stream, encoding, skipped, is_checked=True))
        if settle_quoting(votes, name) != found.is_quoted:
            # The beginning gave no hint, or the wrong one.
            given = replace(
                options,
                delimiter=NAMES_OF_DELIMITERS[found.delimiter],
                quoting="none" if found.is_quoted else "csv",
            )
            found = find_delimited(text, name, given, needs_label=needs_label)
        found = replace(found, has_odd_quotes=votes.are_odd)
    return replace(found, compression=compression, encoding=encoding)


def describe_layout(layout: Layout) -> str:
    """Return a layout in words.

    Example: "csv, gzip, utf-8, comma, quoted, with a header".
    """
    words = [layout.format, layout.compression, layout.encoding]
    if layout.format == "csv":
        words += [
            NAMES_OF_DELIMITERS[layout.delimiter],
            "quoted" if layout.is_quoted else "",
            "with a header" if layout.has_header else "no header",
            f"lines before it: {layout.preamble}" if layout.preamble else "",
        ]
    return ", ".join(filter(None, words))


def check_same_layout(layouts: Mapping[str, Layout]) -> None:
    """Raise a ValueError if the files of a source do not have the same format and the same columns."""
    first_name, first = next(iter(layouts.items()))
    for name, layout in layouts.items():
        for what, one, other in (
            ("the same format", first.format, layout.format),
            ("the same column of texts", first.text_column, layout.text_column),
            ("the same column of labels", first.label_column, layout.label_column),
            ("the same optional columns", ", ".join(first.optional) or "none", ", ".join(layout.optional) or "none"),
        ):
            if one != other:
                raise ValueError(
                    f"All files of a source must have {what}. {first_name} has {on_one_line(one)}, and {name} has "
                    f"{on_one_line(other)}. Give one of them, or name the columns."
                )


def _find_parquet(path: Path, name: str, options: ReadingOptions, *, needs_label: bool) -> Layout:
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        batch = next(file.iter_batches(SAMPLE_ROWS, columns=_readable_columns(schema)), None)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{name} must be a whole Parquet file. Received: {on_one_line(error)}") from None
    for option, column in (("text-column", options.text_column), ("label-column", options.label_column)):
        if column in schema.names and column not in _readable_columns(schema):
            kind = schema.field(column).type
            raise ValueError(f"{name}: the column that --{option} names must hold plain values. It holds {kind}.")
    if batch is None or not len(batch):
        raise ValueError(f"{name} must hold reviews. It is empty.")
    names = batch.schema.names
    columns = [[write_value(value) for value in batch.column(one).to_pylist()] for one in names]
    rows = list(zip(*columns, strict=True))
    chosen = choose_columns(names, rows, options, name, needs_label=needs_label)
    optional = find_optional(names)
    return Layout("parquet", tuple(schema.names), chosen.text, chosen.label, optional, has_header=True)


def _readable_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold one plain value a row."""

    def is_plain(kind: pa.DataType) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    plain = [field.name for field in schema if is_plain(field.type)]
    if len(schema.names) > MAXIMUM_COLUMNS or len(set(schema.names)) < len(schema.names):
        raise ValueError(
            f"A file of reviews must have at most {MAXIMUM_COLUMNS:,} columns with different names. "
            f"Received: {len(schema.names):,} columns."
        )
    return plain


def write_value(value: Any) -> str:
    """Return a value of JSON or Parquet as text; "" if there is none.

    Example:
        >>> write_value(True), write_value(5.0), write_value(None), write_value("  so ")
        ('true', '5.0', '', '  so ')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _find_text(text: str, name: str, options: ReadingOptions, *, needs_label: bool) -> Layout:
    """Return the layout of a file's text."""
    start = text.lstrip()
    if start.startswith(FASTTEXT):
        return Layout("fasttext", (LABEL, TEXT), TEXT, LABEL)
    if start.startswith(("{", "[")) and (found := _find_json(start, name, options, needs_label=needs_label)):
        return found
    return find_delimited(text, name, options, needs_label=needs_label)


def _find_json(text: str, name: str, options: ReadingOptions, *, needs_label: bool) -> Layout | None:
    """Return the layout of JSON; None if the text only begins as JSON does."""
    is_array = text.startswith("[")
    records = _first_of_array(text) if is_array else _first_of_lines(text)
    objects = [record for record in records[:SAMPLE_ROWS] if isinstance(record, dict)]
    if not objects and not is_array:
        return None
    if not objects:
        first = type(records[0]).__name__ if records else "nothing that can be read"
        raise ValueError(f"{name} must be a JSON array of objects, or JSON lines. Its first element is {first}.")
    names = list(dict.fromkeys(key for record in objects for key in record))
    if len(names) > MAXIMUM_COLUMNS:
        raise ValueError(f"{name} must have at most {MAXIMUM_COLUMNS:,} columns. It has {len(names):,} or more.")
    nested = Counter(key for record in objects for key, value in record.items() if isinstance(value, (dict, list)))
    plain = [key for key in names if 2 * nested[key] < len(objects)]
    rows = [[write_value(record.get(key)) for key in plain] for record in objects]
    chosen = choose_columns(plain, rows, options, name, needs_label=needs_label)
    kind = "json array" if is_array else "json lines"
    return Layout(kind, tuple(names), chosen.text, chosen.label, find_optional(plain))


def _first_of_lines(text: str) -> list[Any]:
    records: list[Any] = []
    for line in text.split("\n"):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                records.append(None)
        if len(records) >= SAMPLE_ROWS:
            break
    if records and records[0] is None and text.rstrip().endswith("}"):
        # One object over several lines is neither of the two forms.
        raise ValueError("JSON must have one object a line, or be an array of objects. It has one over several lines.")
    return records


def _first_of_array(text: str) -> list[Any]:
    decoder, place = json.JSONDecoder(), 1
    records: list[Any] = []
    while len(records) < SAMPLE_ROWS:
        while place < len(text) and text[place] in " \t\n\r,":
            place += 1
        if place >= len(text) or text[place] == "]":
            break
        try:
            record, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        records.append(record)
    return records
