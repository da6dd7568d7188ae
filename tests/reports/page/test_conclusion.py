"""The conclusion, in English: what the figures say, what they do not, and what to do."""

from __future__ import annotations

import re

import pytest

from reports.page.conclusion import ACT, BROKEN, CALM, write_conclusion
from reports.sections.history_section import Change, History, Regression, RunSummary
from storage.records import FailedTraining
from tests.example_runs import a_run, a_training
from tests.reports.page.evidence_parts import ENGLISH, a_check, a_pair, a_row, an_evidence


def conclude(rows, pairs=(), failures=(), **changes):
    run = a_run(a_training("lstm", 0.43, 800), failures=failures)
    return write_conclusion(run, an_evidence(rows, pairs, **changes), ENGLISH)


def test_a_clear_lead_over_every_other_variant_makes_a_winner():
    said = conclude([a_row("lstm", 0.43), a_row("gru", 0.45)], [a_pair("lstm", "gru", 0.01, adjusted_p=0.001)])
    assert said.headline == "Clear winner: lstm is clearly more accurate than gru."
    assert said.evidence == (
        "By the rule (lowest validation loss) lstm is chosen. It gets 80.0% of 25,000 test reviews right.",
        "It is clearly more accurate than gru (+1.00 points, +0.40 to +1.60).",
    )
    assert (said.tone, said.word, said.action, said.failures) == (CALM, "All well", "Nothing to do.", ())


def test_a_lead_that_may_be_chance_makes_no_winner():
    said = conclude([a_row("lstm", 0.43), a_row("gru", 0.45)], [a_pair("lstm", "gru", 0.001, adjusted_p=0.05)])
    assert said.headline == "No clear winner: lstm and gru are level."
    assert said.evidence[1:] == (
        "No clear difference from gru (+0.10 points, −0.50 to +0.70); gaps under about 0.4 points cannot be told from "
        "chance here.",
    )


def test_level_variants_and_those_behind_are_named():
    rows = [a_row(name, 0.43) for name in ("lstm_dropout", "gru", "lstm", "lstm_stacked")]
    pairs = [
        a_pair("lstm_dropout", "gru", 0.001, adjusted_p=0.9),
        a_pair("lstm_dropout", "lstm", 0.001, adjusted_p=0.9),
        a_pair("lstm_dropout", "lstm_stacked", 0.02, adjusted_p=0.001),
    ]
    checks = [a_check("bag_of_words", 0.796, 0.01), a_check("majority_class", 0.5, 0.3)]
    said = conclude(rows, pairs, checks=checks)
    assert said.headline == ("No clear winner: lstm_dropout, gru and lstm are level; lstm_stacked is clearly behind.")
    assert said.evidence[0] == (
        "By the rule (lowest validation loss) lstm_dropout is chosen. It gets 80.0% of 25,000 test reviews right; "
        "bag_of_words 79.6%."
    )


def test_a_model_that_does_not_beat_the_bag_of_words_is_not_usable():
    checks = [a_check("bag_of_words", 0.549, -0.049), a_check("majority_class", 0.5, 0.0, adjusted_p=1.0)]
    said = conclude([a_row("gru", 0.69, accuracy=0.5)], checks=checks)
    assert said.headline == "No usable model: gru (50.0%) does not beat bag_of_words (54.9%)."
    assert (said.tone, said.action) == (
        ACT,
        "Do not use these models. Look at the learning curves and at the data.",
    )


def test_a_choice_that_the_test_reviews_contradict_asks_for_a_decision():
    said = conclude([a_row("lstm", 0.43), a_row("gru", 0.45)], [a_pair("lstm", "gru", -0.01, adjusted_p=0.001)])
    assert said.headline == "No clear winner: lstm is chosen by the rule, but gru did better."
    assert said.tone is ACT
    assert said.action == "Decide which variant to use: validation and test reviews disagree."
    assert said.evidence[1:] == (
        "The test reviews contradict the choice by validation loss: it is clearly less accurate than gru "
        "(−1.00 points, −1.60 to −0.40).",
    )


