"""Intervals and tests for every figure that the report compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

# `scipy` alone: it loads `scipy.stats`, which takes most of a second, where the first figure asks for it.
import scipy

FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]

# The 97.5% point of the normal distribution: a 95% interval is this many standard errors to each side.
NORMAL_QUANTILE = 1.959963984540054
# Differences of accuracies and losses that are equal but for the last bits are below this.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95% interval."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """By how much the first exceeds the second.

    Attributes:
        p_value: Two-sided, of the hypothesis that the difference is zero; not corrected for other comparisons.
    """

    difference: Interval
    p_value: float


def wilson_interval(successes: int, count: int) -> Interval:
    """Return the 95% score interval of a proportion.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927).

    Args:
        successes: How many of them are right, 0 to `count`.
        count: At least 1.

    Returns:
        Shares, 0 to 1.

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
        values: float, shape (reviews,): a loss of each review in nats, or its hits averaged over seeds, 0 to 1.

    Returns:
        In the unit of `values`.

    Raises:
        ValueError: There are fewer than two values, which say nothing of how they vary.

    Example:
        >>> interval = mean_interval(np.array([0.1, 0.3, 0.5, 0.7]))
        >>> round(interval.estimate, 3), round(interval.low, 3), round(interval.high, 3)
        (0.4, 0.147, 0.653)
    """
    if len(values) < 2:
        raise ValueError(f"`values` must hold at least two values. Received: len(values)={len(values)}.")
    mean, margin = float(values.mean()), NORMAL_QUANTILE * float(scipy.stats.sem(values))
    return Interval(mean, mean - margin, mean + margin)


def paired_accuracy_difference(first: BoolArray, second: BoolArray) -> Interval:
    """Return by how much the first model is right more often than the second on the same reviews.

    Only the reviews on which one is right and the other wrong count; half of one is added to each cell of the
    two-by-two table, which keeps the interval honest when there are few of them.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24 (2005).

    Args:
        first: bool, shape (reviews,): whether the first model is right.
        second: Likewise, of the same reviews in the same order.

    Returns:
        Difference of shares, -1 to 1.

    Example:
        >>> first, second = np.arange(1000) < 850, np.arange(1000) < 800
        >>> interval = paired_accuracy_difference(first, second)
        >>> round(interval.estimate, 3), round(interval.low, 3), round(interval.high, 3)
        (0.05, 0.036, 0.064)
    """
    count = len(first)
    first_only, second_only = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    padded_count = count + 2
    difference = (first_only - second_only) / padded_count
    discordant = (first_only + second_only + 1) / padded_count
    margin = NORMAL_QUANTILE * sqrt((discordant - difference**2) / padded_count)
    return Interval((first_only - second_only) / count, difference - margin, difference + margin)


def exact_mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided exact p-value of two models being right equally often on the same reviews.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947); the exact test is the sign test of the discordant reviews.

    Args:
        first_only: Reviews on which the first model is right and the second wrong.
        second_only: The other way round.

    Returns:
        0 to 1; 1 where there are no such reviews.

    Example:
        >>> exact_mcnemar(1, 7)
        0.0703125
    """
    discordant = first_only + second_only
    return float(scipy.stats.binomtest(first_only, discordant).pvalue) if discordant else 1.0


