"""The few findings on the first screen: computed, ranked, and linked to their sections."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.statistics import Interval
from reports.page.findings import rank_findings
from reports.sections.errors_section import Errors, Slice
from reports.sections.history_section import Regression
from reports.sections.minimal_pairs_section import MinimalPairs, PairCategory
from reports.sections.pairs_section import Pairs
from tests.reports.page.evidence_parts import ENGLISH, FIRST_RUN, a_row, an_evidence


def a_slice(by, low, high, count, estimate):
    return Slice(by, low, high, count, {"lstm": Interval(estimate, estimate - 0.01, estimate + 0.01)})


def with_slices(*slices):
    errors = Errors((), (), slices, {}, (), (), 0, Pairs(0, (), (), 1), {})
    return replace(an_evidence([a_row("lstm", 0.43, accuracy=0.804)]), errors=errors)


def with_pairs(**passed):
    categories = tuple(
        PairCategory(name, expectation, 20, {"lstm": (most,), "gru": (0, most)})
        for (name, expectation), most in zip(
            (("negation", "flip"), ("intensifiers", "rise")), passed.values(), strict=True
        )
    )
    return replace(an_evidence([a_row("lstm", 0.43)]), minimal_pairs=MinimalPairs(1, 0, categories, ()))


def trained(name, epochs, gap=0.0, **options):
    row = a_row(name, 0.43)
    return replace(row, figures=replace(row.figures, epochs=epochs, gap=gap, **options))


def texts(evidence):
    return [one.text for one in rank_findings(evidence, ENGLISH)]


def test_pairs_that_guessing_passes_more_often_are_a_finding():
    found = rank_findings(with_pairs(negation=4, intensifiers=11), ENGLISH)
    assert found == [("Negation: at best 4 of 20 pairs; guessing passes 5", "minimal-pairs")]


def test_pairs_that_a_model_passes_as_often_as_guessing_are_none():
    assert texts(with_pairs(negation=5, intensifiers=10)) == []


def test_the_kind_of_pair_farthest_below_guessing_is_named_alone():
    assert texts(with_pairs(negation=4, intensifiers=1)) == ["Intensifiers: at best 1 of 20 pairs; guessing passes 10"]


def test_the_weakest_kind_of_review_is_a_finding():
    slices = a_slice("length", 0, 100, 3000, 0.843), a_slice("length", 400, None, 3184, 0.759)
    found = rank_findings(with_slices(*slices), ENGLISH)
    assert found == [("Reviews of 400 words or more: 75.9%, 4.5 points below average", "errors")]


def test_a_kind_with_few_reviews_or_a_small_drop_is_none():
    assert texts(with_slices(a_slice("length", 400, None, 99, 0.5), a_slice("cut", 1, None, 5000, 0.78))) == []


def test_each_kind_of_review_makes_a_sentence():
    assert texts(with_slices(a_slice("out_of_vocabulary", 0.33, None, 500, 0.7))) == [
        "Reviews with 33% or more unknown words: 70.0%, 10.4 points below average"
    ]
    assert texts(with_slices(a_slice("negation", 1, None, 500, 0.7))) == [
        "Reviews, with a negation: 70.0%, 10.4 points below average"
    ]


def test_trainings_that_were_still_improving_and_those_that_overfit_are_named():
    rows = [trained("gru", (100,), stopped_early=False), trained("lstm", (59,), gap=0.06)]
    assert texts(an_evidence(rows)) == ["Still improving at epoch 100: gru", "Overfitting: lstm"]


def test_what_got_worse_comes_first_and_three_findings_are_the_most():
    history = replace(FIRST_RUN, regressions=(Regression("lstm", "accuracy", 0.81, 0.79, "seeds"),))
    rows = [trained("lstm", (100,), gap=0.06, stopped_early=False)]
    evidence = replace(
        an_evidence(rows, history=history), minimal_pairs=with_pairs(negation=0, intensifiers=20).minimal_pairs
    )
    found = rank_findings(evidence, ENGLISH)
    assert [one.section for one in found] == ["history", "minimal-pairs", "curves"]
    assert found[0].text == "Worse than in the previous run: test accuracy of lstm (81.0% to 79.0%)"
