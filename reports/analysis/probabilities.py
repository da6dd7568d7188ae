"""ROC curve and calibration: how well probabilities rank the reviews, and how reliable their values are."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

# As in `reports.analysis.statistics`: `scipy.stats` is loaded at its first use.
import scipy

from reports.analysis.statistics import (
    NORMAL_QUANTILE,
    BoolArray,
    Comparison,
    FloatArray,
    Interval,
    compare_without_variance,
)

CALIBRATION_DRAWS = 10_000


def auc_interval(labels: BoolArray, scores: FloatArray) -> Interval | None:
    """Return the area under the ROC curve with its 95% interval by DeLong's variance.

    If every positive review scores above every negative one, the variance is 0 and so is the interval's width.

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves: a nonparametric approach", Biometrics 44 (1988).

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        scores: float, shape (reviews,), higher for a positive review. Or shape (seeds, reviews): the area is then the
            mean of the seeds' areas.

    Returns:
        0 to 1; None if a class has fewer than two reviews.

    Example:
        >>> auc_interval(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1])).estimate
        0.75
    """
    if _smaller_class(labels) < 2:
        return None
    area, error = _estimate_area(*_structural_components(labels, scores))
    return Interval(area, max(area - NORMAL_QUANTILE * error, 0.0), min(area + NORMAL_QUANTILE * error, 1.0))


def compare_auc(labels: BoolArray, first: FloatArray, second: FloatArray) -> Comparison | None:
    """Return the area under the first model's ROC curve minus the second's, on the same reviews, by DeLong's test.

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves: a nonparametric approach", Biometrics 44 (1988).

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        first: float, shape (reviews,) or (seeds, reviews): scores as in `auc_interval`. Only their order matters.
        second: float, the second model's scores for the same reviews.

    Returns:
        Difference of areas, -1 to 1; None if a class has fewer than two reviews.

    Example:
        >>> labels, scores = np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1])
        >>> compare_auc(labels, scores, scores**2)
        Comparison(difference=Interval(estimate=0.0, low=0.0, high=0.0), p_value=1.0)
    """
    if _smaller_class(labels) < 2:
        return None
    components = (_structural_components(labels, scores) for scores in (first, second))
    of_positives, of_negatives = (one - other for one, other in zip(*components, strict=True))
    difference, error = _estimate_area(of_positives, of_negatives)
    if error == 0:
        return compare_without_variance(difference)
    interval = Interval(difference, difference - NORMAL_QUANTILE * error, difference + NORMAL_QUANTILE * error)
    return Comparison(interval, float(2 * scipy.stats.norm.sf(abs(difference) / error)))


def _smaller_class(labels: BoolArray) -> int:
    return min(int(labels.sum()), int((~labels).sum()))


def _structural_components(labels: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return DeLong's structural components: the rank of each review among the reviews of the other class.

    They are computed from mid-ranks in n log n steps.

    Source: Sun and Xu, "Fast implementation of DeLong's algorithm for comparing the areas under correlated receiver
    operating characteristic curves", IEEE Signal Processing Letters 21 (2014).

    Returns:
        Two float64 arrays, means over seeds. Shape (positives,): for each positive review, the share of negative
        reviews with a lower score. Shape (negatives,): for each negative review, the share of positive reviews with a
        higher score. Equal scores count half.
    """
    of_all = np.atleast_2d(scores)
    positives, negatives = of_all[:, labels], of_all[:, ~labels]
    ranks = scipy.stats.rankdata(of_all, axis=-1)
    below = (ranks[:, labels] - scipy.stats.rankdata(positives, axis=-1)) / negatives.shape[1]
    above = 1 - (ranks[:, ~labels] - scipy.stats.rankdata(negatives, axis=-1)) / positives.shape[1]
    return below.mean(axis=0), above.mean(axis=0)


def _estimate_area(of_positives: FloatArray, of_negatives: FloatArray) -> tuple[float, float]:
    """Return an area, or a difference of areas, and its standard error, from its structural components."""
    variance = np.var(of_positives, ddof=1) / len(of_positives) + np.var(of_negatives, ddof=1) / len(of_negatives)
    return float(of_positives.mean()), sqrt(variance)


def calibration_error(labels: BoolArray, probabilities: FloatArray, bins: int = 15) -> float:
    """Return the expected calibration error: how far probabilities are from the shares of positive reviews.

    The probabilities are put into bins of equal width, each closed on the right. The error is the mean distance between
    a bin's mean probability and its share of positive reviews, weighted by its number of reviews.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
    (2015), for two classes; Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML (2017),
    for the bins.

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: float, shape (reviews,): that it is, 0 to 1.
        bins: Number of bins.

    Returns:
        0 to 1. Even for a perfectly calibrated model it is above 0, and the fewer the reviews, the higher it is.

    Example:
        >>> calibration_error(np.array([False, True]), np.array([0.25, 0.75]), bins=2)
        0.25
    """
    indices, gaps = _bins_and_gaps(labels, probabilities, bins)
    return float(np.abs(np.bincount(indices, gaps)).sum() / len(gaps))


def calibration_interval(labels: BoolArray, probabilities: FloatArray, bins: int = 15) -> Interval:
    """Return the expected calibration error with a 95% interval that also covers well calibrated models.

    An ordinary bootstrap interval of the error does not: the error is a sum of distances, and noise only makes it
    larger. So for a well calibrated model that interval nearly always misses the true value. Noise changes the sum by
    at most the sum of the noise's own distances. The margin is the 95% quantile of that sum, from a parametric
    bootstrap. The interval is rather too wide than too narrow.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall (1993), section 6.5.

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: float, shape (reviews,): that it is, 0 to 1.
        bins: Number of bins.

    Returns:
        0 to 1. The same arguments give the same interval.

    Example:
        >>> positives, probabilities = np.arange(1000) % 5 < 4, np.full(1000, 0.9)
        >>> interval = calibration_interval(positives, probabilities)
        >>> round(interval.estimate, 2), round(interval.low, 2), round(interval.high, 2)
        (0.1, 0.07, 0.13)
    """
    indices, gaps = _bins_and_gaps(labels, probabilities, bins)
    deviations = np.sqrt(np.bincount(indices, gaps**2)) / len(gaps)
    draws = np.random.default_rng(0).normal(size=(CALIBRATION_DRAWS, len(deviations)))
    margin = float(np.quantile(np.abs(draws * deviations).sum(axis=1), 0.95))
    error = calibration_error(labels, probabilities, bins)
    return Interval(error, max(error - margin, 0.0), min(error + margin, 1.0))


def _bins_and_gaps(
    labels: BoolArray, probabilities: FloatArray, bins: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return each review's bin, counted from 0, and its probability minus its label; both of shape (reviews,)."""
    return bin_probabilities(probabilities, bins), probabilities.astype(np.float64) - labels


def bin_probabilities(probabilities: FloatArray, bins: int) -> npt.NDArray[np.intp]:
    """Return each probability's bin, counted from 0: intp, shape (reviews,).

    The bins have equal width from 0 to 1, and each is closed on the right.
    """
    return np.digitize(probabilities.astype(np.float64), np.linspace(0, 1, bins + 1)[1:-1], right=True)
