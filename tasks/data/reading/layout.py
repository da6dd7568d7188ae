"""Find out how a file of reviews is laid out, from its beginning."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.text import on_one_line
from tasks.data.reading.columns import OPTIONAL, choose_columns, has_known_name, normalise_name
from tasks.data.reading.labels import PAIRS
from tasks.data.reading.opening import find_compression, open_bytes
from tasks.data.reading.quoting import is_well_quoted
from tasks.data.reading.readings import Layout, ReadingOptions
from tasks.data.reading.text_decoding import find_encoding, read_blocks

SAMPLE_BYTES, SAMPLE_ROWS = 4 << 20, 1000
MAXIMUM_COLUMNS = 1000
# Lines that a record of the sample may take.
LONGEST_SAMPLED = 50
MAXIMUM_FIELD = 1 << 27
PARQUET = b"PAR1"
FASTTEXT = "__label__"
DELIMITERS = ("\t", ";", ",", "|")
NAMES_OF_DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar"}
# Share of the first lines that must have the same number of fields.
STEADY = 0.98
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
        return Layout("folder", "", options.encoding or "utf-8", "", False, False, (TEXT,), TEXT, "", ())
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
    return Layout(compression=compression, encoding=encoding, **found)


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
    return Layout(
        "parquet", "", "", "", False, True, tuple(schema.names), chosen.text, chosen.label, _optional_of(names)
    )


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


def _find_text(text: str, name: str, options: ReadingOptions, *, needs_label: bool) -> dict[str, Any]:
    """Return the fields of a `Layout` that depend on the text."""
    start = text.lstrip()
    if start.startswith(FASTTEXT):
        return _describe("fasttext", (LABEL, TEXT), TEXT, LABEL, ())
    if start.startswith(("{", "[")) and (found := _find_json(start, name, options, needs_label=needs_label)):
        return found
    return _find_delimited(text, name, options, needs_label=needs_label)


def _describe(
    kind: str,
    columns: Sequence[str],
    text: str,
    label: str,
    optional: tuple[str, ...],
    *,
    delimiter: str = "",
    is_quoted: bool = False,
    has_header: bool = False,
) -> dict[str, Any]:
    return {
        "format": kind,
        "columns": tuple(columns),
        "text_column": text,
        "label_column": label,
        "optional": optional,
        "delimiter": delimiter,
        "is_quoted": is_quoted,
        "has_header": has_header,
    }


def _optional_of(names: Sequence[str]) -> tuple[str, ...]:
    known = [normalise_name(name) for name in names]
    return tuple(name for name in OPTIONAL if name in known)


def _find_json(text: str, name: str, options: ReadingOptions, *, needs_label: bool) -> dict[str, Any] | None:
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
    return _describe(kind, names, chosen.text, chosen.label, _optional_of(plain))


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


def _find_delimited(text: str, name: str, options: ReadingOptions, *, needs_label: bool) -> dict[str, Any]:
    errors: list[ValueError] = []
    candidates = []
    for delimiter in DELIMITERS:
        found = _split_sample(text, delimiter)
        if found is None:
            continue
        rows, is_quoted = found
        try:
            candidates.append(_lay_out(rows, delimiter, is_quoted, name, options, needs_label=needs_label))
        except ValueError as error:
            errors.append(error)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        # A header names the columns: then it is no chance that the fields are as many in each line.
        named = [one for one in candidates if one["has_header"]]
        if len(named) == 1:
            return named[0]
        separators = " or ".join(NAMES_OF_DELIMITERS[one["delimiter"]] for one in candidates)
        raise ValueError(
            f"{name}: what separates its columns cannot be told: {separators}. Give --text-column and --label-column."
        )
    if errors:
        raise errors[0]
    first = on_one_line(repr(text.split("\n", 1)[0][:100]))
    raise ValueError(
        f"{name} must have a column of texts and one of labels, as CSV, JSON lines, Parquet or fastText. "
        f"No separator makes equal columns of its lines. The first is {first}."
    )


def _split_sample(text: str, delimiter: str) -> tuple[list[list[str]], bool] | None:
    """Return the first records and whether they are quoted; None if this delimiter does not separate them.

    Fields that stand in quotes are seen by their quotes matching. In a file of many records a few may be broken.
    """
    if '"' in text and is_well_quoted(text.encode(), delimiter.encode()):
        rows = _keep_steady(_read_csv(text, delimiter))
        return (rows, True) if rows else None
    lines = [line for line in text.split("\n")[: SAMPLE_ROWS + 1] if line.strip()]
    records = _collect_records(lines, delimiter)
    quoted = [record for record in records if '"' in record]
    if quoted and 2 * len(quoted) >= len(records):
        rows = _keep_steady([_read_csv(record, delimiter)[0] for record in records])
        return (rows, True) if rows else None
    rows = _keep_steady([line.split(delimiter) for line in lines])
    return (rows, False) if rows else None


def _collect_records(lines: list[str], delimiter: str) -> list[str]:
    """Return the records that lines make if fields may stand in quotes; lines that fit into none are passed over."""
    records, place = [], 0
    while place < len(lines):
        for taken in range(1, LONGEST_SAMPLED + 1):
            record = "\n".join(lines[place : place + taken])
            is_even = record.count('"') % 2 == 0
            if is_even and ('"' not in record or is_well_quoted(record.encode(), delimiter.encode())):
                records.append(record)
                break
            if is_even:
                break
        place += taken
    return records


def _read_csv(text: str, delimiter: str) -> list[list[str]]:
    csv.field_size_limit(MAXIMUM_FIELD)
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    return [row for row, _ in zip(reader, range(SAMPLE_ROWS), strict=False) if row]


def _keep_steady(rows: list[list[str]]) -> list[list[str]] | None:
    """Return the records with the usual number of fields, at least two; None if too many have another one."""
    width, steady = Counter(map(len, rows)).most_common(1)[0]
    # The last record may be cut off by the end of the sample.
    if width < 2 or steady < STEADY * (len(rows) - 1):
        return None
    if width > MAXIMUM_COLUMNS:
        raise ValueError(
            f"A file of reviews must have at most {MAXIMUM_COLUMNS:,} columns. Received: {width:,} columns."
        )
    return [row for row in rows if len(row) == width]


def _lay_out(
    rows: list[list[str]], delimiter: str, is_quoted: bool, name: str, options: ReadingOptions, *, needs_label: bool
) -> dict[str, Any]:
    first, *rest = rows
    numbered = [f"column {place}" for place in range(1, len(first) + 1)]
    has_header = has_known_name(first, options) or _first_stands_out(first, rest)
    names = _name_columns(first) if has_header else numbered
    chosen = choose_columns(names, rest if has_header else rows, options, name, needs_label=needs_label)
    return _describe(
        "csv",
        names,
        chosen.text,
        chosen.label,
        _optional_of(names) if has_header else (),
        delimiter=delimiter,
        is_quoted=is_quoted,
        has_header=has_header,
    )


def _name_columns(header: Sequence[str]) -> list[str]:
    """Return the header's names; a column without one, or with another's, is called by its number."""
    names: list[str] = []
    for place, written in enumerate(header, 1):
        name = written.strip()
        names.append(name if name and name not in names else f"column {place}")
    return names


def _first_stands_out(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether a column has two values, and a third one in the first record alone: its name."""
    for place, value in enumerate(first):
        others = {row[place].strip().lower() for row in rest}
        if (
            len(others) == 2
            and len(rest) > 2
            and value.strip().lower() not in others
            and sorted(others) in _SORTED_PAIRS
        ):
            return True
    return False


_SORTED_PAIRS = [sorted(pair) for pair in PAIRS]
