"""The gate's reasons and guards: what passes and what fails, and how often an equal model passes all of them."""

from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.gate_checks import (
    Contest,
    check_better,
    check_first,
    check_floors,
    check_guards,
    check_latency,
    check_refresh,
    is_same,
)
from reports.analysis.statistics import Interval
from reports.sections.comparison_section import BaselineCheck
from reports.sections.gate_policy import DEFAULT_POLICY

COUNT = 5000


def two_models(agree: float = 0.9, seed: int = 0, sureness: float = 1.2):
    """Return labels and two models of the same accuracy, about 80%, that disagree on some reviews."""
    random = np.random.default_rng(seed)
    labels = random.random(COUNT) < 0.5
    common = random.normal(sureness, 1.4, COUNT)
    scores = [agree * common + (1 - agree**2) ** 0.5 * random.normal(0, 1.2, COUNT) for _ in range(2)]
    return labels, *(1 / (1 + np.exp(-np.where(labels, one, -one))) for one in scores)


def a_contest(challenger=None, champion=None, **changes) -> Contest:
    labels, first, second = two_models()
    parts = (
        (("label", 0.0, None), ~labels),
        (("label", 1.0, None), labels),
        (("length", 0.0, 100.0), np.arange(COUNT) < 900),
    )
    return replace(
        Contest(labels, first if challenger is None else challenger, second if champion is None else champion, parts),
        **changes,
    )


def least_sure(said, mask):
    """Return the indices of the reviews in a mask, those first whose answers cost the least if they are exchanged."""
    order = np.argsort(np.abs(said - 0.5))
    return order[mask[order]]


def failed(contest: Contest) -> list[str]:
    return [check.name for check in check_guards(contest, DEFAULT_POLICY) if check.result == "failed"]


def test_an_equal_model_passes_all_guards_and_is_not_better():
    contest = a_contest()
    assert failed(contest) == []
    assert check_better(contest, DEFAULT_POLICY).result == "failed"


def test_a_clearly_better_model_is_better_and_passes_all_guards():
    labels, said, _ = two_models()
    worse = np.where(((said > 0.5) == labels) & (np.arange(COUNT) % 20 == 0), 1 - said, said)
    contest = a_contest(said, worse)
    assert check_better(contest, DEFAULT_POLICY).result == "passed"
    assert failed(contest) == []


def test_a_worse_model_is_not_better():
    _, said, _ = two_models()
    worse = np.where(np.arange(COUNT) % 20 == 0, 1 - said, said)
    assert check_better(a_contest(worse, said), DEFAULT_POLICY).p_value > 0.99


def test_a_model_whose_output_is_scaled_by_three_fails_loss_and_calibration():
    _, said, _ = two_models()
    scaled = 1 / (1 + np.exp(-3 * np.log(said / (1 - said))))
    assert failed(a_contest(scaled, said)) == ["log_loss", "calibration"]


def test_a_model_with_many_flips_fails_though_it_is_as_accurate():
    labels, said, _ = two_models()
    right = (said > 0.5) == labels
    # As many right answers become wrong as wrong ones become right: 8% of all.
    flipped = np.concatenate([least_sure(said, right)[:400], least_sure(said, ~right)[:400]])
    other = said.copy()
    other[flipped] = 1 - said[flipped]
    contest = a_contest(other, said)
    assert failed(contest) == ["flips"]
    (check,) = [one for one in check_guards(contest, DEFAULT_POLICY) if one.name == "flips"]
    assert (check.value, check.limit) == (0.08, 0.075)


def test_flips_are_measured_by_two_seeds_of_the_champion_s_recipe_if_they_are_known():
    (check,) = [one for one in check_guards(a_contest(seed_disagreement=0.04), DEFAULT_POLICY) if one.name == "flips"]
    assert check.limit == pytest.approx(1.5 * 0.04 / 2)


def test_a_model_that_is_worse_on_one_label_alone_fails_that_slice():
    labels, said, _ = two_models()
    right = (said > 0.5) == labels
    other = said.copy()
    lost, won = least_sure(said, right & labels)[:100], least_sure(said, ~right & ~labels)[:100]
    other[lost], other[won] = 1 - said[lost], 1 - said[won]
    found = [one for one in check_guards(a_contest(other, said), DEFAULT_POLICY) if one.result == "failed"]
    assert [(one.name, one.part) for one in found] == [("slice", ("label", 1.0, None))]
    assert found[0].value == pytest.approx(100 / labels.sum())


