"""Compare trainings over several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

# `scipy` alone: it loads `scipy.stats`, which takes most of a second, at the first use.
import scipy

from reports.analysis.statistics import ROUNDING, Comparison, Interval, compare_without_variance


def compare_over_seeds(first: Sequence[float], second: Sequence[float]) -> Comparison | None:
    """Return the first variant's mean over seeds minus the second's, by a paired t test.

    The result holds for other seeds on the same reviews, not for other reviews.

    Source: Student, "The probable error of a mean", Biometrika 6 (1908).

    Args:
        first: One figure for each seed, such as the test accuracy.
        second: The second variant's figures, for the same seeds in the same order.

    Returns:
        In the unit of the figures; None if there are fewer than two seeds.

    Raises:
        ValueError: The two have different numbers of seeds.

    Example:
        >>> comparison = compare_over_seeds([0.81, 0.82, 0.84], [0.80, 0.80, 0.81])
        >>> round(comparison.difference.estimate, 3), round(comparison.p_value, 3)
        (0.02, 0.074)
    """
    differences = np.array([one - other for one, other in zip(first, second, strict=True)])
    if len(differences) < 2:
        return None
    mean = float(differences.mean())
    # The test divides by the deviation of the differences, and warns if it is zero.
    if np.ptp(differences) < ROUNDING:
        return compare_without_variance(mean if abs(mean) > ROUNDING else 0.0)
    test = scipy.stats.ttest_rel(first, second)
    interval = test.confidence_interval(0.95)
    return Comparison(Interval(mean, float(interval.low), float(interval.high)), float(test.pvalue))


def pooled_seed_deviation(groups: Sequence[Sequence[float]]) -> tuple[float, int] | None:
    """Return the pooled standard deviation between seeds within groups.

    Source: Fisher, "Applications of 'Student's' distribution", Metron 5 (1925).

    Args:
        groups: For each run and variant, one figure for each seed.

    Returns:
        The deviation in the unit of the figures, and its degrees of freedom; None if no group has two figures.

    Example:
        >>> deviation, degrees = pooled_seed_deviation([[0.80, 0.82], [0.79, 0.80, 0.84], [0.81]])
        >>> round(deviation, 4), degrees
        (0.0231, 3)
    """
    degrees = sum(len(group) - 1 for group in groups if group)
    squares = sum(float(np.var(group)) * len(group) for group in groups if group)
    return (sqrt(squares / degrees), degrees) if degrees else None


def seed_range_half_width(deviation: float, degrees: int, seeds_before: int, seeds_now: int) -> float:
    """Return half the width of the 95% range for the difference of two runs' means if only the seeds differ.

    Source: Fisher, "Applications of 'Student's' distribution", Metron 5 (1925): the t interval for the
    difference of two means with a common deviation.

    Args:
        deviation: Standard deviation between seeds, from `pooled_seed_deviation`.
        degrees: Its degrees of freedom.
        seeds_before: Number of seeds in the previous run's mean.
        seeds_now: Number of seeds in this run's mean.

    Returns:
        In the unit of `deviation`.

    Example:
        >>> round(seed_range_half_width(0.01, 8, 3, 3), 4)
        0.0188
    """
    return float(scipy.stats.t.ppf(0.975, degrees)) * deviation * sqrt(1 / seeds_before + 1 / seeds_now)
