"""The common scale of the accuracies in the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reports.analysis.statistics import Interval

# Room at both ends for the dot, in hundredths of the scale.
MARGIN = 4.0


class Scale(NamedTuple):
    """Places values on a line of length 100."""

    low: float
    high: float

    def place(self, value: float) -> str:
        """Return where a value stands, 0 to 100, with one decimal.

        Example:
            >>> Scale(0.7, 0.8).place(0.75)
            '50.0'
        """
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return f"{MARGIN + share * (100 - 2 * MARGIN):.1f}"


def span_intervals(intervals: Sequence[Interval]) -> Scale:
    """Return the scale from the lowest to the highest end of the intervals."""
    if not intervals:
        return Scale(0.0, 1.0)
    return Scale(min(one.low for one in intervals), max(one.high for one in intervals))
