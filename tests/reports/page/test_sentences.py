"""The report's sentences, in English: what the figures gettext, and what they do not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.analysis.statistics import Comparison, Interval
from reports.evidence import Evidence
from reports.page.language import Language
from reports.page.sentences import (
    compare_without_suspects,
    describe_change,
    describe_curve,
    describe_test_set_uses,
    explain_withdrawal,
    write_verdict,
)
from reports.sections.comparison_section import ComparisonRow, Curve, PartFigures, RowFigures
from reports.sections.errors_section import Errors
from reports.sections.history_section import Change, History, Regression, RunSummary
from reports.sections.pairs_section import PairRow, Pairs
from storage.records import FailedTraining
from tests.example_runs import a_run, a_training

ENGLISH = Language("en")
FIRST_RUN = History((), None, (), (), (), test_set_uses=1, models=5)


def a_row(name, loss, accuracy=0.8, seeds=(42,), **changes):
    """A variant's row with this validation loss and test accuracy, half a percentage point to each side."""
    unused = Interval(0.0, 0.0, 0.0)
    validation = PartFigures(Interval(loss, loss - 0.01, loss + 0.01), unused)
    test = PartFigures(unused, Interval(accuracy, accuracy - 0.005, accuracy + 0.005))
    row = ComparisonRow(name, is_baseline=False, layers="", seeds=seeds, figures=RowFigures(validation, test))
    return replace(row, **changes)


def a_pair(first, second, difference, adjusted_p, seed_difference=None, seed_p=None):
    """Two variants this far apart, six tenths of a percentage point to each side."""
    over_seeds = None
    if seed_difference is not None:
        over_seeds = Comparison(Interval(seed_difference, seed_difference - 0.01, seed_difference + 0.01), seed_p)
    return PairRow(
        first=first,
        second=second,
        first_training=f"{first}-seed42",
        second_training=f"{second}-seed42",
        first_only=500,
        second_only=250,
        difference=Interval(difference, difference - 0.006, difference + 0.006),
        p_value=adjusted_p / 6,
        adjusted_p=adjusted_p,
        resolvable=0.004,
        auc=None,
        over_seeds=over_seeds,
        adjusted_seed_p=seed_p,
    )


def an_evidence(rows, pairs=(), withdrawn=(), history=FIRST_RUN):
    return Evidence(
        comparison=tuple(rows),
        trainings=(),
        pairs=Pairs(len(pairs) + len(withdrawn), tuple(pairs), tuple(withdrawn), 25_000),
        curves=(),
        errors=None,
        minimal_pairs=None,
        data=None,
        history=history,
    )


def verdict_of(rows, pairs=(), failures=(), **changes):
    run = a_run(a_training("lstm", 0.43, 800), failures=failures)
    return write_verdict(run, an_evidence(rows, pairs, **changes), ENGLISH)


def test_a_clear_difference_is_named_with_its_interval():
    pairs = [a_pair("lstm", "gru", 0.01, adjusted_p=0.001)]
    verdict = verdict_of([a_row("lstm", 0.43), a_row("gru", 0.45)], pairs)
    assert verdict.headline == "Best tonight: lstm, with the lowest validation loss (0.4300)."
    assert verdict.evidence == (
        "On the 25,000 test reviews, its accuracy is 80.00% (95% interval 79.50% to 80.50%).",
        "It has clearly higher test accuracy than gru (+1.00 percentage points, +0.40 to +1.60).",
    )
    assert verdict.failures == ()


def test_a_difference_that_this_test_set_cannot_tell_from_luck_is_called_open():
    pairs = [a_pair("lstm", "gru", 0.001, adjusted_p=0.05)]
    verdict = verdict_of([a_row("lstm", 0.43), a_row("gru", 0.45)], pairs)
    assert verdict.evidence[1:] == (
        "On this test set there is no clear difference from gru (+0.10 percentage points, −0.50 to +0.70).",
    )


def test_a_choice_that_the_test_set_contradicts_is_said_to_be():
    pairs = [a_pair("lstm", "gru", -0.01, adjusted_p=0.001)]
    verdict = verdict_of([a_row("lstm", 0.43), a_row("gru", 0.45)], pairs)
    assert verdict.headline == "Best tonight: lstm, with the lowest validation loss (0.4300)."
    assert verdict.evidence[1:] == (
        "The test set contradicts the choice by validation loss: its test accuracy is clearly lower than that of gru "
        "(−1.00 percentage points, −1.60 to −0.40).",
    )