def test_higher_unclear_and_lower_accuracies_have_a_sentence_each_and_other_pairs_none():
    rows = [a_row(name, 0.43) for name in ("lstm", "gru", "lstm_dropout", "lstm_stacked")]
    pairs = [
        a_pair("lstm", "gru", -0.01, adjusted_p=0.001),
        a_pair("lstm", "lstm_dropout", 0.001, adjusted_p=0.9),
        a_pair("lstm", "lstm_stacked", 0.02, adjusted_p=0.001),
        a_pair("gru", "lstm_dropout", 0.05, adjusted_p=0.001),
    ]
    _, higher, unclear, lower = conclude(rows, pairs).evidence
    assert higher.startswith("It is clearly more accurate than lstm_stacked (")
    assert unclear.startswith("No clear difference from lstm_dropout (")
    assert lower.startswith("The test reviews contradict the choice by validation loss: it is clearly less accurate")


def test_a_failed_variant_leaves_open_which_is_best():
    rows = [a_row("lstm", 0.43), a_row("gru", 0.45), a_row("lstm_stacked", 0.0, figures=None, failed=("x-seed42",))]
    failures = [FailedTraining("x", 42, "it was killed by SIGKILL")]
    said = conclude(rows, [a_pair("lstm", "gru", 0.01, adjusted_p=0.001)], failures, withdrawn=[("lstm", "x")])
    assert said.failures == ("x-seed42 failed: it was killed by SIGKILL",)
    assert said.headline == "1 of 3 variants failed, so no winner is named."
    assert said.evidence == (
        "Of the variants that finished, lstm has the lowest validation loss (0.430). Which of all variants is best is "
        "not known.",
        "It is clearly more accurate than gru (+1.00 points, +0.40 to +1.60).",
    )
    assert (said.tone, said.word) == (BROKEN, "Broken")
    assert "winner: " not in str(said)


def test_a_failed_baseline_is_named_and_takes_nothing_from_the_choice():
    rows = [
        a_row("lstm", 0.43),
        a_row("simple_rnn", 0.0, is_baseline=True, figures=None, failed=("simple_rnn-seed42",)),
    ]
    said = conclude(rows, (), [FailedTraining("simple_rnn", 42, "no")])
    assert said.failures == ("simple_rnn-seed42 failed: no",)
    assert said.headline == "lstm is the only variant."


def test_a_baseline_is_never_chosen():
    rows = [a_row("lstm", 0.43), a_row("bag_of_words", 0.30, is_baseline=True)]
    assert conclude(rows).evidence[0].startswith("By the rule (lowest validation loss) lstm is chosen.")


def test_a_run_on_which_every_training_failed_says_so():
    rows = [a_row(name, 0.0, figures=None, failed=(f"{name}-seed42",)) for name in ("lstm", "gru")]
    said = conclude(rows, (), [FailedTraining(name, 42, "no") for name in ("lstm", "gru")])
    assert said.headline == "No model: every training failed."
    assert said.evidence == ()
    assert said.failures == ("lstm-seed42 failed: no", "gru-seed42 failed: no")


def test_several_seeds_are_right_on_average():
    rows = [a_row("lstm", 0.43, seeds=(42, 43, 44)), a_row("gru", 0.45, seeds=(42, 43, 44))]
    pairs = [a_pair("lstm", "gru", 0.01, 0.001, seed_difference=0.02, seed_p=0.01)]
    assert conclude(rows, pairs).evidence == (
        "By the rule (lowest validation loss) lstm is chosen. On average its 3 models get 80.0% of 25,000 test reviews "
        "right.",
        "It is clearly more accurate than gru (+1.00 points, +0.40 to +1.60).",
        "On average over all seeds, it is clearly more accurate than gru.",
    )


def test_recipes_that_no_seed_tells_apart_are_called_open_whatever_the_models_say():
    rows = [a_row("lstm", 0.43, seeds=(42, 43)), a_row("gru", 0.45, seeds=(42, 43))]
    pairs = [a_pair("lstm", "gru", 0.01, 0.001, seed_difference=0.02, seed_p=0.3)]
    assert conclude(rows, pairs).evidence[-1] == (
        "On average over all seeds, there is no clear difference from the other variants."
    )


