"""Take rows out of the beginning of delimited text, spread over all of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass

import numpy as np

from tasks.data.reading.columns import MAXIMUM_COLUMNS
from tasks.data.reading.quoting import bound_records, find_quoted_fields, find_record_ends

ROWS = 1000
MAXIMUM_FIELD = 1 << 27
# Share of the records that must have the same number of fields.
STEADY = 0.98
# A title, or a hint of the program that wrote the file, takes at most so many lines.
LONGEST_PREAMBLE = 10


@dataclass(frozen=True)
class SampleRows:
    """Rows with the usual number of fields.

    Attributes:
        first: The fields of the file's first record, which may be more or fewer.
        values: The first row with the usual number of fields, and others in the file's order.
        lines_before: How many lines with another number of fields stand before the first of them.
    """

    first: list[str]
    values: list[list[str]]
    lines_before: int


def sample_plain(text: str, delimiter: str) -> SampleRows | None:
    """Return rows of text in which quotes have no meaning; None if its lines are no rows of equal length."""
    lines = [line for line in text.split("\n") if line]
    return _keep_steady([lines[place].split(delimiter) for place in _spread(len(lines))])


def sample_quoted(text: str, delimiter: str) -> SampleRows | None:
    """Return rows of text whose fields may stand in quotes; None if its records are no rows of equal length.

    Records whose quotes do not match are passed over. None too if they are most of the text.
    """
    content = text.encode()
    fields = find_quoted_fields(content, delimiter)
    starts, ends = bound_records(content, find_record_ends(content, fields))
    unsound = fields.opens[~fields.is_sound(len(content))]
    is_sound = np.searchsorted(unsound, starts) == np.searchsorted(unsound, ends)
    starts, ends = starts[is_sound], ends[is_sound]
    if 2 * (ends - starts).sum() < len(content):
        return None
    records = [content[starts[place] : ends[place]].decode() for place in _spread(len(starts))]
    return _keep_steady([read_record(record, delimiter) for record in records])


def read_record(record: str, delimiter: str) -> list[str]:
    """Return the fields of one record, which may stand in quotes."""
    csv.field_size_limit(MAXIMUM_FIELD)
    return next(csv.reader(io.StringIO(record, newline="\n"), delimiter=delimiter), [""])


def _spread(number: int) -> list[int]:
    """Return the places of the first rows, and of others spread over all of them. The last may be cut off."""
    whole = max(1, number - 1) if number > ROWS else number
    first = range(min(LONGEST_PREAMBLE, whole))
    return sorted({*first, *np.linspace(0, max(0, whole - 1), min(ROWS, whole)).astype(int).tolist()})


def _keep_steady(rows: list[list[str]]) -> SampleRows | None:
    """Return the rows with the usual number of fields, at least two; None if too many have another one."""
    if not rows:
        return None
    width, steady = Counter(map(len, rows)).most_common(1)[0]
    places = [place for place, row in enumerate(rows) if len(row) == width]
    before = places[0] if places[0] < LONGEST_PREAMBLE else 0
    # A title before the header does not count, nor does the last record, which may be cut off.
    if width < 2 or steady < STEADY * (len(rows) - before - 1):
        return None
    if width > MAXIMUM_COLUMNS:
        raise ValueError(
            f"A file of reviews must have at most {MAXIMUM_COLUMNS:,} columns. Received: {width:,} columns."
        )
    return SampleRows(rows[0], [rows[place] for place in places], before)