def test_higher_unclear_and_lower_accuracies_have_a_sentence_each_and_other_pairs_none():
    rows = [a_row(name, 0.43) for name in ("lstm", "gru", "lstm_dropout", "lstm_stacked")]
    pairs = [
        a_pair("lstm", "gru", -0.01, adjusted_p=0.001),
        a_pair("lstm", "lstm_dropout", 0.001, adjusted_p=0.9),
        a_pair("lstm", "lstm_stacked", 0.02, adjusted_p=0.001),
        a_pair("gru", "lstm_dropout", 0.05, adjusted_p=0.001),
    ]
    _, higher, unclear, lower = verdict_of(rows, pairs).evidence
    assert higher.startswith("It has clearly higher test accuracy than lstm_stacked (")
    assert unclear.startswith("On this test set there is no clear difference from lstm_dropout (")
    assert lower.startswith(
        "The test set contradicts the choice by validation loss: its test accuracy is clearly lower than that of gru ("
    )


def test_two_clear_differences_are_listed_in_one_sentence():
    rows = [a_row(name, 0.43) for name in ("lstm", "gru", "lstm_stacked")]
    pairs = [
        a_pair("lstm", "gru", 0.01, adjusted_p=0.001),
        a_pair("lstm", "lstm_stacked", 0.02, adjusted_p=0.001),
    ]
    assert verdict_of(rows, pairs).evidence[1] == (
        "It has clearly higher test accuracy than gru (+1.00 percentage points, +0.40 to +1.60) "
        "and lstm_stacked (+2.00 percentage points, +1.40 to +2.60)."
    )


def test_a_failed_variant_leaves_open_which_is_best():
    rows = [a_row("lstm", 0.43), a_row("gru", 0.45), a_row("lstm_stacked", 0.0, figures=None, failed=("x-seed42",))]
    failures = [FailedTraining("x", 42, "it was killed by SIGKILL")]
    verdict = verdict_of(rows, [a_pair("lstm", "gru", 0.01, adjusted_p=0.001)], failures, withdrawn=[("lstm", "x")])
    assert verdict.failures == ("x-seed42 failed: it was killed by SIGKILL",)
    assert verdict.headline == "No best variant tonight, because x-seed42 failed."
    assert verdict.evidence == (
        "Of the variants that finished, lstm has the lowest validation loss (0.4300). Which of all variants is best is "
        "not known.",
        "It has clearly higher test accuracy than gru (+1.00 percentage points, +0.40 to +1.60).",
    )
    assert "Best tonight" not in str(verdict)


def test_a_lone_survivor_is_compared_with_nobody_and_not_said_to_be_alone():
    rows = [a_row("lstm", 0.43), a_row("gru", 0.0, figures=None, failed=("gru-seed42", "gru-seed43"))]
    failures = [FailedTraining("gru", seed, "no") for seed in (42, 43)]
    verdict = verdict_of(rows, (), failures, withdrawn=[("lstm", "gru")])
    assert verdict.headline == "No best variant tonight, because gru-seed42 and gru-seed43 failed."
    assert len(verdict.evidence) == 1


def test_a_failed_baseline_is_named_and_takes_nothing_from_the_best():
    rows = [
        a_row("lstm", 0.43),
        a_row("simple_rnn", 0.0, is_baseline=True, figures=None, failed=("simple_rnn-seed42",)),
    ]
    verdict = verdict_of(rows, (), [FailedTraining("simple_rnn", 42, "no")])
    assert verdict.failures == ("simple_rnn-seed42 failed: no",)
    assert verdict.headline == "Best tonight: lstm, with the lowest validation loss (0.4300)."


def test_a_baseline_is_never_the_best():
    rows = [a_row("lstm", 0.43), a_row("bag_of_words", 0.30, is_baseline=True)]
    assert verdict_of(rows).headline.startswith("Best tonight: lstm,")


def test_a_run_on_which_every_training_failed_says_so():
    rows = [a_row(name, 0.0, figures=None, failed=(f"{name}-seed42",)) for name in ("lstm", "gru")]
    verdict = verdict_of(rows, (), [FailedTraining(name, 42, "no") for name in ("lstm", "gru")])
    assert verdict.headline == "No model tonight: every training failed."
    assert verdict.evidence == ()
    assert verdict.failures == ("lstm-seed42 failed: no", "gru-seed42 failed: no")


def test_a_single_variant_has_nothing_to_lead():
    assert verdict_of([a_row("lstm", 0.43)]).evidence[1:] == ("There is no other variant to compare it with.",)


