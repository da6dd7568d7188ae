"""Areas under ROC curves and calibration: published examples, and what holds at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from reports.analysis.probabilities import auc_interval, calibration_error, calibration_interval, compare_auc
from reports.analysis.statistics import Comparison, Interval

SEED = 20261123
REVIEWS = 1000

# 113 patients with a haemorrhage: Turck et al., "A multiparameter panel method for outcome prediction following
# aneurysmal subarachnoid hemorrhage", Intensive Care Medicine 36 (2010), the data set aSAH of the R package pROC.
# Whether the outcome was poor, the clinical grade (wfns) from 1 to 5, and the blood's S100B in 0.01 µg/l.
POOR_OUTCOME = (
    "00001101001011001011101000000000100110110000000001100010001010011101101111000110100000010000000000001111110001000"
)
GRADE = (
    "11113254125255125225211112121134214541425511241125521251222151125214524414121421232421451154221113125225552445111"
)
S100B = """
    13 14 10 4 13 10 47 16 18 10 12 10 44 71 4 8 49 4 7 33 9 9 7 11 7 17 7 11 13 19 5 16 41 14 34 35 48 9 96 25
    50 46 16 7 43 45 11 8 9 86 52 8 6 13 207 10 14 15 7 6 77 5 9 30 3 9 4 23 70 9 27 71 8 26 8 16 9 13 10 8 11
    33 11 28 7 10 32 22 7 5 24 38 10 15 8 14 10 7 4 19 56 14 58 32 82 74 15 47 17 44 15 50 48
"""


@pytest.fixture
def patients():
    """Outcome, grade and S100B of each patient."""
    return np.array(list(POOR_OUTCOME)) == "1", np.array(list(GRADE), float), np.array(S100B.split(), float)


def test_the_areas_are_those_of_the_haemorrhage_patients(patients):
    # Robin et al., "pROC: an open-source package for R and S+ to analyze and compare ROC curves", BMC Bioinformatics
    # 12:77 (2011); the digits and the variances are those that the package's own tests expect.
    poor, grade, s100b = patients
    for scores, area, variance in (
        (grade, 0.823678861788618, 0.00146991470882363),
        (s100b, 0.731368563685637, 0.00266868245717244),
    ):
        interval = auc_interval(poor, scores)
        margin = 1.959963984540054 * np.sqrt(variance)
        assert interval.estimate == pytest.approx(area)
        assert (interval.low, interval.high) == pytest.approx((area - margin, area + margin))


def test_the_areas_differ_as_those_of_the_haemorrhage_patients(patients):
    # Likewise, `roc.test` of pROC's tests: Z = 2.209, p = 0.02718.
    poor, grade, s100b = patients
    comparison = compare_auc(poor, grade, s100b)
    assert comparison.p_value == pytest.approx(0.0271757822291882)
    interval = (comparison.difference.low, comparison.difference.high)
    assert interval == pytest.approx((0.0104061769564846, 0.174214419249478))
    assert compare_auc(poor, s100b, grade).p_value == pytest.approx(comparison.p_value)


def compare_pair_by_pair(labels, first, second):
    """Difference of areas and its variance as DeLong et al. define them, by comparing every pair of reviews."""

    def kernel(scores):
        gap = scores[labels][:, None] - scores[~labels][None, :]
        return (gap > 0) + 0.5 * (gap == 0)

    pairs = kernel(first) - kernel(second)
    variance = np.var(pairs.mean(axis=1), ddof=1) / labels.sum() + np.var(pairs.mean(axis=0), ddof=1) / (~labels).sum()
    return pairs.mean(), variance


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_mid_ranks_give_what_comparing_every_pair_gives_with_few_or_many_ties(decimals):
    random = np.random.default_rng(SEED)
    labels = random.random(211) < 0.4
    first, second = (np.round(labels + random.normal(size=211), decimals) for _ in range(2))
    difference, variance = compare_pair_by_pair(labels, first, second)
    comparison = compare_auc(labels, first, second)
    assert comparison.difference.estimate == pytest.approx(difference)
    assert comparison.difference.high - comparison.difference.low == pytest.approx(2 * 1.959964 * np.sqrt(variance))
    assert auc_interval(labels, first).estimate == pytest.approx(roc_auc_score(labels, first))


def test_the_area_of_several_seeds_is_the_mean_of_theirs():
    random = np.random.default_rng(SEED)
    labels = random.random(REVIEWS) < 0.5
    scores = labels + random.normal(size=(3, REVIEWS))
    together = auc_interval(labels, scores)
    alone = [auc_interval(labels, one) for one in scores]
    assert together.estimate == pytest.approx(np.mean([one.estimate for one in alone]))
    assert together.high - together.low < min(one.high - one.low for one in alone)
    assert auc_interval(labels, scores[:1]) == alone[0]


def test_two_models_that_order_the_reviews_alike_have_the_same_area_for_certain():
    random = np.random.default_rng(SEED)
    labels, scores = random.random(REVIEWS) < 0.5, random.random(REVIEWS)
    assert compare_auc(labels, scores, np.exp(scores)) == Comparison(Interval(0.0, 0.0, 0.0), 1.0)


def test_a_perfect_order_and_no_order_differ_for_certain():
    labels = np.arange(10) < 5
    assert compare_auc(labels, labels * 1.0, np.zeros(10)) == Comparison(Interval(0.5, 0.5, 0.5), 0.0)
    assert auc_interval(labels, labels * 1.0) == Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_without_two_reviews_of_each_class_there_is_no_area(positives):
    labels, scores = np.arange(10) < positives, np.linspace(0, 1, 10)
    assert auc_interval(labels, scores) is None
    assert compare_auc(labels, scores, scores[::-1]) is None


def test_an_area_near_one_has_an_interval_that_ends_at_one():
    labels, scores = np.arange(20) < 10, np.linspace(1, 0, 20)
    scores[9], scores[10] = scores[10], scores[9]
    interval = auc_interval(labels, scores)
    assert (interval.estimate, interval.high) == (0.99, 1.0)


def test_the_calibration_error_is_that_of_the_published_example():
    # TorchMetrics' documentation of BinaryCalibrationError.
    labels = np.array([False, False, True, True, True])
    probabilities = np.array([0.25, 0.25, 0.55, 0.75, 0.75])
    assert calibration_error(labels, probabilities, bins=2) == pytest.approx(0.29)


def test_a_probability_on_the_edge_of_two_bins_belongs_to_the_lower():
    # Guo et al. (2017) close the bins on the right; in the upper bin the two errors would cancel.
    assert calibration_error(np.array([True, False]), np.array([0.5, 0.6]), bins=2) == pytest.approx(0.55)
    assert calibration_error(np.array([True, False]), np.array([0.0, 1.0])) == 1.0


@pytest.mark.parametrize("flattened", [1.0, 0.9, 0.7])
def test_the_calibration_interval_holds_the_truth_for_good_and_bad_models(flattened):
    random = np.random.default_rng(SEED)
    probabilities = random.random((300, REVIEWS))
    shares = 0.5 + (probabilities - 0.5) * flattened
    labels = random.random(shares.shape) < shares
    intervals = [calibration_interval(*case) for case in zip(labels, probabilities, strict=True)]
    # Probabilities are spread evenly: of 15 bins, seven are above, one about and seven below one half.
    truth = (1 - flattened) * np.abs((np.arange(15) - 7) / 15).mean()
    assert sum(one.low <= truth <= one.high for one in intervals) >= 0.94 * 300, f"seed {SEED}"
    assert all(one.low <= one.estimate <= one.high for one in intervals)
