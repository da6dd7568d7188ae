"""Known answers of the one-sided paired tests, and how often the gate's rule is wrong in a year."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from reports.analysis.paired_tests import (
    compare_calibration,
    least_clear_gain,
    lower_bound,
    mcnemar_greater,
    mean_greater,
)
from reports.sections.gate_policy import DEFAULT_POLICY

LEVEL = 0.05 / 365
NIGHTS = 365


@pytest.mark.parametrize(
    ("first_only", "second_only", "p_value"),
    [
        (0, 0, 1.0),
        # (1 + 8) / 2^8, and the whole distribution but its lowest value.
        (7, 1, 9 / 256),
        (1, 7, 255 / 256),
        (5, 5, 0.623046875),
        (10, 0, 1 / 1024),
    ],
)
def test_mcnemar_s_one_sided_p_value_is_the_tail_of_a_binomial(first_only, second_only, p_value):
    assert mcnemar_greater(first_only, second_only) == pytest.approx(p_value, rel=1e-12)


def test_the_level_of_a_look_is_the_year_s_budget_divided_by_its_looks():
    assert pytest.approx(0.00013698630) == DEFAULT_POLICY.level


@pytest.mark.parametrize(("count", "points"), [(25_000, 0.73), (5_000, 1.63)])
def test_the_smallest_clear_gain_at_ten_percent_discordant(count, points):
    """Measured for the gate's rule: about 0.73 points at 25,000 reviews, 1.63 at 5,000."""
    assert 100 * least_clear_gain(count // 10, count, LEVEL) == pytest.approx(points, abs=0.06)


def test_the_smallest_clear_gain_is_clear_and_one_review_less_is_not():
    discordant, count = 2500, 25_000
    net = round(least_clear_gain(discordant, count, LEVEL) * count)
    wins = (discordant + net) // 2
    assert mcnemar_greater(wins, discordant - wins) <= LEVEL < mcnemar_greater(wins - 1, discordant - wins + 1)


def test_too_few_disagreements_are_never_clear():
    assert least_clear_gain(12, 1000, LEVEL) is None
    assert least_clear_gain(0, 1000, LEVEL) is None
    assert least_clear_gain(13, 1000, LEVEL) == pytest.approx(0.013)


def test_the_lower_bound_is_one_side_of_the_ninety_percent_interval():
    first, second = np.arange(1000) < 850, np.arange(1000) < 800
    # 50 of 1,002 padded reviews, minus 1.645 standard errors of 51 and 50 discordant ones.
    expected = 50 / 1002 - 1.6448536 * np.sqrt((51 / 1002 - (50 / 1002) ** 2) / 1002)
    assert lower_bound(first, second) == pytest.approx(expected, rel=1e-6)


def test_a_mean_above_zero_has_the_normal_tail():
    values = np.array([0.1, 0.3, -0.1, 0.2])
    z = values.mean() / (values.std(ddof=1) / 2)
    assert mean_greater(values) == pytest.approx(norm.sf(z), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "p_value"), [([0.1, 0.1], 0.0), ([0.0, 0.0], 1.0), ([-0.1, -0.1], 1.0), ([0.2], 0.0)]
)
def test_a_mean_without_variance_is_above_zero_or_not(values, p_value):
    assert mean_greater(np.array(values)) == p_value


def test_the_worse_calibrated_model_is_found_and_the_better_one_is_not():
    labels = np.arange(2000) % 5 < 4
    good, bad = np.full(2000, 0.8), np.full(2000, 0.95)
    difference, p_value = compare_calibration(labels, bad, good)
    assert (round(difference, 4), p_value) == (0.15, 0.0)
    difference, p_value = compare_calibration(labels, good, bad)
    assert (round(difference, 4), p_value) == (-0.15, 1.0)


def test_a_model_beside_itself_is_not_worse():
    labels = np.arange(500) % 2 == 0
    said = np.linspace(0.1, 0.9, 500)
    assert compare_calibration(labels, said, said) == (0.0, 1.0)


def false_alarm_of_a_night(count: int) -> float:
    """Return the exact chance that an equally accurate model passes one look, if 10% of all reviews are discordant.

    How many are on this test set is binomial, and the size of the test on each number of them is a tail.
    """
    discordant = np.arange(1, count)
    chances = binom.pmf(discordant, count, 0.1)
    return float((chances * binom.sf(binom.isf(LEVEL, discordant, 0.5), discordant, 0.5)).sum())


@pytest.mark.parametrize(("count", "share"), [(5_000, 0.041), (25_000, 0.045)])
def test_with_a_new_test_set_each_night_few_years_have_a_false_promotion(count, share):
    """Computed exactly, from the binomial distribution of each night."""
    year = 1 - (1 - false_alarm_of_a_night(count)) ** NIGHTS
    assert year == pytest.approx(share, abs=0.001)
    assert year <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("count", "share"), [(5_000, 0.038), (25_000, 0.043)])
def test_with_one_fixed_test_set_few_years_have_a_false_promotion(count, share):
    """20,000 simulated years: the champion's errors on the set stay, the challenger of each night is another one.

    Both are 80% accurate in truth. A challenger flips as many right as wrong answers on average, 10% of all together.
    """
    random, years, accuracy = np.random.default_rng(20261127), 20_000, 0.8
    right = random.binomial(count, accuracy, size=(years, 1))
    limits = np.array([_wins_needed(discordant) for discordant in range(count // 5)])
    false = np.zeros(years, bool)
    for _ in range(NIGHTS):
        gained = random.binomial(count - right[:, 0], 0.05 / (1 - accuracy))
        lost = random.binomial(right[:, 0], 0.05 / accuracy)
        false |= gained >= limits[gained + lost]
    assert false.mean() == pytest.approx(share, abs=0.006)
    assert false.mean() <= 0.05


def _wins_needed(discordant: int) -> int:
    return int(binom.isf(LEVEL, discordant, 0.5)) + 1 if discordant else 1


def test_a_true_gain_of_one_point_is_found_in_most_looks():
    """25,000 reviews, 10% discordant: 5.5% gained and 4.5% lost."""
    random = np.random.default_rng(1)
    gained, lost = random.binomial(25_000, 0.055, 4000), random.binomial(25_000, 0.045, 4000)
    found = [mcnemar_greater(int(one), int(other)) <= LEVEL for one, other in zip(gained, lost, strict=True)]
    assert np.mean(found) >= 0.9
