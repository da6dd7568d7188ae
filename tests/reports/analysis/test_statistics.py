"""The statistics: published examples, what holds at the edges, and how often chance alone convinces them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import zconfint

from reports.analysis.probabilities import compare_auc
from reports.analysis.seed_statistics import compare_over_seeds, pooled_seed_deviation, seed_range_half_width
from reports.analysis.statistics import (
    Comparison,
    Interval,
    adjust_holm,
    exact_mcnemar,
    mean_interval,
    minimum_detectable_difference,
    paired_accuracy_difference,
    wilson_interval,
)

SEED = 20261123
CASES = 1000
REVIEWS = 1000


def test_the_wilson_interval_is_that_of_the_published_example():
    # 15 of 148: Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998).
    interval = wilson_interval(15, 148)
    assert interval.estimate == 15 / 148
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0624, 0.1605)


def test_a_mean_has_the_interval_of_statsmodels():
    losses = np.random.default_rng(SEED).exponential(0.4, REVIEWS)
    interval = mean_interval(losses)
    assert (interval.low, interval.high) == pytest.approx(zconfint(losses))


def test_values_that_do_not_vary_have_an_interval_without_width():
    assert mean_interval(np.ones(5)) == Interval(1.0, 1.0, 1.0)


def test_the_mean_of_one_value_has_no_interval():
    with pytest.raises(ValueError, match=r"at least two values\. Received: len\(values\)=1\."):
        mean_interval(np.ones(1))


def test_the_paired_difference_is_that_of_the_approval_ratings():
    # Agresti, "Categorical Data Analysis", chapter 10: of 1,600 people 794 approved twice, 150 only at first, 86 only
    # later and 570 never; the difference is -0.04 with a 95% interval of -0.06 to -0.02.
    first = np.array([True] * 794 + [True] * 150 + [False] * 86 + [False] * 570)
    later = np.array([True] * 794 + [False] * 150 + [True] * 86 + [False] * 570)
    change = paired_accuracy_difference(later, first)
    assert change.estimate == -0.04
    assert (round(change.low, 2), round(change.high, 2)) == (-0.06, -0.02)


def test_the_paired_interval_counts_half_a_review_more_in_each_cell():
    # By hand: 21 reviews become 23, 7 and 1 discordant ones 7.5 and 1.5.
    first = np.array([True] * 8 + [False] * 13)
    second = np.array([True] + [False] * 7 + [True] + [False] * 12)
    interval = paired_accuracy_difference(first, second)
    margin = 1.959964 * np.sqrt((9 / 23 - (6 / 23) ** 2) / 23)
    assert (interval.low, interval.high) == pytest.approx((6 / 23 - margin, 6 / 23 + margin))


def test_the_paired_interval_of_an_odd_number_of_discordant_reviews_is_that_computed_by_hand():
    # 12 reviews become 14, 4 and 1 discordant ones 4.5 and 1.5.
    first, second = np.arange(12) < 6, (np.arange(12) >= 4) & (np.arange(12) < 7)
    interval = paired_accuracy_difference(first, second)
    margin = 1.959964 * np.sqrt((6 / 14 - (3 / 14) ** 2) / 14)
    assert interval.estimate == 3 / 12
    assert (interval.low, interval.high) == pytest.approx((3 / 14 - margin, 3 / 14 + margin))


def test_two_models_that_are_right_on_the_same_reviews_are_not_told_apart():
    hits = np.arange(REVIEWS) < 800
    assert not paired_accuracy_difference(hits, hits).excludes_zero
    assert exact_mcnemar(0, 0) == 1.0


def test_the_exact_p_is_that_of_the_transplanted_children():
    # Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data", BMC Medical Research Methodology
    # 13:91 (2013), table 1: of 21 children 1 changed one way and 7 the other; the exact conditional p is 0.0703.
    assert round(exact_mcnemar(1, 7), 4) == 0.0703


@pytest.mark.parametrize(("first_only", "second_only"), [(0, 3), (5, 5), (6, 5), (86, 150), (1400, 1500)])
def test_the_exact_p_is_that_of_statsmodels_in_either_order(first_only, second_only):
    expected = mcnemar([[0, first_only], [second_only, 0]], exact=True).pvalue
    assert exact_mcnemar(first_only, second_only) == pytest.approx(expected)
    assert exact_mcnemar(second_only, first_only) == pytest.approx(expected)


def test_holm_corrects_the_published_example_in_its_own_order():
    # Wikipedia, "Holm-Bonferroni method": of 0.01, 0.04, 0.03 and 0.005 the first and the last are rejected at 5%.
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_withdrawn_comparisons_are_still_corrected_for():
    assert adjust_holm([0.01, 0.005], comparisons=4) == pytest.approx([0.03, 0.02])
    assert adjust_holm([0.01, 0.005]) == pytest.approx([0.01, 0.01])
    assert adjust_holm([0.01, 0.7], comparisons=6) == pytest.approx([0.06, 1.0])


def test_nothing_compared_is_nothing_to_correct():
    assert adjust_holm([]) == []
    assert adjust_holm([], comparisons=6) == []


def test_more_p_values_than_planned_comparisons_are_refused():
    with pytest.raises(ValueError, match=r"at least the number of p-values, 2\. Received: comparisons=1\."):
        adjust_holm([0.01, 0.02], comparisons=1)


def test_twenty_three_pairs_detect_the_difference_that_connor_gives_twenty_three_pairs_for():
    # Connor, Biometrics 43 (1987), page 209, as powerandsamplesize.com computes it: discordant shares of 0.45 and 0.05
    # take 23 pairs at a two-sided 5% and a power of 80%.
    assert minimum_detectable_difference(0.5, 23) <= 0.4 < minimum_detectable_difference(0.5, 22)


@pytest.mark.parametrize("power", [0.3, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("significance", [0.05, 0.05 / 6])
def test_the_detectable_difference_solves_connors_equation(significance, power):
    difference = minimum_detectable_difference(0.1, 5000, significance, power)
    by_chance = norm.ppf(1 - significance / 2) * np.sqrt(0.1)
    assert difference * np.sqrt(5000) == pytest.approx(by_chance + norm.ppf(power) * np.sqrt(0.1 - difference**2))


def test_a_detectable_difference_is_detected_in_four_of_five_cases():
    random, discordant = np.random.default_rng(SEED), 0.1
    difference = minimum_detectable_difference(discordant, 5000)
    shares = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    tables = random.multinomial(5000, shares, size=CASES)
    resolved = sum(exact_mcnemar(int(first_only), int(second_only)) < 0.05 for first_only, second_only, _ in tables)
    assert resolved / CASES == pytest.approx(0.8, abs=0.04), f"seed {SEED}"


@pytest.mark.parametrize(("discordant_share", "count"), [(0.1, 20), (1.0, 3), (0.0, 25_000), (0.5, 0)])
def test_where_no_difference_would_be_detected_there_is_none(discordant_share, count):
    assert minimum_detectable_difference(discordant_share, count) is None


# Hours of sleep that ten patients gained by two drugs: Student, "The probable error of a mean", Biometrika 6 (1908).
DEXTRO = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
LAEVO = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_seeds_are_compared_as_students_patients_were():
    # R's `t.test(extra ~ group, data = sleep, paired = TRUE)`: t = -4.0621, p = 0.002833, -2.4598858 to -0.7001142.
    comparison = compare_over_seeds(DEXTRO, LAEVO)
    assert comparison.difference.estimate == pytest.approx(-1.58)
    assert comparison.difference.low == pytest.approx(-2.4598858)
    assert comparison.difference.high == pytest.approx(-0.7001142)
    assert comparison.p_value == pytest.approx(0.002833, abs=5e-7)


@pytest.mark.filterwarnings("error")
def test_seeds_that_all_differ_alike_leave_no_doubt_and_raise_no_warning():
    # 0.81 - 0.80 and 0.82 - 0.81 are not the same in binary.
    comparison = compare_over_seeds([0.81, 0.82], [0.80, 0.81])
    assert comparison.difference.low == comparison.difference.high == pytest.approx(0.01)
    assert comparison.p_value == 0.0
    assert compare_over_seeds([0.80, 0.81], [0.81, 0.82]).p_value == 0.0
    assert compare_over_seeds([0.3, 0.8], [0.1 + 0.2, 0.8]) == Comparison(Interval(0.0, 0.0, 0.0), 1.0)


def test_one_seed_says_nothing_of_seeds():
    assert compare_over_seeds([], []) is None
    assert compare_over_seeds([0.8], [0.7]) is None


def test_unequal_numbers_of_seeds_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        compare_over_seeds([0.8, 0.9], [0.7])


def test_two_runs_of_seeds_have_the_band_of_the_unpaired_t_interval():
    # R's `t.test(extra ~ group, data = sleep, var.equal = TRUE)`: -3.363874 to 0.203874 about a difference of -1.58.
    deviation, degrees = pooled_seed_deviation([DEXTRO, LAEVO])
    assert degrees == 18
    assert seed_range_half_width(deviation, degrees, 10, 10) == pytest.approx(0.203874 + 1.58, abs=1e-6)


def test_groups_of_one_seed_add_nothing_to_the_noise():
    assert pooled_seed_deviation([[0.80, 0.82], [0.9], []]) == pytest.approx((0.01 * np.sqrt(2), 1))
    assert pooled_seed_deviation([[0.8], [0.9], []]) is None
    assert pooled_seed_deviation([]) is None


def two_equal_models(random):
    """Labels, and the scores of two models that are equally good and often wrong on the same reviews."""
    labels = random.random(REVIEWS) < 0.5
    hard = random.normal(size=REVIEWS)
    first, second = (1.6 * labels - 0.8 + 0.8 * hard + 0.6 * random.normal(size=REVIEWS) for _ in range(2))
    return labels, first, second


def test_two_equal_models_are_told_apart_in_at_most_six_of_a_hundred_cases():
    random = np.random.default_rng(SEED)
    told_apart = {"McNemar": 0, "interval": 0, "area": 0}
    for _ in range(CASES):
        labels, first, second = two_equal_models(random)
        first_hits, second_hits = (first > 0) == labels, (second > 0) == labels
        first_only, second_only = int((first_hits & ~second_hits).sum()), int((second_hits & ~first_hits).sum())
        told_apart["McNemar"] += exact_mcnemar(first_only, second_only) < 0.05
        told_apart["interval"] += paired_accuracy_difference(first_hits, second_hits).excludes_zero
        told_apart["area"] += compare_auc(labels, first, second).p_value < 0.05
    assert max(told_apart.values()) <= 0.06 * CASES, f"{told_apart}, seed {SEED}"
    # Nor so seldom that they could not tell anything apart.
    assert min(told_apart.values()) >= 0.03 * CASES, f"{told_apart}, seed {SEED}"


def test_importing_the_module_loads_none_of_the_slow_libraries():
    listed = "import sys, reports.analysis.statistics; print([name for name in SLOW if name in sys.modules])"
    code = listed.replace("SLOW", "('scipy.stats', 'sklearn', 'statsmodels', 'pandas')")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
