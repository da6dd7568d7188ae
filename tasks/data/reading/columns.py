"""Choose the column of texts and the column of labels: by name, else by what is in them, else ask."""

from __future__ import annotations

from collections import Counter
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
RATING_NAMES = ["overall", "stars", "star_rating", "rating", "score", "point", "points", "grade", "review_score"]
OPTIONAL = ("review_id", "created_at", "split")
MAXIMUM_COLUMNS = 1000
SHOWN_VALUES, SHOWN_CHARACTERS = 3, 40
# A column with more values than this, most of them once, or with longer ones, holds no labels.
MOST_LABELS, LONGEST_LABEL = 20, 60
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
    known = {*TEXT_NAMES, *LABEL_NAMES, *RATING_NAMES}
    return is_given(names, options) or any(normalise_name(name) in known for name in names)


def is_given(names: Sequence[str], options: ReadingOptions) -> bool:
    """Return whether a record holds a name that the user gave."""
    given = {name for name in (options.text_column, options.label_column) if name}
    return any(name.strip() in given for name in names)


def find_repeated_name(names: Sequence[str], options: ReadingOptions) -> str:
    """Return a name that is known or given, and that two columns have; "" if there is none."""
    return next((one for one in names if has_known_name([one], options) and list(names).count(one) > 1), "")


def is_number(value: str) -> bool:
    """Return whether a value is a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True


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
    """Return the column of labels; "" if it cannot be told."""
    others = [name for name in names if name != options.text_column]
    for known in (LABEL_NAMES, RATING_NAMES):
        found = [name for name in others if normalise_name(name) in known]
        if found:
            return _agree(found, names, rows)
    two = [name for name in others if _is_two_valued(_column(names, rows, name))]
    understood = [name for name in others if is_understood(_column(names, rows, name))]
    return _agree(understood + [name for name in two if name not in understood], names, rows)


def _agree(found: Sequence[str], names: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the first of several columns if it holds labels, and the others say the same or no label; else ""."""
    meant = [name for name in found if _may_be_labels(_column(names, rows, name))]
    if not meant:
        return ""
    first = _column(names, rows, meant[0])
    for name in meant[1:]:
        pairs = set(zip(first, _column(names, rows, name), strict=True))
        if not len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs}):
            return ""
    return meant[0]


def _choose_text(names: Sequence[str], rows: Sequence[Row], label: str) -> str:
    """Return the column of texts; "" if it cannot be told."""
    others = [name for name in names if name != label]
    free = [name for name in others if _is_free_text(_column(names, rows, name))]
    found = [name for name in others if normalise_name(name) in TEXT_NAMES]
    if len(found) == 1 and (found[0] in free or not free or not _is_code(_column(names, rows, found[0]))):
        return found[0]
    if label and len(found or others) == 1 and not free:
        return (found or others)[0]
    free = [name for name in found if name in free] or free if found else free
    return free[0] if len(free) == 1 else ""


def _column(names: Sequence[str], rows: Sequence[Row], name: str) -> list[str]:
    place = list(names).index(name)
    return [row[place] for row in rows if len(row) > place]


def is_understood(values: Sequence[str]) -> bool:
    """Return whether the values are labels whose meaning needs no map."""
    found = {value.strip().lower() for value in values if value.strip()}
    return len(found) == 2 and any(found == set(pair) for pair in PAIRS)


def _is_two_valued(values: Sequence[str]) -> bool:
    """Return whether a column has two values, each of them again and again."""
    counts = Counter(value.strip().lower() for value in values if value.strip())
    return len(counts) == 2 and counts.total() > 4 and min(counts.values()) > 1


def _may_be_labels(values: Sequence[str]) -> bool:
    """Return whether the values are few enough for labels or ratings, and short."""
    found = Counter(value.strip().lower() for value in values if value.strip())
    is_few = len(found) <= max(MOST_LABELS, found.total() // 2)
    short = sum(count for value, count in found.items() if len(value) <= LONGEST_LABEL)
    return is_few and 5 * short >= 4 * found.total()


def _is_code(values: Sequence[str]) -> bool:
    """Return whether the values are numbers or single words, most of them different: names of things, no texts."""
    filled = [value for value in values if value.strip()]
    return bool(filled) and all(is_number(value) or len(value.split()) == 1 for value in filled)


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
