"""Find out what separates the columns of delimited text, whether its fields are quoted, and whether it has a header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence

from storage.text import on_one_line
from tasks.data.reading.columns import MAXIMUM_COLUMNS, choose_columns, find_optional, has_known_name
from tasks.data.reading.labels import PAIRS
from tasks.data.reading.quoting import is_well_quoted
from tasks.data.reading.readings import Layout, ReadingOptions

SAMPLE_ROWS = 1000
# Lines that a record of the sample may take.
LONGEST_SAMPLED = 50
MAXIMUM_FIELD = 1 << 27
DELIMITERS = ("\t", ";", ",", "|")
NAMES_OF_DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar"}
# Share of the first lines that must have the same number of fields.
STEADY = 0.98


def find_delimited(text: str, name: str, options: ReadingOptions, *, needs_label: bool) -> Layout:
    """Return the layout of delimited text.

    Args:
        text: The beginning of the file, whole lines.
        name: The file's name for error messages.
        options: What the user said.
        needs_label: Whether the file has to hold the labels.

    Raises:
        ValueError: No separator makes equal columns of its lines, or several do.
    """
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
        named = [one for one in candidates if one.has_header]
        if len(named) == 1:
            return named[0]
        separators = " or ".join(NAMES_OF_DELIMITERS[one.delimiter] for one in candidates)
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
) -> Layout:
    first, *rest = rows
    numbered = [f"column {place}" for place in range(1, len(first) + 1)]
    has_header = has_known_name(first, options) or _first_stands_out(first, rest)
    names = _name_columns(first) if has_header else numbered
    chosen = choose_columns(names, rest if has_header else rows, options, name, needs_label=needs_label)
    return Layout(
        "csv",
        tuple(names),
        chosen.text,
        chosen.label,
        find_optional(names) if has_header else (),
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
        is_name = value.strip().lower() not in others
        if is_name and len(rest) > 2 and any(others == set(pair) for pair in PAIRS):
            return True
    return False
