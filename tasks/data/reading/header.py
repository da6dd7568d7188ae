"""Tell whether the first record of delimited text names the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from storage.text import on_one_line
from tasks.data.reading.columns import find_repeated_name, has_known_name, is_given, is_number, is_understood
from tasks.data.reading.readings import ReadingOptions
from tasks.data.reading.sample_rows import SampleRows

# A column with at most so many different values, most of them repeated, holds labels or the like.
FEW_VALUES = 20
# What may stand around a column's name if the header stands again.
REPEATED = ' \t"\ufeff'


@dataclass(frozen=True)
class Header:
    """The names of the columns.

    Attributes:
        names: As many as the records have fields; a column without a name is called by its number.
        is_there: Whether the file has a header.
        is_first_row: Whether the header is the first row with the usual number of fields.
    """

    names: list[str]
    is_there: bool
    is_first_row: bool


def find_header(rows: SampleRows, options: ReadingOptions, name: str) -> Header:
    """Return the header of delimited text, or numbers as names.

    Args:
        rows: The first rows.
        options: What the user said.
        name: The file's name for error messages.

    Raises:
        ValueError: The header has another number of names than the records have fields, or repeats a needed name.
    """
    first, *rest = rows.values
    if is_header(first, rest, options):
        return Header(_fill(first, name, options), is_there=True, is_first_row=True)
    if len(rows.first) != len(first) and has_known_name(rows.first, options):
        return Header(_fill(_fit(rows, name), name, options), is_there=True, is_first_row=False)
    return Header(_fill([""] * len(first), name, options), is_there=False, is_first_row=False)


def is_header(first: Sequence[str], rest: Sequence[Sequence[str]], options: ReadingOptions) -> bool:
    """Return whether a record names the columns of others.

    It does if the user gave one of its values as a name. It does if one is a usual name, or stands where all others
    have numbers or labels; but not if one of its values stands again among the labels below it.
    """
    if is_given(first, options):
        return True
    # Files that were joined have it again and again.
    others = [row for row in rest if not _is_again(row, first)]
    if not others:
        return has_known_name(first, options)
    stands_out = False
    for place, value in enumerate(first):
        below = Counter(row[place].strip().lower() for row in others if row[place].strip())
        is_few = 0 < len(below) <= FEW_VALUES and 2 * len(below) <= below.total()
        plain = value.strip().lower()
        if plain and is_few and plain in below:
            return False
        if plain and len(others) > 2:
            has_numbers_below = bool(below) and all(map(is_number, below))
            stands_out |= is_understood(list(below)) or (has_numbers_below and not is_number(plain))
    return has_known_name(first, options) or stands_out


def _is_again(row: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a record is the header again, perhaps behind a byte-order mark, which makes quotes characters."""
    return all(one.strip(REPEATED) == other.strip(REPEATED) for one, other in zip(row, header, strict=True))


def _fit(rows: SampleRows, name: str) -> list[str]:
    """Return a name for each field where the header has one too few or too many."""
    header, values = rows.first, rows.values
    width = len(values[0])
    if len(header) == width - 1:
        if all(not row[-1].strip() for row in values):
            # Each record ends with a separator, and the header does not.
            return [*header, ""]
        if len({row[0] for row in values}) == len(values):
            # R names the rows, and gives the names no column's name.
            return ["", *header]
    if len(header) == width + 1 and not header[-1].strip():
        return header[:-1]
    raise ValueError(
        f"{name} must have as many fields in its header as in its records. The header has {len(header):,} "
        f"({on_one_line(', '.join(header[:8])[:200])}), and the records have {width:,}. Mend the header, or leave it "
        "out and give --text-column and --label-column, such as column 1."
    )


def _fill(header: Sequence[str], name: str, options: ReadingOptions) -> list[str]:
    """Return the header's names; a column without one, or with another's, is called by its number."""
    if repeated := find_repeated_name(header, options):
        raise ValueError(f"{name} must have columns with different names. It has two called {on_one_line(repeated)}.")
    names: list[str] = []
    for place, written in enumerate(header, 1):
        own = written.strip()
        names.append(own if own and own not in names else f"column {place}")
    return names
