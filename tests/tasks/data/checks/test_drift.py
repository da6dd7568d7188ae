"""New reviews that differ from the old ones are noticed, and chance alone is not."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tasks.data.checks.drift import count_in_bins, critical_stability, population_stability, tell_apart


def test_equal_counts_have_an_index_of_zero_and_unequal_ones_a_known_one():
    assert population_stability(np.array([30, 70]), np.array([30, 70])) == 0
    # (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5), apart from the half reviews.
    assert population_stability(np.array([5000, 5000]), np.array([8000, 2000])) == pytest.approx(0.4159, abs=0.001)


def test_the_critical_value_is_that_of_the_chi_square_distribution():
    # The 95% quantile of chi-square with 9 degrees of freedom is 16.919.
    assert critical_stability(1000, 500, 10) == pytest.approx(16.919 * (1 / 1000 + 1 / 500), rel=1e-4)


def test_equal_populations_exceed_the_critical_value_once_in_twenty_times():
    generator = np.random.default_rng(20261127)
    exceeded = 0
    for _ in range(400):
        old, new = generator.normal(200, 50, 3000).astype(int), generator.normal(200, 50, 1000).astype(int)
        counts = count_in_bins(old, new)
        exceeded += population_stability(*counts) > critical_stability(3000, 1000, len(counts[0]))
    assert exceeded / 400 == pytest.approx(0.05, abs=0.035)


def test_values_are_counted_between_the_deciles_of_the_old_ones():
    old, new = count_in_bins(np.arange(100), np.array([0, 5, 99, 1000]))
    assert old.tolist() == [10] * 10
    assert new.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]


def make_texts(words, count, seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(words, k=30)) for _ in range(count)]


FILMS = ["film", "actor", "scene", "plot", "music", "story", "camera", "director", "ending", "cast", "role", "drama"]


def test_texts_of_the_same_kind_cannot_be_told_apart():
    auc, _ = tell_apart(make_texts(FILMS, 300, 1), make_texts(FILMS, 300, 2))
    assert auc == pytest.approx(0.5, abs=0.1)


def test_texts_of_another_kind_are_told_apart_by_their_words():
    auc, words = tell_apart(make_texts(FILMS, 300, 1), make_texts([*FILMS[:6], "parcel", "battery"], 300, 2))
    assert auc > 0.95
    assert set(words[:2]) == {"parcel", "battery"}


def test_texts_without_common_words_are_no_error():
    assert tell_apart([str(n) for n in range(100)], [str(n) for n in range(100, 200)]) == (0.5, ())