def test_a_small_slice_is_not_tested():
    parts = ((("length", 0.0, 100.0), np.arange(COUNT) < 499),)
    (check,) = [one for one in check_guards(a_contest(parts=parts), DEFAULT_POLICY) if one.name == "slice"]
    assert check.result == "not applicable"


@pytest.mark.parametrize(
    ("now", "before", "result"),
    [
        (50, 50, "passed"),
        # Significantly worse, by 10 points of the pooled pairs.
        (40, 50, "failed"),
        # By 4 points: too little to fail, though it is significant.
        (46, 50, "passed"),
        (60, 50, "passed"),
    ],
)
def test_minimal_pairs_are_pooled_and_have_a_least_effect(now, before, result):
    pairs = np.arange(100) < now, np.arange(100) < before
    (check,) = [one for one in check_guards(a_contest(pairs=pairs), DEFAULT_POLICY) if one.name == "minimal_pairs"]
    assert check.result == result


def test_minimal_pairs_that_do_not_apply_pass():
    (check,) = [one for one in check_guards(a_contest(), DEFAULT_POLICY) if one.name == "minimal_pairs"]
    assert check.result == "not applicable"


def test_refresh_needs_newer_reviews_a_small_loss_and_the_anchor():
    _, said, _ = two_models()
    contest = a_contest(said, said)
    results = {
        (one.name): one.result for one in check_refresh(contest, DEFAULT_POLICY, new_reviews=10, anchor_gain=-0.009)
    }
    assert results == {"newer": "passed", "not_worse": "passed", "anchor": "passed"}
    results = {one.name: one.result for one in check_refresh(contest, DEFAULT_POLICY, 0, -0.011)}
    assert results == {"newer": "failed", "not_worse": "passed", "anchor": "failed"}
    worse = np.where(np.arange(COUNT) % 50 == 0, 1 - said, said)
    results = {one.name: one.result for one in check_refresh(a_contest(worse, said), DEFAULT_POLICY, 1, None)}
    assert results == {"newer": "passed", "not_worse": "failed"}


def words(estimate: float, p_value: float) -> BaselineCheck:
    interval = Interval(estimate, estimate - 0.01, estimate + 0.01)
    return BaselineCheck("bag_of_words", Interval(0.8, 0.79, 0.81), interval, p_value)


@pytest.mark.parametrize(
    ("baseline", "results"),
    [
        (None, ["passed", "not applicable"]),
        (words(0.02, 0.001), ["passed", "passed"]),
        (words(-0.004, 0.3), ["passed", "passed"]),
        (words(-0.03, 0.001), ["passed", "failed"]),
    ],
)
def test_the_first_champion_beats_the_majority_class_and_is_not_clearly_worse_than_words(baseline, results):
    labels, said, _ = two_models()
    assert [one.result for one in check_first(labels, said, baseline)] == results


def test_a_model_that_says_one_class_is_no_first_champion():
    labels, _, _ = two_models()
    first, _ = check_first(labels, np.full(COUNT, 0.6), None)
    assert first.result == "failed"


def test_floors_hold_for_every_model():
    labels, said, _ = two_models()
    assert [one.result for one in check_floors(labels, said, DEFAULT_POLICY)] == ["passed", "passed"]
    guess = np.where(np.arange(COUNT) % 2 == 0, 0.01, 0.99)
    assert [one.result for one in check_floors(labels, guess, DEFAULT_POLICY)] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("challenger", "champion", "result"),
    [(10.0, 9.0, "passed"), (21.0, 10.0, "warned"), (None, 1.0, "not applicable"), (1.0, None, "not applicable")],
)
def test_a_slow_model_is_a_warning(challenger, champion, result):
    assert check_latency(challenger, champion).result == result


def test_models_that_differ_by_rounding_alone_are_the_same():
    said = np.linspace(0, 1, 100)
    assert is_same(said, said + 9e-5, 1e-4)
    assert not is_same(said, said + 1.1e-4, 1e-4)
    assert not is_same(said, np.where(np.arange(100) == 7, np.nan, said), 1e-4)
    assert not is_same(said[:0], said[:0], 1e-4)


def test_an_equal_model_passes_all_guards_on_most_nights():
    """Two real-looking models whose answers are exchanged at random, review by review: equal by construction."""
    _, first, second = two_models()
    random, nights = np.random.default_rng(3), 60
    passed = 0
    for _ in range(nights):
        swap = random.random(COUNT) < 0.5
        contest = a_contest(np.where(swap, first, second), np.where(swap, second, first))
        passed += not failed(contest)
    assert passed / nights >= 0.85
