"""One-sided paired tests: is a model better than another on the same reviews, or worse?"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

# As in `reports.analysis.statistics`: `scipy.stats` is loaded at its first use.
import scipy

from reports.analysis.probabilities import bin_probabilities
from reports.analysis.statistics import BoolArray, FloatArray, paired_accuracy_difference

BOOTSTRAP_DRAWS = 1000
CALIBRATION_BINS = 15


def mcnemar_greater(first_only: int, second_only: int) -> float:
    """Return the one-sided exact p-value for the hypothesis that the first model is not more accurate than the second.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947); the exact test is the sign test of the discordant reviews.

    Args:
        first_only: Number of reviews that only the first model classifies correctly.
        second_only: Number of reviews that only the second model classifies correctly.

    Returns:
        0 to 1; 1 if there are no such reviews.

    Example:
        >>> mcnemar_greater(7, 1)
        0.03515625
    """
    discordant = first_only + second_only
    if not discordant:
        return 1.0
    return float(scipy.stats.binomtest(first_only, discordant, alternative="greater").pvalue)


def least_clear_gain(discordant: int, count: int, level: float) -> float | None:
    """Return the smallest gain in accuracy that `mcnemar_greater` would have called clear with as many disagreements.

    Args:
        discordant: Number of reviews that exactly one of the two models classifies correctly.
        count: Number of reviews.
        level: Of the test, 0 to 1.

    Returns:
        0 to 1; None if so few disagreements can never be clear.

    Example:
        >>> round(least_clear_gain(2500, 25_000, 0.05 / 365), 4)
        0.0074
    """
    if not discordant or not count:
        return None
    # The fewest of them that the better model must have right: P(X >= wins) <= level for X ~ Binomial(discordant, 1/2).
    wins = int(scipy.stats.binom.isf(level, discordant, 0.5)) + 1
    return (2 * wins - discordant) / count if wins <= discordant else None


def lower_bound(first: BoolArray, second: BoolArray) -> float:
    """Return the lower end of the one-sided 95% interval of the first model's accuracy minus the second's.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24 (2005); one side of its 90% interval.

    Args:
        first: bool, shape (reviews,): whether the first model is correct.
        second: bool, shape (reviews,): whether the second model is correct, for the same reviews.

    Example:
        >>> round(lower_bound(np.arange(1000) < 850, np.arange(1000) < 850), 4)
        -0.0016
    """
    return paired_accuracy_difference(first, second, confidence=0.90).low


def mean_greater(differences: FloatArray) -> float:
    """Return the one-sided p-value for the hypothesis that a mean of paired differences is not above zero.

    Source: the central limit theorem; Lehmann, "Elements of Large-Sample Theory", Springer (1999), chapter 4.

    Args:
        differences: float, shape (reviews,).

    Returns:
        0 to 1. Without any variance, 0 if the mean is above zero, else 1.

    Example:
        >>> round(mean_greater(np.array([0.1, 0.3, -0.1, 0.2])), 3)
        0.072
    """
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    if deviation == 0:
        return 0.0 if mean > 0 else 1.0
    return float(scipy.stats.norm.sf(mean * sqrt(len(differences)) / deviation))


def compare_calibration(labels: BoolArray, first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Return the first model's expected calibration error minus the second's, and whether it is clearly above zero.

    Both errors are computed again on the same random draws of the reviews, with replacement.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall (1993), chapter 16, for paired
    draws; the error itself as in `calibration_error`.

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        first: float, shape (reviews,): the first model's probabilities.
        second: float, shape (reviews,): the second model's, for the same reviews.

    Returns:
        The difference, -1 to 1; and the one-sided p-value of the bootstrap: the share of draws whose difference is not
        above zero. The same arguments give the same values.

    Example:
        >>> labels = np.arange(1000) % 2 == 0
        >>> sure, unsure = np.where(labels, 0.9, 0.1), np.where(labels, 0.99, 0.01)
        >>> difference, p_value = compare_calibration(labels, sure, unsure)
        >>> round(difference, 2), p_value
        (0.09, 0.0)
    """
    measured = [
        (bin_probabilities(probabilities, CALIBRATION_BINS), probabilities.astype(np.float64) - labels)
        for probabilities in (first, second)
    ]
    count, random = len(labels), np.random.default_rng(0)

    def subtract(rows: npt.NDArray[np.intp] | slice) -> float:
        one, other = (float(np.abs(np.bincount(bins[rows], gaps[rows])).sum()) for bins, gaps in measured)
        return (one - other) / count

    draws = [subtract(random.integers(0, count, count)) for _ in range(BOOTSTRAP_DRAWS)]
    return subtract(slice(None)), float(np.mean([draw <= 0 for draw in draws]))