def test_several_seeds_are_said_to_be_right_on_average():
    rows = [a_row("lstm", 0.43, seeds=(42, 43, 44)), a_row("gru", 0.45, seeds=(42, 43, 44))]
    pairs = [a_pair("lstm", "gru", 0.01, 0.001, seed_difference=0.02, seed_p=0.01)]
    assert verdict_of(rows, pairs).evidence == (
        "On the 25,000 test reviews, the mean accuracy of its 3 models is 80.00% (95% interval 79.50% to 80.50%).",
        "It has clearly higher test accuracy than gru (+1.00 percentage points, +0.40 to +1.60).",
        "On average over all seeds, it has clearly higher test accuracy than gru.",
    )


def test_recipes_that_no_seed_tells_apart_are_called_open_whatever_the_models_say():
    rows = [a_row("lstm", 0.43, seeds=(42, 43)), a_row("gru", 0.45, seeds=(42, 43))]
    pairs = [a_pair("lstm", "gru", 0.01, 0.001, seed_difference=0.02, seed_p=0.3)]
    assert verdict_of(rows, pairs).evidence[-1] == (
        "On average over all seeds, there is no clear difference from the other variants."
    )


def test_recipes_ahead_and_behind_over_seeds_have_a_sentence_each_and_open_ones_none():
    rows = [a_row(name, 0.43, seeds=(42, 43)) for name in ("lstm", "gru", "lstm_dropout", "lstm_stacked")]
    pairs = [
        a_pair("lstm", "gru", 0.01, 0.001, seed_difference=-0.02, seed_p=0.01),
        a_pair("lstm", "lstm_dropout", 0.01, 0.001, seed_difference=0.02, seed_p=0.01),
        a_pair("lstm", "lstm_stacked", 0.01, 0.001, seed_difference=0.02, seed_p=0.3),
    ]
    assert verdict_of(rows, pairs).evidence[2:] == (
        "On average over all seeds, it has clearly higher test accuracy than lstm_dropout.",
        "On average over all seeds, it has clearly lower test accuracy than gru.",
    )


@pytest.mark.parametrize("difference", [0.01, 0.0, -0.01])
@pytest.mark.parametrize("adjusted_p", [0.001, 0.9])
@pytest.mark.parametrize("seed_p", [None, 0.001, 0.9])
def test_variants_are_never_called_equal(difference, adjusted_p, seed_p):
    seed_difference = None if seed_p is None else difference
    pairs = [a_pair("lstm", "gru", difference, adjusted_p, seed_difference, seed_p)]
    verdict = verdict_of([a_row("lstm", 0.43), a_row("gru", 0.45)], pairs)
    assert not re.search(r"\b(equal|equally|same|alike|identical|tie|tied)\b", str(verdict))


def build_history(changes=(), regressions=()):
    runs = tuple(RunSummary(f"run-{day}", f"2026-11-{day}T02:00:00Z", "lstm", (), {}) for day in (22, 23))
    return History(runs, "run-22", (), tuple(regressions), tuple(changes), test_set_uses=2, models=10)


def since(*arguments):
    return verdict_of([a_row("lstm", 0.43)], history=build_history(*arguments)).since


def test_the_first_run_says_that_it_is_the_first():
    assert verdict_of([a_row("lstm", 0.43)]).since == ("This is the first night on these test reviews.",)


def test_a_run_without_a_change_says_so_with_the_previous_run_s_date():
    assert since() == ("Nothing changed since the last night (November 22, 2026).",)


def test_changes_are_named_each_in_its_kind_s_words():
    [sentence] = since(
        [
            Change("data", "archive", "a" * 64, "b" * 64),
            Change("code", "commit", "a" * 40, "b" * 40),
            Change("parameter", "maxlen", "100", "200"),
            Change("version", "keras", None, "3.15.1"),
            Change("machine", "cpu", "a processor of twenty letters and more", "another"),
        ]
    )
    assert sentence == (
        "Changed since the last night (November 22, 2026): data (archive), code (commit), "
        "parameter maxlen 100 → 200, version of keras – → 3.15.1, and machine (cpu)."
    )


@pytest.mark.parametrize(
    ("count", "end"), [(6, "p4 1 → 2, and parameter p5 1 → 2."), (7, "p5 1 → 2, and 1 more."), (60, "and 54 more.")]
)
def test_six_changes_are_named_and_the_rest_is_counted(count, end):
    [sentence] = since([Change("parameter", f"p{number}", "1", "2") for number in range(count)])
    assert sentence.endswith(end)


def test_what_got_worse_is_said_with_both_figures():
    _, sentence = since(
        [],
        [
            Regression("lstm", "accuracy", 0.81, 0.79, "seeds"),
            Regression("gru", "loss", 0.43, 0.45, "seeds"),
        ],
    )
    assert sentence == (
        "Worse than last night: test accuracy of lstm (81.00% to 79.00%) and test loss of gru (0.4300 to 0.4500)."
    )


