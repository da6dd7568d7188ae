"""Find out of a whole file of delimited text whether quotes enclose its fields or are characters of its texts.

In a tab-separated file that knows no quoting, one text may begin with a quote and a later one end with one. Who takes
the two for a field loses all records between them, and no error says so. What gives it away: each line between them is
a whole record by itself, with the right number of fields and a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.data.reading.columns import is_number
from tasks.data.reading.quoting import LINE_END, Mask, QuotedFields, find_places, find_quoted_fields

# One kind of votes must be this many times the other to be believed where the number of records depends on it.
CLEAR = 4
# A field that is still open after so many bytes was opened by a stray quote.
LONGEST_FIELD = 4 << 20


@dataclass(frozen=True)
class RecordLook:
    """How a record looks that takes one line, if quotes have no meaning.

    Attributes:
        delimiter: What separates the fields.
        width: Number of fields.
        label_place: Which field is the label, from 0; None if the folder says the labels.
        labels: Values of the label in the first records, in lower case.
        has_numbers: Whether these are numbers, so that others may be meant too.
    """

    delimiter: str
    width: int
    label_place: int | None
    labels: frozenset[str]
    has_numbers: bool

    def fits(self, line: bytes) -> bool:
        """Return whether a line is a record by itself."""
        separator = self.delimiter.encode()
        if line.count(separator) != self.width - 1:
            return False
        if self.label_place is None:
            return True
        label = line.split(separator)[self.label_place].strip().strip(b'"').decode(errors="replace").lower()
        return label in self.labels or (self.has_numbers and is_number(label))

    def find_swallowing(self, block: bytes, fields: QuotedFields) -> Mask:
        """Return which fields in quotes touch several lines, most of which are records by themselves."""
        swallowing = np.zeros(len(fields), np.bool_)
        for place in np.flatnonzero(find_spanning(block, fields)):
            start = block.rfind(b"\n", 0, fields.opens[place]) + 1
            end = block.find(b"\n", min(fields.closes[place], len(block) - 1))
            swallowing[place] = self._are_records(block[start : end if end >= 0 else len(block)].split(b"\n"))
        return swallowing

    def _are_records(self, lines: Sequence[bytes]) -> bool:
        """Return whether more than half of some lines are records by themselves; look at no more than needed."""
        others = 0
        for line in lines:
            others += not self.fits(line)
            if 2 * others >= len(lines):
                return False
        return True


def find_spanning(block: bytes, fields: QuotedFields) -> Mask:
    """Return which fields in quotes hold line ends."""
    line_ends = find_places(block, LINE_END)
    # A field that no quote closes ends before the text's last line end.
    ends = np.minimum(fields.closes, len(block) - 1)
    spanning: Mask = np.searchsorted(line_ends, ends) > np.searchsorted(line_ends, fields.opens)
    return spanning


@dataclass
class QuoteVotes:
    """Counts what speaks for quotes that enclose fields, and for quotes that are characters of the text.

    Attributes:
        look: How a record looks that takes one line.
        lines: Lines; at least as many as records.
        needed: Fields that need their quotes, as they hold a separator, doubled quotes or line ends.
        enclosed: Other fields that begin and end with a quote.
        stray: Fields that begin with a quote, and end without one or have others inside.
        unsound: The same, and those that are several lines long.
        swallowing: Fields in quotes most of whose lines are records by themselves.
        escaped: Fields with quotes that do not match, and with a backslash before a quote.
    """

    look: RecordLook
    lines: int = 0
    needed: int = 0
    enclosed: int = 0
    stray: int = 0
    unsound: int = 0
    swallowing: int = 0
    escaped: int = 0

    def add_all(self, blocks: Iterable[bytes]) -> None:
        """Count in a whole file, from its first record on."""
        rest = b""
        for block in blocks:
            content = rest + block
            cut = content.rfind(b"\n") + 1
            rest = content[self._add(content[:cut]) :] if cut else content
        if rest:
            self._add(rest.rstrip(b"\n") + b"\n", is_last=True)

    def _add(self, content: bytes, *, is_last: bool = False) -> int:
        """Count in whole lines; return how many bytes are done with. An open field goes on in the next block."""
        fields = find_quoted_fields(content, self.look.delimiter)
        end = fields.find_open_record(content)
        if is_last or len(content) - end > LONGEST_FIELD:
            end = len(content)
        done, fields = content[:end], fields.before(end)
        self.lines += done.count(b"\n")
        if len(fields):
            self._vote(done, fields)
        return end

    def _vote(self, content: bytes, fields: QuotedFields) -> None:
        is_sound, spanning = fields.is_sound(len(content)), find_spanning(content, fields)
        swallowing = self.look.find_swallowing(content, fields) if spanning.any() else spanning
        needs = is_sound & ~swallowing & (fields.doubled | spanning)
        others = np.flatnonzero(is_sound & ~swallowing & ~needs)
        separator, bounds = self.look.delimiter.encode(), zip(fields.opens[others], fields.closes[others], strict=True)
        holding = sum(content.find(separator, opens, closes) >= 0 for opens, closes in bounds)
        self.needed += int(needs.sum()) + holding
        self.enclosed += len(others) - holding
        self.stray += int((~is_sound & ~spanning).sum())
        self.swallowing += int(swallowing.sum())
        self.unsound += int((~is_sound).sum())
        unsound = zip(fields.opens[~is_sound], fields.closes[~is_sound], strict=True)
        self.escaped += sum(content.find(b'\\"', opens, closes) >= 0 for opens, closes in unsound)

    @property
    def are_odd(self) -> bool:
        """Return whether any quote is not where quotes that enclose fields are."""
        return bool(self.unsound or self.swallowing)

    def are_quoted(self) -> bool | None:
        """Return whether quotes enclose fields; None if it cannot be told and changes the count."""
        for_quotes = self.needed + (self.enclosed if 2 * self.enclosed >= self.lines else 0)
        against = self.stray + self.swallowing
        if not against or not for_quotes:
            return not against
        is_clear = max(for_quotes, against) >= CLEAR * min(for_quotes, against)
        return for_quotes >= against if is_clear or not self.swallowing else None
