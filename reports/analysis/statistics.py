"""Confidence intervals and statistical tests for the figures that the report compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

# `scipy` alone: it loads `scipy.stats`, which takes most of a second, at the first use.
import scipy

FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]

# A difference is significant if its p-value, corrected for all pairs, is below this.
SIGNIFICANCE = 0.05
# The 97.5% quantile of the normal distribution: a 95% interval extends this many standard errors to each side.
NORMAL_QUANTILE = 1.959963984540054
# Differences of accuracies and losses that only rounding causes are smaller than this.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95% interval."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.excludes(0.0)

    def excludes(self, value: float) -> bool:
        """Return whether a value lies outside the interval."""
        return self.low > value or self.high < value


@dataclass(frozen=True)
class Comparison:
    """The first figure minus the second, with a test.

    Attributes:
        p_value: Two-sided, for the hypothesis that the difference is zero; not corrected for multiple comparisons.
    """

    difference: Interval
    p_value: float


def wilson_interval(successes: int, count: int) -> Interval:
    """Return the 95% score interval of a proportion.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927).

    Args:
        successes: Number of correct predictions, 0 to `count`.
        count: Number of predictions, at least 1.

    Returns:
        0 to 1.

    Example:
        >>> interval = wilson_interval(20_000, 25_000)
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.795, 0.8049)
    """
    interval = scipy.stats.binomtest(successes, count).proportion_ci(confidence_level=0.95, method="wilson")
    return Interval(successes / count, float(interval.low), float(interval.high))


def mean_interval(values: FloatArray) -> Interval:
    """Return the normal 95% interval of a mean over reviews.

    Source: the central limit theorem; Lehmann, "Elements of Large-Sample Theory", Springer (1999), chapter 4.

    Args:
        values: float, shape (reviews,): each review's loss in nats, or the share of seeds that classify it correctly.

    Returns:
        In the unit of `values`.

    Raises:
        ValueError: There are fewer than two values, so that their variance is unknown.

    Example:
        >>> interval = mean_interval(np.array([0.1, 0.3, 0.5, 0.7]))
        >>> round(interval.estimate, 3), round(interval.low, 3), round(interval.high, 3)
        (0.4, 0.147, 0.653)
    """
    if len(values) < 2:
        raise ValueError(f"`values` must hold at least two values. Received: len(values)={len(values)}.")
    mean, margin = float(values.mean()), NORMAL_QUANTILE * float(scipy.stats.sem(values))
    return Interval(mean, mean - margin, mean + margin)


def paired_accuracy_difference(first: BoolArray, second: BoolArray, confidence: float = 0.95) -> Interval:
    """Return the first model's accuracy minus the second's on the same reviews, with a paired interval.

    Only discordant reviews count: those that exactly one model classifies correctly. Half a review is added to each
    cell of the two-by-two table, because the interval would be too narrow for few discordant reviews.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24 (2005).

    Args:
        first: bool, shape (reviews,): whether the first model is correct.
        second: bool, shape (reviews,): whether the second model is correct, for the same reviews in the same order.
        confidence: Of the interval, 0 to 1.

    Returns:
        Difference of accuracies, -1 to 1.

    Example:
        >>> first, second = np.arange(1000) < 850, np.arange(1000) < 800
        >>> interval = paired_accuracy_difference(first, second)
        >>> round(interval.estimate, 3), round(interval.low, 3), round(interval.high, 3)
        (0.05, 0.036, 0.064)
    """
    count, padded_count = len(first), len(first) + 2
    first_only, second_only = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    difference = (first_only - second_only) / padded_count
    discordant = (first_only + second_only + 1) / padded_count
    quantile = NORMAL_QUANTILE if confidence == 0.95 else float(scipy.special.ndtri((1 + confidence) / 2))
    margin = quantile * sqrt((discordant - difference**2) / padded_count)
    return Interval((first_only - second_only) / count, difference - margin, difference + margin)


def exact_mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided exact p-value for the hypothesis that two models are equally accurate on the same reviews.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947); the exact test is the sign test of the discordant reviews.

    Args:
        first_only: Number of reviews that only the first model classifies correctly.
        second_only: Number of reviews that only the second model classifies correctly.

    Returns:
        0 to 1; 1 if there are no such reviews.

    Example:
        >>> exact_mcnemar(1, 7)
        0.0703125
    """
    discordant = first_only + second_only
    return float(scipy.stats.binomtest(first_only, discordant).pvalue) if discordant else 1.0


def adjust_holm(p_values: Sequence[float], comparisons: int | None = None) -> list[float]:
    """Return p-values after Holm's correction for multiple comparisons.

    If no pair differs, at least one corrected p-value is below 0.05 in at most 5% of all runs.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979).

    Args:
        p_values: 0 to 1, in any order.
        comparisons: Number of planned comparisons, by default the number of p-values. The others count with a p-value
            of 1: a failed training must not make the other differences more significant.

    Returns:
        0 to 1, in the order of `p_values`.

    Raises:
        ValueError: There are more p-values than planned comparisons.

    Example:
        >>> [round(p, 3) for p in adjust_holm([0.01, 0.04, 0.03, 0.005])]
        [0.03, 0.06, 0.06, 0.02]
    """
    planned = len(p_values) if comparisons is None else comparisons
    if planned < len(p_values):
        raise ValueError(
            f"`comparisons` must be at least the number of p-values, {len(p_values)}. Received: comparisons={planned}."
        )
    if not p_values:
        return []
    # It imports pandas and takes half a second, and not every command needs it.
    from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # it has no types

    _, adjusted, _, _ = multipletests([*p_values, *[1.0] * (planned - len(p_values))], method="holm")
    return [float(p) for p in adjusted[: len(p_values)]]


def minimum_detectable_difference(
    discordant_share: float, count: int, significance: float = 0.05, power: float = 0.8
) -> float | None:
    """Return the smallest difference in accuracy that McNemar's test detects with this power.

    It solves Connor's formula for the sample size, d √n = z(1 - significance/2) √ψ + z(power) √(ψ - d²), for the
    difference d; ψ is the share of discordant reviews. The exact test needs a slightly larger difference.

    Source: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43
    (1987).

    Args:
        discordant_share: Share of the reviews that exactly one model classifies correctly, 0 to 1.
        count: Number of reviews.
        significance: Two-sided significance level, 0 to 1.
        power: Probability of detecting the difference, 0 to 1.

    Returns:
        Difference of accuracies, above 0 and at most `discordant_share`; None if not even that difference is detected.

    Example:
        >>> round(minimum_detectable_difference(0.1, 25_000), 4)
        0.0056
    """
    by_chance, by_power = (float(scipy.stats.norm.ppf(p)) for p in (1 - significance / 2, power))
    under_root = count + by_power**2 - by_chance**2
    if under_root <= 0:
        return None
    # The root of the quadratic equation in d for which d √n - z(1 - significance/2) √ψ has the sign of z(power).
    scale = (by_chance * sqrt(count) + by_power * sqrt(under_root)) / (count + by_power**2)
    difference = sqrt(discordant_share) * scale
    return difference if 0 < difference <= discordant_share else None


def compare_without_variance(difference: float) -> Comparison:
    """Return a comparison whose difference has no variance: the interval has no width, and the p-value is 0 or 1."""
    return Comparison(Interval(difference, difference, difference), 1.0 if difference == 0 else 0.0)