def test_recipes_ahead_and_behind_over_seeds_have_a_sentence_each_and_open_ones_none():
    rows = [a_row(name, 0.43, seeds=(42, 43)) for name in ("lstm", "gru", "lstm_dropout", "lstm_stacked")]
    pairs = [
        a_pair("lstm", "gru", 0.01, 0.001, seed_difference=-0.02, seed_p=0.01),
        a_pair("lstm", "lstm_dropout", 0.01, 0.001, seed_difference=0.02, seed_p=0.01),
        a_pair("lstm", "lstm_stacked", 0.01, 0.001, seed_difference=0.02, seed_p=0.3),
    ]
    assert conclude(rows, pairs).evidence[2:] == (
        "On average over all seeds, it is clearly more accurate than lstm_dropout.",
        "On average over all seeds, it is clearly less accurate than gru.",
    )


@pytest.mark.parametrize("difference", [0.01, 0.0, -0.01])
@pytest.mark.parametrize("adjusted_p", [0.001, 0.9])
@pytest.mark.parametrize("seed_p", [None, 0.001, 0.9])
def test_variants_are_never_called_equal(difference, adjusted_p, seed_p):
    seed_difference = None if seed_p is None else difference
    pairs = [a_pair("lstm", "gru", difference, adjusted_p, seed_difference, seed_p)]
    said = conclude([a_row("lstm", 0.43), a_row("gru", 0.45)], pairs)
    assert not re.search(r"\b(equal|equally|same|alike|identical|tie|tied)\b", str(said))


def build_history(changes=(), regressions=()):
    runs = tuple(RunSummary(f"run-{day}", f"2026-11-{day}T22:02:00Z", "lstm", (), {}) for day in (22, 23))
    return History(runs, "run-22", (), tuple(regressions), tuple(changes), test_set_uses=2, models=10)


def since(*arguments):
    return conclude([a_row("lstm", 0.43)], history=build_history(*arguments)).since


def test_the_first_run_says_that_it_is_the_first():
    assert conclude([a_row("lstm", 0.43)]).since == ("This is the first run on these test reviews.",)


def test_a_run_without_a_change_says_so_with_the_previous_run_s_time():
    assert since() == ("Nothing changed since the previous run (22 November, 22:02).",)


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
        "Changed since the previous run (22 November, 22:02): data (archive), code (commit), "
        "parameter maxlen 100 → 200, version of keras – → 3.15.1 and machine (cpu)."
    )


@pytest.mark.parametrize(
    ("count", "end"), [(6, "p4 1 → 2 and parameter p5 1 → 2."), (7, "p5 1 → 2 and 1 more."), (60, "and 54 more.")]
)
def test_six_changes_are_named_and_the_rest_is_counted(count, end):
    [sentence] = since([Change("parameter", f"p{number}", "1", "2") for number in range(count)])
    assert sentence.endswith(end)


def test_what_got_worse_is_said_with_both_figures_and_somebody_must_look():
    regressions = [Regression("lstm", "accuracy", 0.81, 0.79, "seeds"), Regression("gru", "loss", 0.43, 0.45, "seeds")]
    said = conclude([a_row("lstm", 0.43)], history=build_history([], regressions))
    assert said.since[1] == (
        "Worse than in the previous run: test accuracy of lstm (81.0% to 79.0%) and test loss of gru (0.430 to 0.450)."
    )
    assert (said.tone, said.action) == (ACT, "Find out why figures got worse since the previous run.")


def test_a_run_without_a_model_says_what_changed_all_the_same():
    rows = [a_row("lstm", 0.0, figures=None, failed=("lstm-seed42",))]
    said = conclude(rows, history=build_history([Change("parameter", "maxlen", "100", "200")]))
    assert said.since[0].endswith(": parameter maxlen 100 → 200.")
