"""One run beside the earlier ones: changes, regressions, and how far seeds alone move a figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.history import build_history, format_value, list_changes, summarise_run
from reports.sections.history_section import Change, Regression, VariantFigures
from storage.records import CodeVersion, Dataset, FailedTraining, Scores, StoredFile
from tests.example_runs import ALL_FAILED, a_run, a_training


def run_on(day, *trainings, **changes):
    """A run of one day of November."""
    times = {"run_id": f"202611{day:02}T020000Z-abc123", "started": f"2026-11-{day:02}T02:00:00Z"}
    return a_run(*trainings, **times, **changes)


def seeds(variant, hits, val_loss=0.43, losses=None):
    """A training for each seed, with these test reviews right out of 1,000."""
    losses = losses or [0.44] * len(hits)
    return [
        a_training(variant, val_loss, right, seed=42 + place, test=Scores(loss, right / 1000, 0.013, 1000))
        for place, (right, loss) in enumerate(zip(hits, losses, strict=True))
    ]


def regressions(earlier, this_run, discordant=None):
    return build_history(this_run, earlier, discordant or {}).regressions


def test_the_first_run_has_nothing_to_compare_with():
    this_run = run_on(23, *seeds("lstm", [800]))
    history = build_history(this_run, [], {})
    assert (history.last, history.regressions, history.changes) == (None, (), ())
    assert [one.run_id for one in history.runs] == ["20261123T020000Z-abc123"]
    assert (history.test_set_uses, history.models) == (1, 1)


def test_a_run_is_summarised_by_means_over_seeds():
    this_run = run_on(23, *seeds("lstm", [800, 810], losses=[0.44, 0.46]), *seeds("gru", [790], val_loss=0.42))
    summary = summarise_run(this_run)
    assert (summary.run_id, summary.started) == ("20261123T020000Z-abc123", "2026-11-23T02:00:00Z")
    assert (summary.best, summary.failed) == ("gru", ())
    assert summary.figures == {
        "lstm": VariantFigures((42, 43), pytest.approx(0.45), pytest.approx(0.805)),
        "gru": VariantFigures((42,), 0.44, 0.79),
    }


def test_the_best_of_a_run_has_the_lowest_mean_validation_loss_whatever_the_test_says():
    lstm = [a_training("lstm", 0.40, 700), a_training("lstm", 0.50, 700, seed=43)]
    gru = [a_training("gru", 0.44, 600), a_training("gru", 0.44, 600, seed=43)]
    assert summarise_run(run_on(23, *lstm, *gru)).best == "gru"


def test_a_run_on_which_a_variant_failed_has_no_best_and_leaves_that_variant_out():
    failures = [FailedTraining("lstm", 43, "it was killed by SIGKILL")]
    summary = summarise_run(run_on(23, *seeds("lstm", [800]), *seeds("gru", [790]), failures=failures))
    assert (summary.best, summary.failed, list(summary.figures)) == (None, ("lstm-seed43",), ["gru"])


def test_a_run_on_which_only_a_baseline_failed_has_a_best():
    this_run = run_on(23, *seeds("lstm", [800]), failures=[FailedTraining("simple_rnn", 42, "no")])
    this_run = replace(this_run, parameters={**this_run.parameters, "variants": ["lstm"]})
    assert (summarise_run(this_run).best, summarise_run(this_run).failed) == ("lstm", ("simple_rnn-seed42",))


def test_a_run_without_a_model_has_a_summary_all_the_same():
    summary = summarise_run(ALL_FAILED)
    assert (summary.best, summary.failed, summary.figures) == (None, ("gru-seed42", "lstm-seed42"), {})


def test_baselines_are_no_part_of_a_run_s_figures():
    this_run = run_on(23, *seeds("lstm", [800]), baselines=[a_training("simple_rnn", 0.3, 900)])
    assert list(summarise_run(this_run).figures) == ["lstm"]


def test_two_runs_alike_show_no_change():
    assert list(list_changes(run_on(22, *seeds("lstm", [800])), run_on(23, *seeds("lstm", [810])))) == []


def test_another_commit_and_uncommitted_changes_are_named():
    before = run_on(22)
    now = run_on(23, code=CodeVersion("e" * 40, is_dirty=True))
    assert list(list_changes(before, now)) == [
        Change("code", "commit", "d" * 40, "e" * 40),
        Change("code", "is_dirty", "False", "True"),
    ]


def test_a_run_without_a_checkout_is_another_code_than_one_with():
    changes = list(list_changes(run_on(22, code=CodeVersion()), run_on(23)))
    assert changes == [
        Change("code", "commit", None, "d" * 40),
        Change("code", "is_dirty", None, "False"),
    ]


def test_another_archive_source_and_word_index_are_named_as_data():
    now = run_on(23, source="https://example.org/imdb.npz")
    files = {"archive": StoredFile("raw/y.npz", "e" * 64, 17), "word_index": StoredFile("raw/i.json", "f" * 64, 5)}
    now = replace(now, datasets={"archive": Dataset("download", "2" * 16, {}, files, "imdb.npz")})
    assert list(list_changes(run_on(22), now)) == [
        Change("data", "archive", "c" * 64, "e" * 64),
        Change("data", "source", "imdb.npz", "https://example.org/imdb.npz"),
        Change("data", "word_index", None, "f" * 64),
    ]


def test_parameters_that_changed_came_or_went_are_named_with_the_seeds_among_them():
    before, now = run_on(22, *seeds("lstm", [800])), run_on(23, *seeds("lstm", [800, 801]))
    now = replace(now, parameters={**now.parameters, "maxlen": 200, "patience": 3})
    del now.parameters["language"]
    assert list(list_changes(before, now)) == [
        Change("parameter", "language", "en", None),
        Change("parameter", "maxlen", "100", "200"),
        Change("parameter", "patience", None, "3"),
        Change("parameter", "seeds", "42", "42, 43"),
    ]


def test_where_the_results_are_kept_is_no_change():
    now = run_on(23)
    assert list(list_changes(run_on(22), replace(now, parameters={**now.parameters, "store": "/srv/store"}))) == []


def test_versions_and_the_machine_are_named():
    now = run_on(23, versions={"python": "3.11.8", "keras": "3.15.1"}, cpu="another processor, 4 CPUs")
    assert list(list_changes(run_on(22), now)) == [
        Change("version", "keras", None, "3.15.1"),
        Change("version", "python", "3.11.7", "3.11.8"),
        Change("machine", "cpu", "a processor, 2 CPUs", "another processor, 4 CPUs"),
    ]


def test_this_run_is_compared_with_the_previous_run_and_not_with_an_older_one():
    older, last = run_on(21, cpu="an old processor"), run_on(22)
    history = build_history(run_on(23), [older, last], {})
    assert (history.last, history.changes) == ("20261122T020000Z-abc123", ())


def test_seeds_are_written_out_and_what_was_not_given_is_none():
    assert format_value([42, 43]) == "42, 43"
    assert format_value(None) is None
    assert format_value(False) == "False"
    assert format_value(1e-4) == "0.0001"


def test_two_runs_of_two_seeds_give_the_band_that_is_computed_by_hand():
    # Deviation 0.01 √2 in either run, 2 degrees of freedom, t = 4.302653, times √(1/2 + 1/2).
    before, this_run = run_on(22, *seeds("lstm", [800, 820])), run_on(23, *seeds("lstm", [790, 810]))
    accuracy, loss = build_history(this_run, [before], {}).bands
    assert (accuracy.variant, accuracy.metric, accuracy.degrees) == ("lstm", "accuracy", 2)
    assert accuracy.centre == pytest.approx(0.81)
    assert accuracy.half_width == pytest.approx(4.302653 * 0.01 * np.sqrt(2))
    assert (loss.metric, loss.centre, loss.half_width) == ("loss", pytest.approx(0.44), 0.0)


def test_the_band_of_the_first_run_is_about_its_own_figure():
    # Deviation 0.01 √2, 1 degree of freedom, t = 12.706205, times √(1/2 + 1/2).
    band = build_history(run_on(23, *seeds("lstm", [800, 820])), [], {}).bands[0]
    assert (band.centre, band.degrees) == (pytest.approx(0.81), 1)
    assert band.half_width == pytest.approx(12.706205 * 0.01 * np.sqrt(2))


def test_a_run_of_one_seed_has_a_wider_band_by_what_earlier_runs_tell():
    # The deviation comes from the older run alone; one seed against one: times √(1 + 1).
    older, last = run_on(21, *seeds("lstm", [800, 820])), run_on(22, *seeds("lstm", [810]))
    band = build_history(run_on(23, *seeds("lstm", [805])), [older, last], {}).bands[0]
    assert (band.centre, band.degrees) == (0.81, 1)
    assert band.half_width == pytest.approx(12.706205 * 0.01 * np.sqrt(2) * np.sqrt(2))


def test_one_variant_s_seeds_say_nothing_of_another_variant():
    this_run = run_on(23, *seeds("lstm", [800, 820]), *seeds("gru", [800]))
    assert {band.variant for band in build_history(this_run, [], {}).bands} == {"lstm"}


def test_without_several_seeds_there_is_no_band():
    history = build_history(run_on(23, *seeds("lstm", [800])), [run_on(22, *seeds("lstm", [800]))], {})
    assert history.bands == ()


@pytest.mark.parametrize(("hits", "is_worse"), [([740, 760], False), ([739, 759], True)])
def test_an_accuracy_is_worse_where_it_falls_by_more_than_the_band(hits, is_worse):
    # The band of two runs of two seeds, 20 apart: 60.8 reviews, and a fall by 60 or 61.
    before, this_run = run_on(22, *seeds("lstm", [800, 820])), run_on(23, *seeds("lstm", hits))
    [band] = [one for one in build_history(this_run, [before], {}).bands if one.metric == "accuracy"]
    assert band.half_width == pytest.approx(0.0608, abs=1e-4)
    expected = [Regression("lstm", "accuracy", pytest.approx(0.81), pytest.approx(0.749), "seeds")]
    assert list(regressions([before], this_run)) == (expected if is_worse else [])


@pytest.mark.parametrize(("losses", "is_worse"), [([0.50, 0.52], False), ([0.501, 0.521], True), ([0.30, 0.32], False)])
def test_a_loss_is_worse_where_it_rises_by_more_than_the_band(losses, is_worse):
    before = run_on(22, *seeds("lstm", [800, 800], losses=[0.44, 0.46]))
    this_run = run_on(23, *seeds("lstm", [800, 800], losses=losses))
    expected = [Regression("lstm", "loss", pytest.approx(0.45), pytest.approx(0.511), "seeds")]
    assert list(regressions([before], this_run)) == (expected if is_worse else [])


def test_a_figure_that_rises_is_no_regression():
    before, this_run = run_on(22, *seeds("lstm", [800, 820])), run_on(23, *seeds("lstm", [900, 920]))
    assert regressions([before], this_run) == ()


@pytest.mark.parametrize(
    ("lost", "gained", "is_worse"),
    [
        (6, 0, True),  # p = 2 / 64
        (5, 0, False),  # p = 2 / 32
        (0, 6, False),  # better
        (60, 50, False),
        (0, 0, False),
    ],
)
def test_without_a_band_the_reviews_decide_on_which_only_one_run_s_model_was_right(lost, gained, is_worse):
    before, this_run = run_on(22, *seeds("lstm", [800])), run_on(23, *seeds("lstm", [794]))
    expected = (Regression("lstm", "accuracy", 0.8, 0.794, "reviews"),) if is_worse else ()
    assert regressions([before], this_run, {"lstm": (lost, gained)}) == expected


def test_where_the_band_is_known_the_reviews_are_not_asked_as_well():
    before, this_run = run_on(22, *seeds("lstm", [800, 820])), run_on(23, *seeds("lstm", [780, 800]))
    assert regressions([before], this_run, {"lstm": (500, 0)}) == ()
    far = run_on(23, *seeds("lstm", [600, 620]))
    assert [one.by for one in regressions([before], far, {"lstm": (500, 0)})] == ["seeds"]


def test_a_variant_that_was_not_in_the_previous_run_cannot_be_worse():
    before = run_on(22, *seeds("gru", [900]))
    assert regressions([before], run_on(23, *seeds("lstm", [600])), {}) == ()


def test_a_variant_that_failed_in_this_run_is_not_called_worse():
    before = run_on(22, *seeds("lstm", [800]), *seeds("gru", [800]))
    this_run = run_on(23, *seeds("gru", [800]), failures=[FailedTraining("lstm", 42, "no")])
    assert regressions([before], this_run) == ()


def test_thirty_runs_are_shown_and_all_are_counted():
    earlier = [
        replace(
            run_on(1, *seeds("lstm", [800]), baselines=[a_training("simple_rnn", 0.5, 700)]), run_id=f"run {number}"
        )
        for number in range(40)
    ]
    this_run = run_on(23, *seeds("lstm", [800, 810, 820]))
    history = build_history(this_run, earlier, {})
    assert len(history.runs) == 30
    assert (history.runs[0].run_id, history.runs[-1].run_id) == ("run 11", this_run.run_id)
    assert history.last == "run 39"
    # The baselines were evaluated on the same test set.
    assert (history.test_set_uses, history.models) == (41, 40 * 2 + 3)


def test_the_noise_of_seeds_is_taken_from_the_runs_that_are_shown():
    old = [run_on(1, *seeds("lstm", [100, 900])) for _ in range(10)]
    recent = [run_on(2, *seeds("lstm", [800])) for _ in range(29)]
    assert build_history(run_on(23, *seeds("lstm", [800])), [*old, *recent], {}).bands == ()
