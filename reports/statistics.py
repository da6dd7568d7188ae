"""Intervals for every figure that the report compares."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

# The 97.5% point of the normal distribution: a 95% interval is this many standard errors to each side.
NORMAL_QUANTILE = 1.959964


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95% interval."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def wilson_interval(accuracy: float, count: int) -> Interval:
    """Return the 95% score interval of a proportion.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Example:
        >>> interval = wilson_interval(0.8, 25_000)
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.795, 0.8049)
    """
    z = NORMAL_QUANTILE
    centre = (accuracy + z * z / (2 * count)) / (1 + z * z / count)
    margin = z * sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return Interval(accuracy, centre - margin, centre + margin)


def paired_accuracy_difference(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Interval:
    """Return by how much the first model is right more often than the second on the same reviews.

    Only the reviews on which one is right and the other wrong count; half of one is added to each cell of the
    two-by-two table, which keeps the interval honest when there are few of them.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24 (2005).

    Args:
        first: bool, shape (reviews,): whether the first model is right.
        second: Likewise.
    """
    count = len(first)
    first_only, second_only = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    padded_count = count + 2
    difference = (first_only - second_only) / padded_count
    discordant = (first_only + second_only + 1) / padded_count
    margin = NORMAL_QUANTILE * sqrt((discordant - difference**2) / padded_count)
    return Interval((first_only - second_only) / count, difference - margin, difference + margin)
