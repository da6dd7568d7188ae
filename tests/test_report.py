"""The report: rows as data, the page by a few structural assertions."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from reports.page import render_markdown, render_report, table_cells
from reports.rows import EvaluatedRun, compare_trainings, reach_verdict
from reports.statistics import paired_accuracy_difference, wilson_interval
from storage.records import Dataset, FailedTraining, Run, Scores, StoredFile, TrainingResult

COUNT = 1000


def a_training(variant, val_loss, hits, seed=42):
    return TrainingResult(
        variant=variant,
        layers="LSTM(units=8)",
        seed=seed,
        parameters={"epochs": 100},
        versions={"keras": "3.15.1"},
        dataset="0" * 16,
        epochs=3,
        best_epoch=2,
        stopped_early=True,
        train=Scores(0.41, 0.82, None, 4000),
        validation=Scores(val_loss, 0.79, 0.012, COUNT),
        test=Scores(0.44, hits / COUNT, 0.013, COUNT),
        parameter_count=8809,
        weights_sha256="a" * 64,
        seconds={"start": 5.0, "fit": 20.0, "evaluate": 1.0, "total": 26.0},
    )


def a_run(*trainings, failures=(), notice=None):
    archive = Dataset("download", "1" * 16, {}, {"archive": StoredFile("raw/x.npz", "c" * 64, 17)}, "imdb.npz")
    return Run(
        run_id="20261123T020000Z-abc123",
        started="2026-11-23T02:00:00Z",
        seconds=61.0,
        source="imdb.npz",
        is_sample=False,
        notice=notice,
        parameters={"num_words": 500},
        versions={"python": "3.11.7"},
        datasets={"archive": archive},
        trainings=trainings,
        failures=tuple(failures),
    )


def evaluated(run):
    """The run, where each training is right on its first reviews and wrong on the rest."""
    history = {
        "epoch": [1, 2, 3],
        "loss": [0.69, 0.41, 0.40],
        "val_loss": [0.68, 0.43, 0.45],
        "accuracy": [0.5, 0.82, 0.83],
        "val_accuracy": [0.5, 0.79, 0.78],
    }
    hits = {one.name: np.arange(COUNT) < round(one.test.accuracy * COUNT) for one in run.trainings}
    return EvaluatedRun(run, {one.name: history for one in run.trainings}, hits)


def test_the_wilson_interval_is_that_of_the_published_example():
    # 15 of 148: Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998).
    interval = wilson_interval(15 / 148, 148)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0624, 0.1605)


def test_the_paired_difference_is_that_of_the_approval_ratings():
    # Agresti, "Categorical Data Analysis", chapter 10: of 1,600 people 794 approved twice, 150 only at first, 86 only
    # later and 570 never; the difference is -0.04 with a 95% interval of -0.06 to -0.02.
    first = np.array([True] * 794 + [True] * 150 + [False] * 86 + [False] * 570)
    later = np.array([True] * 794 + [False] * 150 + [True] * 86 + [False] * 570)
    change = paired_accuracy_difference(later, first)
    assert change.estimate == -0.04
    assert (round(change.low, 2), round(change.high, 2)) == (-0.06, -0.02)


def test_two_models_that_are_right_on_the_same_reviews_are_not_told_apart():
    hits = np.arange(COUNT) < 800
    assert not paired_accuracy_difference(hits, hits).excludes_zero


def test_two_equal_models_are_told_apart_in_at_most_six_of_a_hundred_cases():
    random = np.random.default_rng(20261123)
    told_apart = sum(
        paired_accuracy_difference(random.random(COUNT) < 0.8, random.random(COUNT) < 0.8).excludes_zero
        for _ in range(1000)
    )
    assert told_apart <= 60


def test_the_table_is_in_the_order_of_validation_loss_whatever_the_test_says():
    rows = compare_trainings(a_run(a_training("gru", 0.45, 900), a_training("lstm", 0.43, 800)))
    assert [(row.name, row.is_best) for row in rows] == [("lstm-seed42", True), ("gru-seed42", False)]


def test_a_row_holds_the_figures_and_their_intervals():
    (row,) = compare_trainings(a_run(a_training("lstm", 0.43, 800)))
    assert row.gap == pytest.approx(0.02)
    assert (row.test.loss.low, row.test.loss.high) == pytest.approx((0.427, 0.453))
    assert (row.test.accuracy.low, row.test.accuracy.high) == pytest.approx((0.7741, 0.8236), abs=1e-4)


@pytest.mark.parametrize(
    ("best_hits", "other_hits", "said"),
    [
        (850, 800, "Its lead over gru-seed42, +5.00 percentage points of test accuracy"),
        (801, 800, "is not resolved by this test set."),
        (800, 850, "The test set contradicts the choice: against gru-seed42 it stands at -5.00"),
    ],
)
def test_the_verdict_chooses_on_validation_and_says_how_that_stands_on_test(best_hits, other_hits, said):
    run = a_run(a_training("lstm", 0.43, best_hits), a_training("gru", 0.45, other_hits))
    verdict = reach_verdict(evaluated(run))
    assert verdict.headline == "Best tonight: lstm-seed42, with the lowest validation loss, 0.4300."
    assert said in verdict.evidence


def test_the_lead_is_over_another_variant_not_over_another_seed():
    run = a_run(a_training("lstm", 0.43, 800), a_training("lstm", 0.431, 800, seed=43), a_training("gru", 0.45, 790))
    assert "Its lead over gru-seed42" in reach_verdict(evaluated(run)).evidence


def test_a_single_variant_has_nothing_to_lead():
    verdict = reach_verdict(evaluated(a_run(a_training("lstm", 0.43, 800))))
    assert verdict.evidence.endswith("There is no other variant to compare it with.")


def test_a_failed_training_is_named_before_the_verdict():
    failure = FailedTraining("gru", 42, "it was killed by SIGKILL")
    page = render_report(evaluated(a_run(a_training("lstm", 0.43, 800), failures=[failure])))
    assert page.index("gru-seed42 failed: it was killed by SIGKILL") < page.rindex("Best tonight: lstm-seed42, with")
    assert "<title>1 training failed. Best tonight" in page


def test_a_night_without_a_model_has_a_report_all_the_same():
    page = render_report(evaluated(a_run(failures=[FailedTraining("gru", 42, "no"), FailedTraining("lstm", 42, "no")])))
    assert "No model tonight: every training failed." in page
    assert "<svg" not in page


HOSTILE = "</script><img src=x onerror=alert(1)>\u2028\u202e'\"&"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]


def test_hostile_text_is_shown_as_text():
    run = a_run(
        replace(a_training("lstm", 0.43, 800), layers=HOSTILE),
        replace(a_training("gru", 0.45, 790), variant=HOSTILE),
        failures=[FailedTraining(HOSTILE, 42, HOSTILE)],
        notice=HOSTILE,
    )
    parser = Tags()
    parser.feed(render_report(evaluated(replace(run, source=HOSTILE, parameters={HOSTILE: HOSTILE}))))
    assert "img" not in parser.tags
    assert "script" not in parser.tags


def test_the_page_is_whole_by_itself_and_well_formed():
    page = render_report(evaluated(a_run(a_training("lstm", 0.43, 800), a_training("gru", 0.45, 790))))
    parser = Tags()
    parser.feed(page)
    assert parser.tags.count("h1") == 1
    assert parser.tags.count("svg") == 2
    assert len(parser.ids) == len(set(parser.ids))
    assert not {"link", "script", "iframe", "img"} & set(parser.tags)
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "default-src 'none'" in page


def test_the_same_run_gives_the_same_bytes():
    run = a_run(a_training("lstm", 0.43, 800), a_training("gru", 0.45, 790))
    assert render_report(evaluated(run)) == render_report(evaluated(run))


def test_the_markdown_holds_the_verdict_the_table_and_the_address():
    run = a_run(a_training("lstm", 0.43, 800), failures=[FailedTraining("gru", 42, "gone")])
    markdown = render_markdown(evaluated(run), "/srv/reports/x.html")
    assert markdown.startswith("**gru-seed42 failed: gone**\n")
    assert "Report: `/srv/reports/x.html`" in markdown
    assert markdown.splitlines()[-1].startswith("| lstm-seed42 | 3 | 2 | 0.4100 | 0.4300 | 0.4400 | 82.00% | 79.00% |")


def test_the_table_for_terminals_has_as_many_cells_in_each_row_as_in_its_header():
    header, row = table_cells(compare_trainings(a_run(a_training("lstm", 0.43, 800))))
    assert len(header) == len(row) == 13
