"""Where the models are wrong: counts, curves, kinds of reviews, and the reviews that are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from reports.analysis.errors import (
    ReviewFacts,
    accuracy_where,
    calibration_curve,
    find_confidently_wrong,
    find_disagreements,
    find_errors,
    find_label_issues,
    slice_reviews,
    trace_curves,
)
from reports.analysis.measurements import Predictions
from tests.example_runs import (
    ALL_FAILED,
    COUNT,
    FOUR_VARIANTS,
    ONE_FAILED,
    THREE_SEEDS,
    measure_as_recorded,
    review_facts,
)

SEED = 20261123


def predictions(labels, **probabilities):
    """What models say of some reviews, whose labels are written as ones and zeros."""
    said = {name: np.array(values, np.float64) for name, values in probabilities.items()}
    return Predictions(np.array(list(labels)) == "1", said)


def facts(**changes):
    """What is known of four reviews of 50, 150, 250 and 450 words, the last of which ends in a negation."""
    known = ReviewFacts(
        length=np.array([50, 150, 250, 450]),
        out_of_vocabulary=np.array([0.0, 0.1, 0.2, 0.3]),
        has_negation=np.array([False, False, False, True]),
        is_cut=np.array([False, True, True, True]),
        is_in_training=np.zeros(4, bool),
        review_ids=["test-0", "test-1", "test-2", "test-3"],
        decode=None,
    )
    return replace(known, **changes)


def noisy_reviews(count):
    """Labels and probabilities that go with them, more or less."""
    random = np.random.default_rng(SEED)
    labels = random.random(count) < 0.5
    return labels, 1 / (1 + np.exp(-(2 * labels - 1 + random.normal(size=count))))


@pytest.fixture(scope="module")
def errors():
    return find_errors(measure_as_recorded(FOUR_VARIANTS), review_facts())


def test_the_confusion_matrix_counts_each_kind_of_right_and_wrong(errors):
    # Right on the first 800 reviews, half of which are positive, and wrong on the other 200.
    lstm = errors.confusions[0]
    assert (lstm.name, lstm.true_positive, lstm.false_negative) == ("lstm", 400, 100)
    assert (lstm.false_positive, lstm.true_negative) == (100, 400)


def test_the_cells_of_a_confusion_matrix_are_not_mixed_up():
    labels = "1" * 500 + "0" * 500
    said = [0.9] * 400 + [0.1] * 100 + [0.9] * 30 + [0.1] * 470
    measured = replace(
        measure_as_recorded(FOUR_VARIANTS), test=predictions(labels, **dict.fromkeys(names_of(FOUR_VARIANTS), said))
    )
    lstm = find_errors(measured, None).confusions[0]
    assert (lstm.true_positive, lstm.false_negative, lstm.false_positive, lstm.true_negative) == (400, 100, 30, 470)


def names_of(run):
    return [training.name for training in (*run.trainings, *run.baselines)]


def test_a_probability_of_one_half_is_called_negative():
    measured = measure_as_recorded(FOUR_VARIANTS)
    undecided = predictions("10" * 500, **dict.fromkeys(names_of(FOUR_VARIANTS), [0.5] * COUNT))
    lstm = find_errors(replace(measured, test=undecided), None).confusions[0]
    assert (lstm.false_negative, lstm.true_negative) == (500, 500)


def test_the_variants_stand_in_their_order_and_baselines_are_not_among_them(errors):
    names = ["lstm", "lstm_dropout", "lstm_stacked", "gru"]
    assert [one.name for one in errors.confusions] == names
    assert [one.name for one in errors.probability_curves] == names
    assert list(errors.confidently_wrong) == names
    assert list(errors.accuracy_without_suspects) == names


def test_a_run_without_a_model_has_no_errors():
    assert find_errors(measure_as_recorded(ALL_FAILED), None) is None


def test_a_variant_that_failed_is_left_out():
    errors = find_errors(measure_as_recorded(ONE_FAILED), review_facts())
    assert [one.name for one in errors.confusions] == ["lstm", "lstm_dropout"]


def test_the_seed_with_the_lowest_validation_loss_represents_its_variant():
    errors = find_errors(measure_as_recorded(THREE_SEEDS), review_facts())
    # Seed 42 of each, right on 800, 805, 700 and 790.
    right = [one.true_positive + one.true_negative for one in errors.confusions]
    assert right == [800, 805, 700, 790]


def test_the_brier_score_is_the_mean_squared_difference(errors):
    measured = measure_as_recorded(FOUR_VARIANTS)
    expected = np.mean((measured.test.probabilities["lstm-seed42"] - measured.test.labels) ** 2)
    assert errors.probability_curves[0].brier.estimate == pytest.approx(expected)


def test_the_thinned_roc_curve_has_the_area_that_scikit_learn_gives():
    labels, probabilities = noisy_reviews(5000)
    roc, _ = trace_curves(labels, probabilities)
    assert 90 <= len(roc) <= 100
    assert (roc[0], roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    false_rate, true_rate = zip(*roc, strict=True)
    area = np.trapezoid(true_rate, false_rate)
    assert area == pytest.approx(roc_auc_score(labels, probabilities), abs=0.002), f"seed {SEED}"


def test_the_thinned_precision_curve_has_the_average_precision_that_scikit_learn_gives():
    labels, probabilities = noisy_reviews(5000)
    _, precision_recall = trace_curves(labels, probabilities)
    assert 90 <= len(precision_recall) <= 100
    recall, precision = zip(*precision_recall, strict=True)
    assert (recall[0], recall[-1]) == (0.0, 1.0)
    assert list(recall) == sorted(recall)
    area = np.trapezoid(precision, recall)
    assert area == pytest.approx(average_precision_score(labels, probabilities), abs=0.005), f"seed {SEED}"


def test_a_curve_of_many_reviews_has_a_hundred_points():
    labels, probabilities = np.arange(5000) % 2 == 1, np.linspace(0, 1, 5000)
    assert [len(curve) for curve in trace_curves(labels, probabilities)] == [100, 100]


def test_a_curve_of_few_reviews_has_all_their_points():
    roc, precision_recall = trace_curves(np.array([True, False, True]), np.array([0.9, 0.6, 0.2]))
    assert roc == ((0.0, 0.0), (0.0, 0.5), (1.0, 0.5), (1.0, 1.0))
    assert precision_recall == ((0.0, 1.0), (0.5, 1.0), (0.5, 0.5), (1.0, 0.6667))


@pytest.mark.parametrize("labels", [[True, True], [False, False]])
def test_reviews_of_one_class_have_no_curves(labels):
    assert trace_curves(np.array(labels), np.array([0.3, 0.7])) == ((), ())


def test_each_bin_of_probabilities_has_its_mean_its_share_of_positive_reviews_and_its_count():
    labels = np.array([False, True, False, True, True])
    probabilities = np.array([0.01, 0.05, 0.5, 0.96, 1.0])
    bins = calibration_curve(labels, probabilities)
    assert [count for _, _, count in bins] == [2, 1, 2]
    assert [share for _, share, _ in bins] == [0.5, 0.0, 1.0]
    assert [mean for mean, _, _ in bins] == pytest.approx([0.03, 0.5, 0.98])


def test_every_review_is_in_one_bin():
    labels, probabilities = noisy_reviews(1000)
    assert sum(count for _, _, count in calibration_curve(labels, probabilities)) == 1000


def test_the_chart_of_calibration_has_the_bins_of_the_calibration_error():
    # 0.2 is the edge of the third and the fourth of 15 bins; the error's bins are closed on the right.
    assert [count for _, _, count in calibration_curve(np.array([True, False]), np.array([0.19, 0.2]))] == [2]


def test_reviews_are_sliced_by_length_vocabulary_negation_and_cut():
    test = predictions("1100", lstm=[0.9, 0.9, 0.1, 0.9])
    slices = list(slice_reviews(test, {"lstm": "lstm"}, facts()))
    assert [(one.by, one.low, one.high, one.count) for one in slices] == [
        ("length", 0, 100, 1),
        ("length", 100, 200, 1),
        ("length", 200, 400, 1),
        ("length", 400, None, 1),
        # The quartiles of 0, 0.1, 0.2 and 0.3 are 0.075, 0.15 and 0.225, to two digits.
        ("out_of_vocabulary", 0, 0.08, 1),
        ("out_of_vocabulary", 0.08, 0.15, 1),
        ("out_of_vocabulary", 0.15, 0.22, 1),
        ("out_of_vocabulary", 0.22, None, 1),
        ("negation", 0, None, 3),
        ("negation", 1, None, 1),
        ("cut", 0, None, 1),
        ("cut", 1, None, 3),
    ]
    assert [one.accuracy["lstm"].estimate for one in slices[:4]] == [1.0, 1.0, 1.0, 0.0]
    assert slices[-1].accuracy["lstm"].estimate == pytest.approx(2 / 3)


def test_a_review_on_the_edge_of_two_slices_is_in_the_upper():
    known = facts(length=np.array([99, 100, 199, 200]))
    slices = slice_reviews(predictions("1100", lstm=[0.9] * 4), {"lstm": "lstm"}, known)
    lengths = [(one.low, one.high, one.count) for one in slices if one.by == "length"]
    assert lengths == [(0, 100, 1), (100, 200, 2), (200, 400, 1)]


def test_slices_without_a_review_are_left_out():
    known = facts(length=np.full(4, 150), out_of_vocabulary=np.zeros(4), is_cut=np.ones(4, bool))
    slices = list(slice_reviews(predictions("1100", lstm=[0.9] * 4), {"lstm": "lstm"}, known))
    assert [(one.by, one.low, one.high, one.count) for one in slices] == [
        ("length", 100, 200, 4),
        ("out_of_vocabulary", 0, None, 4),
        ("negation", 0, None, 3),
        ("negation", 1, None, 1),
        ("cut", 1, None, 4),
    ]


def test_without_a_word_index_nothing_is_said_of_negations():
    known = facts(has_negation=None)
    slices = slice_reviews(predictions("1100", lstm=[0.9] * 4), {"lstm": "lstm"}, known)
    assert {one.by for one in slices} == {"length", "out_of_vocabulary", "cut"}


def test_the_counts_of_each_kind_of_slice_add_up_to_all_reviews(errors):
    for kind in ("length", "out_of_vocabulary", "negation", "cut"):
        assert sum(one.count for one in errors.slices if one.by == kind) == COUNT


def test_the_confidently_wrong_are_those_to_whose_labels_a_model_gives_least():
    test = predictions("11100", lstm=[0.9, 0.02, 0.4, 0.95, 0.6])
    assert find_confidently_wrong(test, "lstm", 3).tolist() == [1, 3, 2]


def test_reviews_of_the_same_probability_stay_in_their_order():
    test = predictions("1111", lstm=[0.2, 0.1, 0.2, 0.1])
    assert find_confidently_wrong(test, "lstm", 4).tolist() == [1, 3, 0, 2]


def test_no_review_that_a_model_is_right_on_is_called_confidently_wrong():
    test = predictions("1100", lstm=[0.9, 0.3, 0.1, 0.2])
    assert find_confidently_wrong(test, "lstm", 3).tolist() == [1]


def test_the_variants_disagree_most_where_their_probabilities_are_furthest_apart():
    test = predictions("1010", lstm=[0.9, 0.6, 0.1, 0.9], gru=[0.2, 0.4, 0.7, 0.8])
    assert find_disagreements(test, ["lstm", "gru"], 5).tolist() == [0, 2, 1]


def test_reviews_of_one_opinion_are_no_disagreement_however_far_apart():
    test = predictions("101", lstm=[0.99, 0.51, 0.5], gru=[0.51, 0.5, 0.01])
    assert find_disagreements(test, ["lstm", "gru"], 5).tolist() == [1]


def test_a_single_variant_disagrees_with_nobody():
    assert find_disagreements(predictions("10", lstm=[0.9, 0.4]), ["lstm"], 5).tolist() == []


def test_only_as_many_disagreements_are_shown_as_were_asked_for():
    test = predictions("1111", lstm=[0.9, 0.8, 0.7, 0.6], gru=[0.1, 0.1, 0.1, 0.1])
    assert find_disagreements(test, ["lstm", "gru"], 2).tolist() == [0, 1]


def test_labels_are_suspected_that_the_models_contradict_as_surely_as_they_confirm_the_other_label():
    # They give "positive" 0.55 on average where it stands, and "negative" 0.7125: 0.75 and 0.9 are as much, 0.6 is not.
    test = predictions("11110000", lstm=[0.9, 0.8, 0.1, 0.4, 0.2, 0.1, 0.75, 0.1])
    suspects, kept = find_label_issues(test, ["lstm"])
    # The label that is given least comes first.
    assert suspects.tolist() == [2, 6]
    assert np.flatnonzero(~kept).tolist() == [2, 6]


def test_a_probability_that_just_reaches_the_threshold_is_enough():
    suspects, _ = find_label_issues(predictions("1100", lstm=[0.75, 0.25, 0.25, 0.25]), ["lstm"])
    assert suspects.tolist() == [1]


def test_a_label_that_is_as_likely_as_the_other_is_not_suspected():
    # "Negative" is given 0.45 on average where it stands, so 0.5 would reach the threshold.
    suspects, _ = find_label_issues(predictions("1100", lstm=[0.5, 0.9, 0.6, 0.5]), ["lstm"])
    assert suspects.tolist() == []


def test_suspects_are_found_by_the_mean_of_the_models_also_where_one_of_them_is_right():
    test = predictions("1100", lstm=[0.9, 0.01, 0.3, 0.3], gru=[0.9, 0.51, 0.3, 0.3])
    assert find_label_issues(test, ["lstm", "gru"])[0].tolist() == [1]
    assert find_label_issues(test, ["gru"])[0].tolist() == []


@pytest.mark.parametrize("said", [[0.1, 0.9], [0.5, 0.5]], ids=["wrong on all", "undecided"])
def test_where_every_label_would_be_suspected_none_is(said):
    suspects, kept = find_label_issues(predictions("10", lstm=said), ["lstm"])
    assert suspects.tolist() == []
    assert kept.all()


@pytest.mark.parametrize("label", ["1", "0"])
def test_where_only_one_label_stands_nothing_tells_when_the_other_is_given(label):
    suspects, kept = find_label_issues(predictions(label * 3, lstm=[0.9, 0.5, 0.1]), ["lstm"])
    assert suspects.tolist() == []
    assert kept.all()


def test_all_pairs_are_compared_again_without_the_suspects():
    measured = measure_as_recorded(FOUR_VARIANTS)
    # All are sure and wrong on twelve reviews; lstm_stacked, unsure, on eight more.
    said = [0.9] * 480 + [0.4] * 8 + [0.05] * 12 + [0.1] * 500
    all_but_one = dict.fromkeys(names_of(FOUR_VARIANTS), [0.9] * 488 + said[488:])
    test = predictions("1" * 500 + "0" * 500, **{**all_but_one, "lstm_stacked-seed42": said})
    errors = find_errors(replace(measured, test=test), review_facts())
    assert errors.suspect_count == 12
    assert (errors.without_suspects.reviews, errors.without_suspects.planned) == (988, 6)
    stacked = errors.without_suspects.rows[2]
    assert (stacked.first, stacked.second, stacked.first_only, stacked.second_only) == ("lstm", "lstm_stacked", 8, 0)
    accuracy = {name: interval.estimate for name, interval in errors.accuracy_without_suspects.items()}
    assert accuracy == {"lstm": 1.0, "lstm_dropout": 1.0, "lstm_stacked": pytest.approx(980 / 988), "gru": 1.0}


def test_the_ten_likeliest_suspects_are_shown_the_likeliest_first(errors):
    assert len(errors.suspects) == 10 < errors.suspect_count
    given = [
        np.mean([said if review.is_positive else 1 - said for said in review.probabilities.values()])
        for review in errors.suspects
    ]
    assert given == sorted(given)


def test_a_shown_review_has_its_label_its_words_and_what_each_variant_says(errors):
    review = errors.confidently_wrong["lstm"][0]
    place = int(review.review_id.removeprefix("test-"))
    assert place >= 800
    assert review.is_positive is (place % 2 == 1)
    assert list(review.probabilities) == ["lstm", "lstm_dropout", "lstm_stacked", "gru"]
    assert (review.words, review.unknown) == (("film", "rare", "film"), (1,))
    assert review.cut_words == max(0, (place % 500 + 1) - 100)


def test_five_reviews_a_variant_and_five_disagreements_are_shown(errors):
    assert {len(shown) for shown in errors.confidently_wrong.values()} == {5}
    assert len(errors.disagreements) == 5


@pytest.mark.parametrize("known", [None, replace(review_facts(), decode=None)], ids=["no facts", "no word index"])
def test_without_a_word_index_no_review_is_shown_and_all_figures_stay(errors, known):
    without = find_errors(measure_as_recorded(FOUR_VARIANTS), known)
    assert set(without.confidently_wrong.values()) == {()}
    assert (without.disagreements, without.suspects) == ((), ())
    assert without.suspect_count == errors.suspect_count > 0
    assert without.without_suspects == errors.without_suspects
    assert len(without.confusions) == 4
    assert bool(without.slices) is (known is not None)


def test_accuracy_on_some_of_the_reviews_is_by_the_training_that_stands_for_each_variant():
    test = predictions("1100", **{"lstm-seed42": [0.9, 0.9, 0.9, 0.1], "gru-seed43": [0.1, 0.9, 0.1, 0.1]})
    accuracy = accuracy_where(test, {"lstm": "lstm-seed42", "gru": "gru-seed43"}, np.array([True, False, True, True]))
    assert {name: interval.estimate for name, interval in accuracy.items()} == pytest.approx(
        {"lstm": 2 / 3, "gru": 2 / 3}
    )


def test_accuracy_on_no_review_is_none():
    assert accuracy_where(predictions("11", lstm=[0.9, 0.9]), {"lstm": "lstm"}, np.zeros(2, bool)) == {}
