"""Find the ends of records in delimited text, where line ends inside quotes are no ends. Vectorised over the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

QUOTE, LINE_END = 0x22, 0x0A
Places = npt.NDArray[np.int64]


def find_quotes(block: bytes) -> Places:
    """Return the places of all quotes: int64."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == QUOTE)


def is_well_quoted(block: bytes, delimiter: bytes) -> bool:
    """Return whether every quote opens a field at its start, closes one at its end, or is one of two inside.

    The text must begin with a record. Its end may be cut off.
    """
    quotes = find_quotes(block)
    if not len(quotes):
        return False
    content = np.frombuffer(block, np.uint8)
    allowed = [LINE_END, delimiter[0]]
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, content[np.maximum(opening - 1, 0)], LINE_END)
    last = len(content) - 1
    after = np.where(closing < last, content[np.minimum(closing + 1, last)], LINE_END)
    # Of two quotes inside a field, the first seems to close it, and the second to open another.
    opens_well = np.isin(before, [*allowed, QUOTE])
    closes_well = np.isin(after, [*allowed, QUOTE])
    # The field that a pair of quotes seems to reopen must have been open.
    reopens = before == QUOTE
    touches = np.zeros(len(opening), bool)
    touches[1:] = opening[1:] == closing[: len(opening) - 1] + 1
    return bool(opens_well.all() and closes_well.all() and (touches | ~reopens).all())


def find_record_ends(block: bytes, *, is_quoted: bool) -> Places:
    """Return the places just behind the line ends that end a record: int64.

    Args:
        block: Text that begins with a record, in UTF-8 with line feeds as line ends.
        is_quoted: Whether fields may stand in quotes. Then the text must be well quoted.
    """
    content = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(content == LINE_END)
    if is_quoted:
        ends = ends[np.searchsorted(find_quotes(block), ends) % 2 == 0]
    found: Places = ends + 1
    return found


def count_filled(block: bytes, ends: Places) -> int:
    """Return the number of records that are not empty lines.

    Args:
        block: The text of whole records; the last may lack its line end.
        ends: From `find_record_ends`.
    """
    bounds = np.concatenate([[0], ends, [len(block)] if not len(ends) or ends[-1] < len(block) else []])
    return int(
        (np.diff(bounds) > 1).sum() + (len(block) > 0 and bounds[-1] - bounds[-2] == 1 and block[-1] != LINE_END)
    )
