"""Choose the column of texts and the column of labels: by name, else by what is in them, else ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from storage.text import on_one_line
from tasks.data.reading.labels import PAIRS
from tasks.data.reading.readings import ReadingOptions

Row = Sequence[str]
TEXT_NAMES = [
    "text",
    "review",
    "document",
    "sentence",
    "content",
    "reviewtext",
    "review_text",
    "review_body",
    "comment",
    "body",
    "message",
    "tweet",
    "reviews",
    "texts",
    "comments",
    "utterance",
]
LABEL_NAMES = [
    "label",
    "sentiment",
    "target",
    "class",
    "polarity",
    "status",
    "review_type",
    "labels",
    "sentiments",
    "is_positive",
]
# Whoever wrote these meant a rating; it becomes a label by the label map alone.
RATING_NAMES = ["overall", "stars", "star_rating", "rating", "score", "point", "points", "grade"]
OPTIONAL = ("review_id", "created_at", "split")
MAXIMUM_COLUMNS = 1000
SHOWN_VALUES, SHOWN_CHARACTERS = 3, 40
# A column of free text has more words than this on average, and not always the same number.
FREE_WORDS, FREE_SPREAD, FREE_DISTINCT = 3.0, 1.0, 0.5


@dataclass(frozen=True)
class ChosenColumns:
    """The columns of a file that are read.

    Attributes:
        text: Name of the column of texts.
        label: Name of the column of labels.
    """

    text: str
    label: str


def normalise_name(name: str) -> str:
    """Return a column's name for comparison.

    Example:
        >>> normalise_name(" Review Type ")
        'review_type'
    """
    return name.strip().strip("\ufeff").lower().replace(" ", "_").replace("-", "_")


def find_optional(names: Sequence[str]) -> tuple[str, ...]:
    """Return which of the optional columns are among these."""
    known = [normalise_name(name) for name in names]
    return tuple(name for name in OPTIONAL if name in known)


def has_known_name(names: Sequence[str], options: ReadingOptions) -> bool:
    """Return whether a record looks like a header, because it holds a name that is known or given."""
    given = {name for name in (options.text_column, options.label_column) if name}
    known = {*TEXT_NAMES, *LABEL_NAMES, *RATING_NAMES}
    return any(name in given or normalise_name(name) in known for name in names)


def choose_columns(
    names: Sequence[str], rows: Sequence[Row], options: ReadingOptions, where: str, *, needs_label: bool = True
) -> ChosenColumns:
    """Choose the columns of texts and of labels.

    Args:
        names: Of all columns.
        rows: The first records; each value as text.
        options: What the user said.
        where: The file's name for error messages.
        needs_label: Whether the file has to hold the labels.

    Raises:
        ValueError: The columns are ambiguous, or a given one does not exist. The message shows them.
    """
    for option, name in (("text-column", options.text_column), ("label-column", options.label_column)):
        if name is not None and name not in names:
            columns = on_one_line(", ".join(names[:20]))
            raise ValueError(f"{where} must have the column that --{option} names. It has: {columns}.")
    label = options.label_column or (_choose_label(names, rows, options) if needs_label else "")
    text = options.text_column or _choose_text(names, rows, label)
    missing = [
        option
        for option, name in (("--text-column", text), ("--label-column", label if needs_label else "-"))
        if not name
    ]
    if missing or text == label:
        asked = " and ".join(missing or ["--text-column"])
        raise ValueError(
            f"{where}: which columns hold text and label cannot be told. Give {asked}. Columns: {_show(names, rows)}."
        )
    return ChosenColumns(text, label)


def _choose_label(names: Sequence[str], rows: Sequence[Row], options: ReadingOptions) -> str:
    for known in (LABEL_NAMES, RATING_NAMES):
        found = [name for name in names if normalise_name(name) in known and name != options.text_column]
        if found:
            # Several: the one whose values are labels.
            two = [name for name in found if _is_two_valued(_column(names, rows, name))]
            return found[0] if len(found) == 1 else two[0] if len(two) == 1 else ""
    others = [name for name in names if name != options.text_column]
    for is_label in (_is_understood, _is_two_valued):
        found = [name for name in others if is_label(_column(names, rows, name))]
        if found:
            return found[0] if len(found) == 1 else ""
    return ""


def _choose_text(names: Sequence[str], rows: Sequence[Row], label: str) -> str:
    found = [name for name in names if normalise_name(name) in TEXT_NAMES and name != label]
    if len(found) == 1:
        return found[0]
    others = [name for name in found or names if name != label]
    if label and len(others) == 1:
        return others[0]
    free = [name for name in others if _is_free_text(_column(names, rows, name))]
    return free[0] if len(free) == 1 else ""


def _column(names: Sequence[str], rows: Sequence[Row], name: str) -> list[str]:
    place = list(names).index(name)
    return [row[place] for row in rows if len(row) > place]


def _is_understood(values: Sequence[str]) -> bool:
    """Return whether the values are labels whose meaning needs no map."""
    found = {value.strip().lower() for value in values if value.strip()}
    return len(found) == 2 and any(found == set(pair) for pair in PAIRS)


def _is_two_valued(values: Sequence[str]) -> bool:
    return len({value.strip().lower() for value in values if value.strip()}) == 2 and len(values) > 2


def _is_free_text(values: Sequence[str]) -> bool:
    filled = [value for value in values if value.strip()]
    if not filled:
        return False
    words = [len(value.split()) for value in filled]
    return (
        fmean(words) > FREE_WORDS
        and (pstdev(words) > FREE_SPREAD or len(filled) == 1)
        and len(set(filled)) > FREE_DISTINCT * len(filled)
    )


def _show(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the columns with their first values, as the end of a sentence."""
    shown = []
    for name in list(names)[:12]:
        values = [value[:SHOWN_CHARACTERS] for value in _column(names, rows, name)[:SHOWN_VALUES]]
        shown.append(f"{name[:SHOWN_CHARACTERS]} ({', '.join(map(repr, values))})")
    rest = f" and {len(names) - 12:,} more" if len(names) > 12 else ""
    return on_one_line("; ".join(shown)) + rest
