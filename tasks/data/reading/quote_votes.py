"""Find out of a whole file of delimited text whether quotes enclose its fields or are characters of its texts.

In a tab-separated file that knows no quoting, one text may begin with a quote and a later one end with one. Who takes
the two for a field loses all records between them, and no error says so. What gives it away: each line between them is
a whole record by itself, with the right number of fields and a label.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.data.reading.columns import is_number
from tasks.data.reading.quoting import QuotedFields, count_filled, find_places, find_quoted_fields, find_record_ends

LINE_END = 0x0A
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

    def fits(self, line: str) -> bool:
        """Return whether a line is a record by itself."""
        fields = line.split(self.delimiter)
        if len(fields) != self.width:
            return False
        if self.label_place is None:
            return True
        label = fields[self.label_place].strip().strip('"').lower()
        return label in self.labels or (self.has_numbers and is_number(label))

    def count_lines(self, block: bytes, fields: QuotedFields) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return for each field in quotes how many lines it touches, and how many of them are records by themselves."""
        line_ends = find_places(block, LINE_END)
        starts = np.concatenate([[0], line_ends + 1])
        first, last = np.searchsorted(line_ends, fields.opens), np.searchsorted(line_ends, fields.closes)
        # The text ends with a line end, so what is behind it is no line.
        last = np.minimum(last, len(line_ends) - 1)
        separators = np.searchsorted(find_places(block, ord(self.delimiter)), starts)
        is_wide = np.diff(separators) == self.width - 1
        before = np.concatenate([[0], np.cumsum(is_wide)])
        lines, wide = last - first + 1, before[last + 1] - before[first]
        # Labels are looked at where the number of fields leaves it open.
        for place in np.flatnonzero((lines > 1) & (2 * wide > lines)):
            text = block[starts[first[place]] : line_ends[last[place]]].decode()
            wide[place] = sum(map(self.fits, text.split("\n")))
        return lines, wide


@dataclass
class QuoteVotes:
    """Counts what speaks for quotes that enclose fields, and for quotes that are characters of the text.

    Attributes:
        look: How a record looks that takes one line.
        records: Records, if quotes enclose fields.
        needed: Fields that need their quotes, as they hold a separator, doubled quotes or line ends.
        enclosed: Other fields that begin and end with a quote.
        stray: Fields that begin with a quote, and end without one or have others inside.
        swallowing: Fields in quotes most of whose lines are records by themselves.
        escaped: Fields with quotes that do not match, and with a backslash before a quote.
    """

    look: RecordLook
    records: int = 0
    needed: int = 0
    enclosed: int = 0
    stray: int = 0
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
        end = len(content)
        if len(fields) and fields.closes[-1] == len(content) and not fields.strays[-1] and not is_last:
            end = content.rfind(b"\n", 0, fields.opens[-1]) + 1
            if len(content) - end > LONGEST_FIELD:
                end = len(content)
        done = content[:end]
        if end < len(content):
            fields = find_quoted_fields(done, self.look.delimiter)
        self.records += count_filled(done, find_record_ends(done, fields))
        if len(fields):
            self._vote(done, fields)
        return end

    def _vote(self, content: bytes, fields: QuotedFields) -> None:
        is_sound = fields.is_sound(len(content))
        lines, like_records = self.look.count_lines(content, fields)
        swallows = (lines > 1) & (2 * like_records > lines)
        separators = find_places(content, ord(self.look.delimiter))
        holds = np.searchsorted(separators, fields.closes) > np.searchsorted(separators, fields.opens)
        needs = is_sound & ~swallows & (holds | fields.doubled | (lines > 1))
        self.needed += int(needs.sum())
        self.enclosed += int((is_sound & ~needs & ~swallows).sum())
        self.stray += int((~is_sound & ~swallows & (lines == 1)).sum())
        self.swallowing += int(swallows.sum())
        unsound = zip(fields.opens[~is_sound], fields.closes[~is_sound], strict=True)
        self.escaped += sum(content.find(b'\\"', opens, closes) >= 0 for opens, closes in unsound)

    def are_quoted(self) -> bool | None:
        """Return whether quotes enclose fields; None if it cannot be told and changes the count."""
        for_quotes = self.needed + (self.enclosed if 2 * self.enclosed >= self.records else 0)
        against = self.stray + self.swallowing
        if not against or not for_quotes:
            return not against
        is_clear = max(for_quotes, against) >= CLEAR * min(for_quotes, against)
        return for_quotes >= against if is_clear or not self.swallowing else None