def test_a_run_without_a_model_says_what_changed_all_the_same():
    rows = [a_row("lstm", 0.0, figures=None, failed=("lstm-seed42",))]
    verdict = verdict_of(rows, history=build_history([Change("parameter", "maxlen", "100", "200")]))
    assert verdict.since[0].endswith(": parameter maxlen 100 → 200.")


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
    assert describe_curve(curve, ENGLISH) == (
        "Validation loss still fell in the last epoch (3): more epochs may help. "
        "Gap 0.005: no sign of overfitting; it may still underfit."
    )


def test_training_loss_that_falls_on_after_validation_turned_is_said_to():
    curve = a_curve(2, [0.60, 0.42, 0.40, 0.38], [0.61, 0.44, 0.45, 0.46])
    assert describe_curve(curve, ENGLISH) == (
        "Training loss fell for 2 more epochs after the validation minimum (best epoch 2 of 4). "
        "Gap 0.020: it overfits a little."
    )


def test_one_epoch_after_the_turn_is_one():
    assert "fell for 1 more epoch after" in describe_curve(a_curve(2, [0.6, 0.4, 0.3], [0.6, 0.5, 0.6]), ENGLISH)


def test_losses_that_both_stopped_falling_are_said_to():
    curve = a_curve(1, [0.50, 0.52], [0.57, 0.58])
    assert describe_curve(curve, ENGLISH) == (
        "Training and validation loss both stopped falling at epoch 1 of 2. Gap 0.070: it overfits."
    )


def test_a_validation_loss_below_the_training_loss_is_no_overfitting():
    # As dropout makes it.
    assert describe_curve(a_curve(1, [0.50], [0.45]), ENGLISH).endswith(
        "Gap −0.050: no sign of overfitting; it may still underfit."
    )


def errors_without(rows, count):
    return Errors((), (), (), {}, (), (), count, Pairs(len(rows), tuple(rows), (), 24_750), {})


def test_a_verdict_that_stands_without_the_suspects_is_said_to():
    evidence = an_evidence([], [a_pair("lstm", "gru", 0.01, adjusted_p=0.001)])
    errors = errors_without([a_pair("lstm", "gru", 0.02, adjusted_p=0.049)], 250)
    assert compare_without_suspects(evidence, errors, ENGLISH) == (
        "Without these 250 reviews the result for every pair stays the same."
    )
    assert compare_without_suspects(evidence, replace(errors, suspect_count=1), ENGLISH).startswith(
        "Without that 1 review "
    )


@pytest.mark.parametrize(("before", "after"), [(0.001, 0.2), (0.2, 0.001)])
def test_a_verdict_that_turns_without_the_suspects_is_said_of_the_pairs_that_turn(before, after):
    steady = a_pair("lstm", "lstm_stacked", 0.02, adjusted_p=0.001)
    evidence = an_evidence([], [a_pair("lstm", "gru", 0.01, adjusted_p=before), steady])
    errors = errors_without([a_pair("lstm", "gru", 0.01, adjusted_p=after), steady], 250)
    assert compare_without_suspects(evidence, errors, ENGLISH) == (
        "Without these 250 reviews the result changes for lstm – gru."
    )


@pytest.mark.parametrize(
    ("adjusted_p", "end"),
    [(0.001, "the result changes for lstm – gru."), (0.9, "the result for every pair stays the same.")],
)
def test_a_clear_difference_that_changes_its_sign_turns_the_verdict_and_an_open_one_does_not(adjusted_p, end):
    evidence = an_evidence([], [a_pair("lstm", "gru", 0.01, adjusted_p)])
    errors = errors_without([a_pair("lstm", "gru", -0.01, adjusted_p)], 250)
    assert compare_without_suspects(evidence, errors, ENGLISH).endswith(end)


def test_how_often_the_test_set_was_used_is_said():
    assert describe_test_set_uses(FIRST_RUN, ENGLISH) == ("This test set has been used once, tonight, for 5 models.")
    assert describe_test_set_uses(replace(FIRST_RUN, test_set_uses=1200, models=6000), ENGLISH).startswith(
        "This test set has been used in 1,200 runs, for 6,000 models. "
    )


def test_a_withdrawn_pair_names_all_that_failed_of_it():
    failures = [
        FailedTraining("gru", 42, "no"),
        FailedTraining("gru", 43, "no"),
        FailedTraining("lstm_stacked", 42, "no"),
    ]
    run = a_run(a_training("lstm", 0.43, 800), failures=failures)
    assert explain_withdrawal(("lstm", "gru"), run, ENGLISH) == "withdrawn: gru-seed42 and gru-seed43 failed"
