"""The report's sentences, in English: what the figures say, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.page.sentences import (
    compare_without_suspects,
    describe_change,
    describe_curves,
    describe_test_set_uses,
    explain_withdrawal,
)
from reports.sections.comparison_section import Curve
from reports.sections.errors_section import Errors
from reports.sections.history_section import Change
from reports.sections.pairs_section import Pairs
from storage.records import FailedTraining
from tests.example_runs import a_run, a_training
from tests.reports.page.evidence_parts import ENGLISH, FIRST_RUN, a_pair, an_evidence


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("1" * 20, "2" * 20, f"parameter source {'1' * 20} → {'2' * 20}"),
        ("1" * 21, "2", "parameter source"),
        ("1", "2" * 21, "parameter source"),
        ("1", None, "parameter source 1 → –"),
    ],
)
def test_a_change_has_both_values_where_they_are_short(before, now, said):
    assert describe_change(Change("parameter", "source", before, now), ENGLISH) == said


def a_curve(best_epoch, loss, val_loss):
    unused = (0.5,) * len(loss)
    return Curve("lstm-seed42", "lstm", 42, best_epoch, tuple(loss), tuple(val_loss), unused, unused)


def test_a_training_whose_validation_loss_still_fell_may_want_more_epochs():
    curve = a_curve(3, [0.60, 0.50, 0.45], [0.61, 0.51, 0.455])
    assert describe_curves([curve], ENGLISH) == (
        "Still improving at the last epoch (3): more epochs may help. "
        "No sign of overfitting (gap 0.005); it may still underfit."
    )


def test_a_training_that_stopped_early_says_when_and_how_far_it_overfits():
    curve = a_curve(2, [0.60, 0.42, 0.40, 0.38], [0.61, 0.44, 0.45, 0.46])
    assert describe_curves([curve], ENGLISH) == "Best at epoch 2, stopped at 4. Slight overfitting (gap 0.020)."
    curve = a_curve(1, [0.50, 0.52], [0.57, 0.58])
    assert describe_curves([curve], ENGLISH) == "Best at epoch 1, stopped at 2. Overfitting (gap 0.070)."


def test_a_validation_loss_below_the_training_loss_is_no_overfitting():
    # As dropout makes it.
    assert describe_curves([a_curve(1, [0.50], [0.45])], ENGLISH).endswith(
        "No sign of overfitting (gap −0.050); it may still underfit."
    )


def test_one_remark_is_about_all_seeds():
    curves = [a_curve(best, [0.5] * 6, [0.509] * 6) for best in (2, 3, 5)]
    assert describe_curves(curves, ENGLISH) == (
        "3 seeds. Best at epoch 2, 3, 5, stopped at 6. No sign of overfitting (gap 0.009); it may still underfit."
    )


def errors_without(rows, count):
    return Errors((), (), (), {}, (), (), count, Pairs(len(rows), tuple(rows), (), 24_750), {})


def test_a_verdict_that_stands_without_the_suspects_is_said_to():
    evidence = an_evidence([], [a_pair("lstm", "gru", 0.01, adjusted_p=0.001)])
    errors = errors_without([a_pair("lstm", "gru", 0.02, adjusted_p=0.049)], 250)
    assert compare_without_suspects(evidence, errors, ENGLISH) == (
        "The models doubt 250 labels (1.0%). Some labels are wrong, some models are. "
        "Leaving them out changes no verdict."
    )
    assert compare_without_suspects(evidence, replace(errors, suspect_count=1), ENGLISH).startswith(
        "The models doubt 1 label (0.0%). "
    )


@pytest.mark.parametrize(("before", "after"), [(0.001, 0.2), (0.2, 0.001)])
def test_a_verdict_that_turns_without_the_suspects_is_said_of_the_pairs_that_turn(before, after):
    steady = a_pair("lstm", "lstm_stacked", 0.02, adjusted_p=0.001)
    evidence = an_evidence([], [a_pair("lstm", "gru", 0.01, adjusted_p=before), steady])
    errors = errors_without([a_pair("lstm", "gru", 0.01, adjusted_p=after), steady], 250)
    said = compare_without_suspects(evidence, errors, ENGLISH)
    assert said.endswith("Leaving them out changes the verdict on lstm – gru.")


@pytest.mark.parametrize(
    ("adjusted_p", "end"),
    [(0.001, "changes the verdict on lstm – gru."), (0.9, "changes no verdict.")],
)
def test_a_clear_difference_that_changes_its_sign_turns_the_verdict_and_an_open_one_does_not(adjusted_p, end):
    evidence = an_evidence([], [a_pair("lstm", "gru", 0.01, adjusted_p)])
    errors = errors_without([a_pair("lstm", "gru", -0.01, adjusted_p)], 250)
    assert compare_without_suspects(evidence, errors, ENGLISH).endswith(end)


def test_how_often_the_test_set_was_used_is_said():
    assert describe_test_set_uses(FIRST_RUN, ENGLISH) == (
        "5 models in this run have been judged on these reviews, for the first time."
    )
    assert describe_test_set_uses(replace(FIRST_RUN, test_set_uses=1200, models=6000), ENGLISH) == (
        "6,000 models in 1,200 runs have been judged on these reviews. Each makes a lucky winner likelier; "
        "distrust small leads."
    )


def test_a_withdrawn_pair_names_all_that_failed_of_it():
    failures = [
        FailedTraining("gru", 42, "no"),
        FailedTraining("gru", 43, "no"),
        FailedTraining("lstm_stacked", 42, "no"),
    ]
    run = a_run(a_training("lstm", 0.43, 800), failures=failures)
    assert explain_withdrawal(("lstm", "gru"), run, ENGLISH) == "withdrawn: gru-seed42 and gru-seed43 failed"