def adjust_holm(p_values: Sequence[float], comparisons: int | None = None) -> list[float]:
    """Return p-values corrected for their number, so that at most 5% of nights have a false one below 0.05.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979).

    Args:
        p_values: 0 to 1, in any order.
        comparisons: How many were planned, by default as many as there are p-values. Those that were withdrawn count
            as if their p-values were 1: what a night could not compare must not make the rest look surer.

    Returns:
        In the order of `p_values`, 0 to 1.

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
    # It brings pandas and takes half a second, for which commands that correct nothing need not wait.
    from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # it has no types

    withdrawn = [1.0] * (planned - len(p_values))
    _, adjusted, _, _ = multipletests([*p_values, *withdrawn], method="holm")
    return [float(p) for p in adjusted[: len(p_values)]]


def smallest_resolvable_difference(
    discordant_share: float, count: int, significance: float = 0.05, power: float = 0.8
) -> float | None:
    """Return the smallest difference in accuracy that McNemar's test resolves with this power.

    Connor's sample size, d √n = z(1 - significance/2) √ψ + z(power) √(ψ - d²), solved for the difference d, where ψ is
    the share of discordant reviews. It is of the asymptotic test; the exact one needs a little more.

    Source: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43
    (1987).

    Args:
        discordant_share: Of the reviews, those on which one model is right and the other wrong, 0 to 1.
        count: Reviews.
        significance: Below which p-value the test calls two models different, two-sided.
        power: With which probability it shall, 0 to 1.

    Returns:
        Difference of shares, above 0 and at most `discordant_share`; None where not even that much would be resolved.

    Example:
        >>> round(smallest_resolvable_difference(0.1, 25_000), 4)
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


def compare_certain(difference: float) -> Comparison:
    """Return the comparison of two figures whose difference does not vary: an interval without width."""
    return Comparison(Interval(difference, difference, difference), 1.0 if difference == 0 else 0.0)


def compare_over_seeds(first: Sequence[float], second: Sequence[float]) -> Comparison | None:
    """Return by how much the first variant exceeds the second on average over seeds, by a paired t test.

    It speaks of other seeds on the same reviews, not of other reviews.

    Source: Student, "The probable error of a mean", Biometrika 6 (1908).

    Args:
        first: One figure of each seed, such as test accuracy, 0 to 1.
        second: Likewise, of the same seeds in the same order.

    Returns:
        In the unit of the figures; None where there are fewer than two seeds.

    Example:
        >>> comparison = compare_over_seeds([0.81, 0.82, 0.84], [0.80, 0.80, 0.81])
        >>> round(comparison.difference.estimate, 3), round(comparison.p_value, 3)
        (0.02, 0.074)
    """
    differences = np.array([one - other for one, other in zip(first, second, strict=True)])
    if len(differences) < 2:
        return None
    # The test divides by the deviation of the differences, and warns where that is zero.
    if np.ptp(differences) < ROUNDING:
        difference = float(differences.mean())
        return compare_certain(difference if abs(difference) > ROUNDING else 0.0)
    test = scipy.stats.ttest_rel(first, second)
    interval = test.confidence_interval(0.95)
    return Comparison(
        Interval(float(differences.mean()), float(interval.low), float(interval.high)), float(test.pvalue)
    )


def seed_noise(groups: Sequence[Sequence[float]]) -> tuple[float, int] | None:
    """Return how much a figure varies by its seed alone: the pooled standard deviation within groups.

    Source: Fisher, "Applications of 'Student's' distribution", Metron 5 (1925).

    Args:
        groups: Of each night and variant, the figure of each of its seeds.

    Returns:
        The deviation in the unit of the figures, and its degrees of freedom; None where no group has two figures.

    Example:
        >>> deviation, degrees = seed_noise([[0.80, 0.82], [0.79, 0.80, 0.84], [0.81]])
        >>> round(deviation, 4), degrees
        (0.0231, 3)
    """
    degrees = sum(len(group) - 1 for group in groups if group)
    if degrees == 0:
        return None
    return sqrt(sum(float(np.var(group)) * len(group) for group in groups if group) / degrees), degrees


def seed_band(deviation: float, degrees: int, seeds_before: int, seeds_now: int) -> float:
    """Return how far two nights' means of one variant may be apart by their seeds alone.

    Source: Fisher, "Applications of 'Student's' distribution", Metron 5 (1925): the t interval of the difference of
    two means with a common deviation.

    Args:
        deviation: Of one seed's figure, from `seed_noise`.
        degrees: Its degrees of freedom.
        seeds_before: In the mean of the night before.
        seeds_now: In tonight's.

    Returns:
        Half the width of the 95% band, in the unit of `deviation`.

    Example:
        >>> round(seed_band(0.01, 8, 3, 3), 4)
        0.0188
    """
    return float(scipy.stats.t.ppf(0.975, degrees)) * deviation * sqrt(1 / seeds_before + 1 / seeds_now)
