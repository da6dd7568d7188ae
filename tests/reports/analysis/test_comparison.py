"""The comparison: one row for each variant, and each pair of them on the same test reviews."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.comparison import (
    BAG_OF_WORDS,
    MAJORITY,
    accuracy_of,
    compare_pairs,
    compare_variants,
    list_curves,
    list_trainings,
)
from reports.analysis.measurements import Measurements, Predictions, trainings_of
from reports.analysis.statistics import Interval, minimum_detectable_difference
from storage.records import FailedTraining, Scores
from tests.example_runs import FOUR_VARIANTS, ONE_FAILED, THREE_SEEDS, a_run, a_training, measure, measure_as_recorded

# Ten reviews, every second positive.
LABELS = np.arange(10) % 2 == 1


def said(hits):
    """What a model says that is right where there is a 1, always equally sure."""
    right = np.array(list(hits)) == "1"
    return np.where(right == LABELS, 0.8, 0.2)


def measured_run(models, failures=(), baselines=(), plain=(), **changes):
    """What was measured of models by (variant, seed): on validation and on test, where they are right."""
    parts = {
        part: Predictions(LABELS, {f"{variant}-seed{seed}": said(of[place]) for (variant, seed), of in models.items()})
        for place, part in enumerate(("validation", "test"))
    }
    for name, hits in plain:
        for part in parts.values():
            part.probabilities[name] = said(hits)
    trainings = []
    for variant, seed in models:
        training = a_training(variant, 0.0, 0, seed, **changes)
        scores = {
            part: Scores(
                float(of.losses(training.name).mean()), float(of.is_correct(training.name).mean()), None, len(LABELS)
            )
            for part, of in parts.items()
        }
        trainings.append(replace(training, **scores))
    run = a_run(
        *(one for one in trainings if one.variant not in baselines),
        failures=failures,
        baselines=[one for one in trainings if one.variant in baselines],
    )
    return Measurements(run, parts["validation"], parts["test"], {})


TWO_SEEDS = measured_run(
    {
        ("lstm", 42): ("1111111100", "1111111100"),
        ("lstm", 43): ("1111110000", "1111110000"),
        ("gru", 42): ("1111000000", "1111000000"),
        ("gru", 43): ("1111100000", "1110000000"),
    }
)


def test_a_model_that_is_sure_and_wrong_has_a_finite_loss():
    predictions = Predictions(np.array([True, False, True, False]), {"lstm-seed42": np.array([0.0, 1.0, 1.0, 0.0])})
    # Keras clips to 1e-7 from either end.
    assert predictions.losses("lstm-seed42") == pytest.approx([16.118096, 16.118096, 1e-7, 1e-7], rel=1e-6)


def test_trainings_are_found_by_a_name_that_was_read_from_a_file():
    # Equal, but not the same object.
    assert [one.name for one in trainings_of(FOUR_VARIANTS, "".join(["gr", "u"]))] == ["gru-seed42"]


def test_the_rows_are_in_the_order_of_validation_loss_whatever_the_test_says():
    measured = measured_run({("gru", 42): ("1111111000", "1111111111"), ("lstm", 42): ("1111111100", "1000000000")})
    assert [row.name for row in compare_variants(measured)] == ["lstm", "gru"]


def test_a_row_holds_its_figures_and_their_intervals():
    # By hand: 8 of 10 right with 0.8 and 2 wrong with 0.2 on validation, Wilson's interval of 7 of 10 on test.
    measured = measured_run({("lstm", 42): ("1111111100", "1111111000")})
    [row] = compare_variants(measured)
    figures = row.figures
    assert (row.name, row.is_baseline, row.layers, row.seeds, row.failed) == ("lstm", False, "LSTM(units=8)", (42,), ())
    assert figures.validation.loss.estimate == pytest.approx((8 * 0.2231436 + 2 * 1.6094379) / 10)
    assert figures.test.accuracy.estimate == 0.7
    assert (figures.test.accuracy.low, figures.test.accuracy.high) == pytest.approx((0.3968, 0.8922), abs=1e-4)
    assert (figures.validation.loss_deviation, figures.test.accuracy_deviation, figures.auc_deviation) == (None,) * 3
    assert (figures.epochs, figures.best_epochs, figures.parameter_count) == ((3,), (2,), 8809)
    assert (figures.train_loss, figures.train_accuracy, figures.seconds) == (0.41, 0.82, 26.0)
    assert figures.gap == pytest.approx(0.5004025 - 0.41)
    assert figures.chosen == "lstm-seed42"


def test_the_area_is_the_share_of_positive_reviews_above_negative_ones_and_ties_count_half():
    # By hand: 4 of 5 positive and 4 of 5 negative reviews are right; 16 of 25 pairs in order, 8 ties, 1 the other way.
    [row] = compare_variants(measured_run({("lstm", 42): ("1" * 10, "1111111100")}))
    assert row.figures.auc.estimate == pytest.approx(0.8)


def test_several_seeds_give_means_and_standard_deviations():
    lstm, gru = compare_variants(TWO_SEEDS)
    assert (lstm.name, lstm.seeds, lstm.figures.chosen) == ("lstm", (42, 43), "lstm-seed42")
    assert lstm.figures.test.accuracy.estimate == pytest.approx(0.7)
    # 0.8 and 0.6.
    assert lstm.figures.test.accuracy_deviation == pytest.approx(0.1414214)
    # Two reviews more are wrong: 2 / 10 of 1.6094379 - 0.2231436 apart.
    assert lstm.figures.test.loss_deviation == pytest.approx(0.2772589 / np.sqrt(2))
    assert lstm.figures.validation.loss.estimate == pytest.approx((0.5004025 + 0.7776613) / 2)
    # Of seed 43: 3 of 5 on either side, 9 of 25 in order, 12 ties, 4 the other way.
    assert lstm.figures.auc.estimate == pytest.approx((0.8 + 0.6) / 2)
    assert lstm.figures.auc_deviation == pytest.approx(0.1414214)
    assert gru.figures.test.accuracy.estimate == pytest.approx(0.35)
    assert gru.figures.chosen == "gru-seed43"


def test_the_interval_of_a_mean_over_seeds_is_one_over_reviews():
    # Six reviews that both are right on, two that one is, two that none is: mean 0.7, standard error 0.4 / 3.
    accuracy = accuracy_of(TWO_SEEDS.test, ["lstm-seed42", "lstm-seed43"])
    margin = 1.959964 * 0.4 / 3
    assert (accuracy.estimate, accuracy.low, accuracy.high) == pytest.approx((0.7, 0.7 - margin, 0.7 + margin))


def test_a_thousand_reviews_take_a_hundred_times_as_long_as_ten():
    models = {("lstm", 42): ("1" * 10, "1" * 10)}
    [row] = compare_variants(measured_run(models, seconds={"total": 26.0, "predict": 0.0002}))
    assert row.figures.milliseconds == pytest.approx(20.0)
    assert row.figures.model_bytes == 59_400


def test_milliseconds_are_not_rounded():
    models = {("lstm", 42): ("1" * 10, "1" * 10)}
    [row] = compare_variants(measured_run(models, seconds={"total": 26.0, "predict": 0.000025}))
    assert row.figures.milliseconds == pytest.approx(2.5)


def test_a_training_of_an_older_version_has_no_prediction_time_and_one_without_files_no_size():
    models = {("lstm", 42): ("1" * 10, "1" * 10)}
    [row] = compare_variants(measured_run(models, seconds={"total": 26.0}, files={}))
    assert (row.figures.milliseconds, row.figures.model_bytes) == (None, None)


def test_one_seed_that_ran_all_its_epochs_is_enough_for_the_row_to_say_so():
    models = {("lstm", seed): ("1" * 10, "1" * 10) for seed in (42, 43)}
    measured = measured_run(models)
    trainings = (measured.run.trainings[0], replace(measured.run.trainings[1], stopped_early=False, epochs=100))
    [row] = compare_variants(replace(measured, run=replace(measured.run, trainings=trainings)))
    assert not row.figures.stopped_early
    assert row.figures.epochs == (3, 100)


def test_a_variant_with_a_failed_seed_is_withdrawn_and_comes_after_those_that_finished():
    models = {
        ("lstm", 42): ("1" * 10, "1" * 10),
        ("gru", 42): ("1111000000", "1111000000"),
        ("gru", 43): ("1111000000", "1111000000"),
    }
    failures = [FailedTraining("lstm", 43, "it was killed by SIGKILL"), FailedTraining("lstm_stacked", 42, "no")]
    measured = measured_run(models, failures, baselines=["gru"])
    measured = replace(
        measured,
        run=replace(measured.run, parameters={**measured.run.parameters, "variants": ["lstm", "lstm_stacked"]}),
    )
    lstm, stacked, gru = compare_variants(measured)
    assert (lstm.figures, lstm.failed, lstm.seeds, lstm.layers) == (None, ("lstm-seed43",), (42,), "LSTM(units=8)")
    assert (stacked.figures, stacked.failed, stacked.seeds, stacked.layers) == (None, ("lstm_stacked-seed42",), (), "")
    assert (gru.is_baseline, gru.seeds) == (True, (42, 43))


def test_a_variant_that_finished_comes_before_a_withdrawn_one_that_was_declared_first():
    measured = measured_run({("gru", 42): ("1000000000", "1" * 10)}, [FailedTraining("lstm", 42, "no")])
    measured = replace(
        measured, run=replace(measured.run, parameters={**measured.run.parameters, "variants": ["lstm", "gru"]})
    )
    assert [row.name for row in compare_variants(measured)] == ["gru", "lstm"]


def test_baselines_come_last_however_low_their_loss():
    models = {("lstm", 42): ("1111100000", "1111100000"), ("simple_rnn", 42): ("1" * 10, "1" * 10)}
    plain = [(MAJORITY, "1" * 10), (BAG_OF_WORDS, "1" * 10)]
    rows = compare_variants(measured_run(models, baselines=["simple_rnn"], plain=plain))
    assert [(row.name, row.is_baseline) for row in rows] == [
        ("lstm", False),
        ("simple_rnn", True),
        ("bag_of_words", True),
        ("majority_class", True),
    ]


def test_a_baseline_without_epochs_has_scores_and_nothing_of_a_training():
    rows = compare_variants(measured_run({("lstm", 42): ("1" * 10, "1" * 10)}, plain=[(BAG_OF_WORDS, "1111111100")]))
    row = rows[-1]
    assert (row.name, row.layers, row.seeds) == ("bag_of_words", "", ())
    assert row.figures.test.accuracy.estimate == 0.8
    assert row.figures.auc.estimate == pytest.approx(0.8)
    nothing = (row.figures.gap, row.figures.parameter_count, row.figures.seconds, row.figures.milliseconds)
    assert nothing == (None, None, None, None)
    assert (row.figures.epochs, row.figures.chosen, row.figures.model_bytes) == ((), None, None)


def test_a_baseline_that_failed_has_a_row_that_says_so():
    measured = measured_run({("lstm", 42): ("1" * 10, "1" * 10)}, [FailedTraining("simple_rnn", 42, "no")])
    measured = replace(
        measured, run=replace(measured.run, parameters={**measured.run.parameters, "variants": ["lstm"]})
    )
    lstm, baseline = compare_variants(measured)
    assert lstm.figures is not None
    assert (baseline.name, baseline.is_baseline, baseline.failed) == ("simple_rnn", True, ("simple_rnn-seed42",))
    assert baseline.figures is None


def test_a_run_without_a_model_has_withdrawn_rows_alone():
    run = a_run(failures=[FailedTraining("gru", 42, "no"), FailedTraining("lstm", 42, "no")])
    rows = compare_variants(measure(run))
    assert [(row.name, row.figures, row.failed) for row in rows] == [
        ("gru", None, ("gru-seed42",)),
        ("lstm", None, ("lstm-seed42",)),
    ]


def test_four_variants_make_six_pairs_the_best_against_each_other_one_first():
    measured = measure_as_recorded(FOUR_VARIANTS)
    pairs = compare_pairs(measured, measured.test)
    assert (pairs.planned, pairs.withdrawn, pairs.reviews) == (6, (), 1000)
    assert [(row.first, row.second) for row in pairs.rows] == [
        ("lstm", "lstm_dropout"),
        ("lstm", "gru"),
        ("lstm", "lstm_stacked"),
        ("lstm_dropout", "gru"),
        ("lstm_dropout", "lstm_stacked"),
        ("gru", "lstm_stacked"),
    ]


def test_the_first_of_a_pair_has_the_lower_validation_loss_also_where_the_test_contradicts_it():
    measured = measured_run({("gru", 42): ("1111111000", "1" * 10), ("lstm", 42): ("1111111100", "1000000000")})
    [row] = compare_pairs(measured, measured.test).rows
    assert (row.first, row.second, row.first_training, row.second_training) == (
        "lstm",
        "gru",
        "lstm-seed42",
        "gru-seed42",
    )
    assert (row.first_only, row.second_only, row.difference.estimate) == (0, 9, -0.9)


def test_only_the_reviews_on_which_one_is_right_and_the_other_wrong_are_counted():
    measured = measured_run({("lstm", 42): ("1" * 10, "1111111001"), ("gru", 42): ("1111111000", "0001111110")})
    [row] = compare_pairs(measured, measured.test).rows
    assert (row.first_only, row.second_only) == (4, 2)
    # The sign test of 4 of 6.
    assert row.p_value == pytest.approx(0.6875)
    assert row.difference.estimate == pytest.approx(0.2)


def test_two_models_that_are_right_on_the_same_reviews_are_not_told_apart():
    measured = measured_run({(name, 42): ("1" * 10, "1111100000") for name in ("lstm", "gru")})
    [row] = compare_pairs(measured, measured.test).rows
    assert (row.p_value, row.adjusted_p, row.is_significant, row.resolvable) == (1.0, 1.0, False, None)


@pytest.mark.parametrize(
    ("failures", "withdrawn"), [((), ()), (["lstm_stacked"], (("lstm", "lstm_stacked"), ("gru", "lstm_stacked")))]
)
def test_holm_corrects_for_all_planned_pairs_also_for_those_that_were_withdrawn(failures, withdrawn):
    models = {
        ("lstm", 42): ("1" * 10, "1" * 10),
        ("gru", 42): ("1111111100", "1111000000"),
        ("lstm_stacked", 42): ("1111110000", "1111000000"),
    }
    models = {(name, seed): of for (name, seed), of in models.items() if name not in failures}
    measured = measured_run(models, [FailedTraining(name, 42, "no") for name in failures])
    pairs = compare_pairs(measured, measured.test)
    assert (pairs.planned, pairs.withdrawn) == (3, withdrawn)
    # The sign test of 6 of 6, three times: other planned pairs have the same p or a larger one.
    assert (pairs.rows[0].first, pairs.rows[0].second) == ("lstm", "gru")
    assert pairs.rows[0].p_value == pytest.approx(0.03125)
    assert pairs.rows[0].adjusted_p == pytest.approx(0.09375)
    assert not pairs.rows[0].is_significant


def test_all_pairs_of_a_failed_variant_are_withdrawn_and_no_other():
    measured = measure_as_recorded(ONE_FAILED)
    pairs = compare_pairs(measured, measured.test)
    assert pairs.planned == 3
    assert [(row.first, row.second) for row in pairs.rows] == [("lstm", "lstm_dropout")]
    assert pairs.withdrawn == (("lstm", "gru"), ("lstm_dropout", "gru"))


def test_a_variant_with_one_failed_seed_is_not_compared_by_the_others():
    run = replace(THREE_SEEDS, failures=(FailedTraining("gru", 44, "no"),))
    run = replace(run, trainings=tuple(one for one in run.trainings if one.name != "gru-seed44"))
    measured = measure_as_recorded(run)
    pairs = compare_pairs(measured, measured.test)
    assert len(pairs.rows) == 3
    assert {name for row in pairs.rows for name in (row.first, row.second)} == {"lstm", "lstm_dropout", "lstm_stacked"}
    assert all("gru" in pair for pair in pairs.withdrawn)


def test_with_one_seed_nothing_is_said_over_seeds():
    measured = measure_as_recorded(FOUR_VARIANTS)
    for row in compare_pairs(measured, measured.test).rows:
        assert (row.over_seeds, row.adjusted_seed_p, row.is_significant_over_seeds) == (None, None, False)


def test_several_seeds_are_compared_seed_by_seed():
    # Of the seeds 0.8 and 0.6 against 0.4 and 0.3: differences 0.4 and 0.3, standard error 0.05, t = 7 with 1 degree.
    [row] = compare_pairs(TWO_SEEDS, TWO_SEEDS.test).rows
    over_seeds = row.over_seeds.difference
    assert over_seeds.estimate == pytest.approx(0.35)
    assert (over_seeds.low, over_seeds.high) == pytest.approx((0.35 - 12.7062 * 0.05, 0.35 + 12.7062 * 0.05), abs=1e-5)
    assert row.over_seeds.p_value == pytest.approx(0.0903, abs=1e-4)
    assert row.adjusted_seed_p == pytest.approx(row.over_seeds.p_value)
    # By the trained models, the ones with the lowest validation loss stand for their recipes.
    assert (row.first_training, row.second_training) == ("lstm-seed42", "gru-seed43")
    assert (row.first_only, row.second_only) == (5, 0)


def test_the_seeds_p_values_are_corrected_for_all_planned_pairs():
    measured = measure_as_recorded(THREE_SEEDS)
    rows = compare_pairs(measured, measured.test).rows
    assert len(rows) == 6
    # Every seed's test accuracy falls alike, so the differences of the recipes do not vary: each p is 0.
    assert [(row.over_seeds.p_value, row.adjusted_seed_p) for row in rows] == [(0.0, 0.0)] * 6
    failed = replace(TWO_SEEDS.run, failures=(FailedTraining("lstm_stacked", 42, "no"),))
    failed = replace(failed, parameters={**failed.parameters, "variants": ["lstm", "gru", "lstm_stacked"]})
    [row] = compare_pairs(replace(TWO_SEEDS, run=failed), TWO_SEEDS.test).rows
    assert row.adjusted_seed_p == pytest.approx(3 * row.over_seeds.p_value)


def test_the_detectable_difference_is_that_of_the_strictest_step():
    measured = measure_as_recorded(FOUR_VARIANTS)
    row = compare_pairs(measured, measured.test).rows[2]
    assert (row.second, row.first_only, row.second_only) == ("lstm_stacked", 100, 0)
    assert row.resolvable == minimum_detectable_difference(0.1, 1000, 0.05 / 6)
    assert row.resolvable == pytest.approx(0.0347, abs=1e-4)


def test_the_detectable_difference_counts_the_reviews_on_which_either_is_right_alone():
    measured = measured_run({("lstm", 42): ("1" * 10, "1111111000"), ("gru", 42): ("1111111000", "0000011111")})
    [row] = compare_pairs(measured, measured.test).rows
    assert (row.first_only, row.second_only) == (5, 3)
    assert row.resolvable == minimum_detectable_difference(0.8, 10, 0.05)
    assert row.resolvable == pytest.approx(0.702, abs=1e-3)


def test_a_pair_s_difference_of_areas_is_that_of_its_two_models():
    measured = measured_run({("lstm", 42): ("1" * 10, "1" * 10), ("gru", 42): ("1111111000", "1111111100")})
    [row] = compare_pairs(measured, measured.test).rows
    assert row.auc.difference.estimate == pytest.approx(1.0 - 0.8)


def test_pairs_can_be_compared_on_some_of_the_reviews():
    measured = measured_run({("lstm", 42): ("1" * 10, "1111100000"), ("gru", 42): ("1111111000", "0000011111")})
    pairs = compare_pairs(measured, measured.test.select(np.arange(10) < 5))
    assert pairs.reviews == 5
    assert (pairs.rows[0].first_only, pairs.rows[0].second_only) == (5, 0)


def test_a_single_variant_makes_no_pair():
    measured = measured_run({("lstm", 42): ("1" * 10, "1" * 10)})
    pairs = compare_pairs(measured, measured.test)
    assert (pairs.planned, pairs.rows, pairs.withdrawn) == (0, (), ())


def test_a_run_without_a_model_withdraws_every_pair():
    run = a_run(failures=[FailedTraining("gru", 42, "no"), FailedTraining("lstm", 42, "no")])
    pairs = compare_pairs(measure(run), measure(run).test)
    assert (pairs.planned, pairs.rows, pairs.withdrawn) == (1, (), (("gru", "lstm"),))


def test_the_curves_are_those_of_the_variants_as_they_are_declared():
    curves = list_curves(measure(FOUR_VARIANTS))
    assert [curve.training for curve in curves] == [
        "lstm-seed42",
        "lstm_dropout-seed42",
        "lstm_stacked-seed42",
        "gru-seed42",
    ]
    assert (curves[0].variant, curves[0].seed, curves[0].best_epoch) == ("lstm", 42, 2)
    assert (curves[0].loss, curves[0].val_loss) == ((0.69, 0.41, 0.40), (0.68, 0.43, 0.45))
    assert (curves[0].accuracy, curves[0].val_accuracy) == ((0.5, 0.82, 0.83), (0.5, 0.79, 0.78))


def test_the_trainings_are_in_the_order_of_validation_loss_and_baselines_last():
    run = a_run(
        a_training("gru", 0.45, 900),
        a_training("lstm", 0.44, 800, seed=43),
        a_training("lstm", 0.43, 800),
        baselines=[a_training("simple_rnn", 0.40, 950)],
    )
    rows = list_trainings(measure_as_recorded(run))
    assert [(row.name, row.is_baseline) for row in rows] == [
        ("lstm-seed42", False),
        ("lstm-seed43", False),
        ("gru-seed42", False),
        ("simple_rnn-seed42", True),
    ]


def test_a_training_s_row_holds_its_own_figures():
    row = list_trainings(measure_as_recorded(a_run(a_training("lstm", 0.43, 800))))[0]
    assert (row.epochs, row.best_epoch, row.stopped_early, row.seconds) == (3, 2, True, 26.0)
    assert row.validation.loss.estimate == pytest.approx(0.43)
    assert row.gap == pytest.approx(0.02)
    assert row.test.accuracy == Interval(0.8, pytest.approx(0.7741, abs=1e-4), pytest.approx(0.8236, abs=1e-4))
    assert (row.test.loss_deviation, row.test.accuracy_deviation) == (None, None)
