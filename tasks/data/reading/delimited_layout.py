"""Find out what separates the columns of delimited text, whether its fields are quoted, and whether it has a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from storage.text import on_one_line
from tasks.data.reading.columns import choose_columns, find_optional, is_number
from tasks.data.reading.header import find_header
from tasks.data.reading.labels import PAIRS
from tasks.data.reading.quote_votes import QuoteVotes, RecordLook
from tasks.data.reading.readings import DELIMITERS, NAMES_OF_DELIMITERS, Layout, ReadingOptions
from tasks.data.reading.sample_rows import SampleRows, sample_plain, sample_quoted

# Of more labels, none is kept.
MOST_LABELS = 100
# Excel writes into the first line what separates the columns, for itself.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?\n', re.IGNORECASE)


@dataclass(frozen=True)
class _Beginning:
    """The beginning of a file, and what is known of it.

    Attributes:
        text: Whole lines.
        preamble: Lines before them that say nothing of reviews.
        name: The file's name for error messages.
        options: What the user said.
        needs_label: Whether the file has to hold the labels.
    """

    text: str
    preamble: int
    name: str
    options: ReadingOptions
    needs_label: bool


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
    text = text.lstrip("\n")
    separator_line = _SEPARATOR_LINE.match(text)
    given = DELIMITERS[options.delimiter] if options.delimiter else separator_line[1] if separator_line else None
    beginning = _Beginning(
        text[separator_line.end() :] if separator_line else text,
        1 if separator_line else 0,
        name,
        options,
        needs_label,
    )
    layouts: list[Layout] = []
    errors: list[ValueError] = []
    for delimiter in [given] if given else DELIMITERS.values():
        try:
            layouts += filter(None, [_lay_out(beginning, delimiter)])
        except ValueError as error:
            errors.append(error)
    return _choose(layouts, errors, beginning)


def _choose(layouts: list[Layout], errors: list[ValueError], beginning: _Beginning) -> Layout:
    if len(layouts) == 1:
        return layouts[0]
    name = beginning.name
    if layouts:
        # A header names the columns: then it is no chance that the fields are as many in each line.
        named = [one for one in layouts if one.has_header]
        named = [one for one in named if one.preamble == beginning.preamble] or named
        if len(named) == 1:
            return named[0]
        separators = " or ".join(NAMES_OF_DELIMITERS[one.delimiter] for one in layouts)
        raise ValueError(f"{name}: what separates its columns cannot be told: {separators}. Give --delimiter.")
    if errors:
        raise errors[0]
    first = on_one_line(repr(beginning.text.split("\n", 1)[0][:100]))
    raise ValueError(
        f"{name} must have a column of texts and one of labels, as CSV, JSON lines, Parquet or fastText. "
        f"No separator makes equal columns of its lines. The first is {first}. If one does, give --delimiter and "
        "--quoting."
    )


def _lay_out(beginning: _Beginning, delimiter: str) -> Layout | None:
    """Return the layout if a delimiter separates the columns; None if it does not.

    Raises:
        ValueError: The columns cannot be told apart, or whether quotes enclose fields.
    """
    quoting = beginning.options.quoting
    quoted = sample_quoted(beginning.text, delimiter) if quoting != "none" else None
    plain = sample_plain(beginning.text, delimiter) if quoting != "csv" else None
    if quoted is None or plain is None:
        rows = quoted or plain
        if rows is None:
            return None
        layout = _name_columns(rows, delimiter, beginning, is_quoted=quoted is not None)
        return replace(layout, has_odd_quotes=layout.is_quoted)
    layout = _name_columns(quoted, delimiter, beginning, is_quoted=True)
    if '"' not in beginning.text:
        return layout
    votes = QuoteVotes(look_of(layout))
    votes.add_all([beginning.text.encode()])
    if settle_quoting(votes, beginning.name):
        return replace(layout, has_odd_quotes=votes.are_odd)
    return _name_columns(plain, delimiter, beginning, is_quoted=False)


def settle_quoting(votes: QuoteVotes, name: str) -> bool:
    """Return whether quotes enclose the fields of a file.

    Raises:
        ValueError: It cannot be told, and the number of records depends on it; or a backslash stands before quotes.
    """
    are_quoted = votes.are_quoted()
    if are_quoted is None:
        raise ValueError(
            f"{name}: whether quotes enclose its fields cannot be told. Fields that begin and end with a quote: "
            f"{votes.needed + votes.enclosed:,}. Fields whose lines are records by themselves: {votes.swallowing:,}. "
            f"Fields with quotes that do not match: {votes.stray:,}. "
            'Give --quoting csv, or --quoting none if " is a character like any other.'
        )
    if are_quoted and votes.escaped:
        raise ValueError(
            f'{name} must write a quote within a quoted field as two quotes, "". In {votes.escaped:,} of its fields it '
            'is \\". Save the file so, or as JSON lines or Parquet; or give --quoting csv to reject these records.'
        )
    return are_quoted


def look_of(layout: Layout) -> RecordLook:
    """Return how a record looks that takes one line."""
    place = layout.columns.index(layout.label_column) if layout.label_column else None
    labels = frozenset(layout.sample_labels)
    # The first records may have one label of a pair alone.
    paired = labels.union(*(pair for pair in PAIRS if labels & set(pair)))
    return RecordLook(layout.delimiter, len(layout.columns), place, paired, all(map(is_number, labels)))


def _name_columns(rows: SampleRows, delimiter: str, beginning: _Beginning, *, is_quoted: bool) -> Layout:
    header = find_header(rows, beginning.options, beginning.name)
    values: Sequence[Sequence[str]] = rows.values[1:] if header.is_first_row else rows.values
    chosen = choose_columns(header.names, values, beginning.options, beginning.name, needs_label=beginning.needs_label)
    place = header.names.index(chosen.label) if chosen.label else None
    labels = set() if place is None else {row[place].strip().lower() for row in values}
    return Layout(
        "csv",
        tuple(header.names),
        chosen.text,
        chosen.label,
        find_optional(header.names) if header.is_there else (),
        delimiter=delimiter,
        is_quoted=is_quoted,
        has_header=header.is_there,
        preamble=beginning.preamble + (rows.lines_before if header.is_first_row else 0),
        sample_labels=tuple(sorted(labels)) if len(labels) <= MOST_LABELS else (),
    )
