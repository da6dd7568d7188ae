"""Find the fields that stand in quotes, and the ends of records, in delimited text. Vectorised over the quotes.

A quote opens a field at the field's start only, and closes it at the field's end only; two quotes inside stand for one
(RFC 4180). A quote anywhere else is a character of the text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

QUOTE, LINE_END = 0x22, 0x0A
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class QuotedFields:
    """The fields of a text that begin with a quote, in its order.

    Attributes:
        opens: int64, the places of their first quotes.
        closes: int64, the places of their last quotes; the text's length for a field that no quote closes.
        strays: int64, how many times a quote inside neither closes the field nor has a second one beside it.
        doubled: bool, whether two quotes inside stand for one.
    """

    opens: Places
    closes: Places
    strays: Places
    doubled: Mask

    def __len__(self) -> int:
        return len(self.opens)

    def before(self, place: int) -> QuotedFields:
        """Return the fields that open before a place."""
        kept = slice(int(np.searchsorted(self.opens, place)))
        return QuotedFields(self.opens[kept], self.closes[kept], self.strays[kept], self.doubled[kept])

    def find_open_record(self, block: bytes) -> int:
        """Return where the line begins in which a field opens that goes on in the next block; else the text's length.

        A field with a stray quote inside does not go on: it was opened by a stray quote itself.
        """
        goes_on = len(self) and self.closes[-1] == len(block) and not self.strays[-1]
        return block.rfind(b"\n", 0, self.opens[-1]) + 1 if goes_on else len(block)

    def is_sound(self, end: int) -> Mask:
        """Return which are closed before `end`, the text's length, and hold no stray quote."""
        is_sound: Mask = (self.strays == 0) & (self.closes < end)
        return is_sound


def find_places(block: bytes, byte: int) -> Places:
    """Return the places of all bytes of one value: int64."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == byte)


def find_quoted_fields(block: bytes, delimiter: str) -> QuotedFields:
    """Return the fields that begin with a quote.

    Quotes that stand side by side are taken together. Whether such a run opens or closes a field depends on how many
    they are, on what stands before and behind, and on whether a field is open; the last is found for all runs at once.

    Args:
        block: Whole lines in UTF-8, from the start of a record on, with line feeds as line ends.
        delimiter: What separates the fields, one ASCII character.
    """
    quotes = find_places(block, QUOTE)
    if not len(quotes):
        none = np.zeros(0, np.int64)
        return QuotedFields(none, none, none, np.zeros(0, np.bool_))
    firsts, ends = _find_runs(quotes)
    at_start, at_end = _find_edges(block, delimiter, firsts, ends)
    is_odd = (ends - firsts) % 2 == 1
    was_open, is_open = _follow(at_start, at_end, is_odd)
    # A run of an even number at a field's start that also ends it is a whole field: "" or """".
    is_whole = ~was_open & at_start & ~is_odd & at_end
    is_stray = (was_open & is_odd & ~at_end) | (~was_open & at_start & ~is_odd & ~at_end)
    opening, closing = (~was_open & is_open) | is_whole, (was_open & ~is_open) | is_whole
    opens, closes = firsts[opening], ends[closing] - 1
    if len(closes) < len(opens):
        closes = np.append(closes, len(block))
    strays = np.bincount(np.searchsorted(opens, firsts[is_stray], side="right") - 1, minlength=len(opens))
    inside = np.searchsorted(quotes, closes) - np.searchsorted(quotes, opens) - 1
    return QuotedFields(opens, closes, strays.astype(np.int64), inside > strays)


def _find_runs(quotes: Places) -> tuple[Places, Places]:
    """Return the first places of runs of quotes side by side, and the places just behind them."""
    breaks = np.flatnonzero(np.diff(quotes) > 1) + 1
    firsts = quotes[np.concatenate([[0], breaks])]
    ends = quotes[np.concatenate([breaks, [len(quotes)]]) - 1] + 1
    return firsts, ends


def _find_edges(block: bytes, delimiter: str, firsts: Places, ends: Places) -> tuple[Mask, Mask]:
    """Return which runs stand at the start of a field, and which at the end of one."""
    content = np.frombuffer(block, np.uint8)
    edges = (LINE_END, ord(delimiter))
    before = np.where(firsts > 0, content[np.maximum(firsts - 1, 0)], LINE_END)
    behind = np.where(ends < len(content), content[np.minimum(ends, len(content) - 1)], LINE_END)
    return np.isin(before, edges), np.isin(behind, edges)


def _follow(at_start: Mask, at_end: Mask, is_odd: Mask) -> tuple[Mask, Mask]:
    """Return for each run of quotes whether a field is open before it, and behind it.

    A run leaves that as it is, turns it round, or sets it. So it follows from the last run that sets it, and from the
    number of turns since.
    """
    turns = at_start & is_odd & at_end
    opens = (at_start & is_odd & ~at_end) | (at_start & ~is_odd & ~at_end)
    sets = opens | (~at_start & is_odd & at_end)
    turned = np.cumsum(turns)
    last = np.maximum.accumulate(np.where(sets, np.arange(len(sets)), -1))
    is_set = last >= 0
    value = np.where(is_set, opens[last], False)
    is_turned = (turned - np.where(is_set, turned[last], 0)) % 2 == 1
    is_open: Mask = value ^ is_turned
    return np.concatenate([[False], is_open[:-1]]), is_open


def find_record_ends(block: bytes, fields: QuotedFields | None = None) -> Places:
    """Return the places just behind the line ends that end a record: int64.

    Args:
        block: Text that begins with a record, with line feeds as line ends.
        fields: Its fields in quotes, in which line ends end no record; None if quotes have no meaning.
    """
    ends = find_places(block, LINE_END)
    if fields is not None and len(fields):
        ends = ends[np.searchsorted(fields.opens, ends) == np.searchsorted(fields.closes, ends)]
    found: Places = ends + 1
    return found


def count_filled(block: bytes, ends: Places) -> int:
    """Return the number of records that are not empty lines.

    Args:
        block: The text of whole records; the last may lack its line end.
        ends: From `find_record_ends`.
    """
    starts, ends = bound_records(block, ends)
    return len(starts)


def bound_records(block: bytes, ends: Places) -> tuple[Places, Places]:
    """Return the places where records that are not empty lines start, and those just behind them: int64.

    Args:
        block: The text of whole records; the last may lack its line end.
        ends: From `find_record_ends`.
    """
    has_tail = not len(ends) or ends[-1] < len(block)
    bounds = np.concatenate([[0], ends, [len(block)] if has_tail else []]).astype(np.int64)
    starts, behind = bounds[:-1], bounds[1:]
    # The last record may be one character without a line end.
    is_filled = behind - starts > np.where(has_tail & (behind == len(block)), 0, 1)
    return starts[is_filled], behind[is_filled]
