"""The common scale of the accuracies in the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reports.analysis.statistics import Interval
from reports.sections.comparison_section import ComparisonRow

# Room at both ends for the dot, in hundredths of the scale.
MARGIN = 6.0


class Scale(NamedTuple):
    """Places values on a line of length 100."""

    low: float
    high: float

    def holds(self, interval: Interval) -> bool:
        """Return whether a whole interval has its place on the line, or in the room at its ends."""
        room = (self.high - self.low) * MARGIN / (100 - 2 * MARGIN)
        return self.low - room <= interval.low and interval.high <= self.high + room

    def place(self, value: float) -> str:
        """Return where a value stands, 0 to 100, with one decimal.

        Example:
            >>> Scale(0.7, 0.8).place(0.75)
            '50.0'
        """
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return f"{MARGIN + share * (100 - 2 * MARGIN):.1f}"


def span_accuracies(rows: Sequence[ComparisonRow]) -> Scale:
    """Return the scale of the variants' test accuracies. A baseline that is far below them has no place on it."""
    return span_intervals([row.figures.test.accuracy for row in rows if row.figures and not row.is_baseline])


def span_intervals(intervals: Sequence[Interval]) -> Scale:
    """Return the scale from the lowest to the highest end of the intervals."""
    if not intervals:
        return Scale(0.0, 1.0)
    return Scale(min(one.low for one in intervals), max(one.high for one in intervals))
