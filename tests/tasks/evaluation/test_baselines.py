"""The baselines without epochs: the majority class, and a logistic regression on word counts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tasks.evaluation.baselines import count_words, predict_bag_of_words, predict_majority

GOOD, BAD, FILM = 4, 5, 6


def tokens(*reviews):
    return np.array(reviews, np.uint16)


def labels(*values):
    return np.array(values, bool)


def test_the_majority_is_the_share_of_positive_training_reviews_for_every_review():
    predicted = predict_majority(labels(1, 0, 1, 1), 3)
    assert predicted.tolist() == [0.75, 0.75, 0.75]
    assert predicted.dtype == np.float64


def test_where_both_classes_are_as_many_the_majority_is_not_positive():
    assert not (predict_majority(labels(1, 0), 1) > 0.5).any()


def test_words_are_counted_and_padding_is_not():
    counts = count_words(tokens([0, 0, 1, FILM], [FILM, FILM, FILM, GOOD]), num_words=8)
    assert counts.tolist() == [[0, 1, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0, 3, 0]]
    assert counts.dtype == np.float64


def test_a_review_of_padding_alone_has_no_words():
    assert count_words(tokens([0, 0, 0]), num_words=4).tolist() == [[0, 0, 0, 0]]


def test_the_largest_token_is_counted_in_its_own_review():
    assert count_words(tokens([7, 7], [0, 1]), num_words=8).tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 2],
        [0, 1, 0, 0, 0, 0, 0, 0],
    ]


def test_the_largest_vocabulary_does_not_wrap_round():
    counts = count_words(tokens([65535, 1], [1, 65535]), num_words=65536)
    assert np.argwhere(counts).tolist() == [[0, 1], [0, 65535], [1, 1], [1, 65535]]


def test_words_that_only_good_reviews_have_speak_for_a_review():
    train = tokens([0, FILM, GOOD], [FILM, GOOD, GOOD], [0, FILM, BAD], [FILM, BAD, BAD]), labels(1, 1, 0, 0)
    good, bad, neither = predict_bag_of_words(train, [tokens([0, GOOD, FILM], [0, BAD, FILM], [0, 0, FILM])], 8)[0]
    assert good > 0.6
    assert bad < 0.4
    assert neither == pytest.approx(0.5, abs=0.05)


def test_the_order_of_the_words_and_the_padding_make_no_difference():
    train = tokens([0, FILM, GOOD], [FILM, BAD, BAD]), labels(1, 0)
    first, second, third = predict_bag_of_words(train, [tokens([0, GOOD, BAD], [0, BAD, GOOD], [BAD, 0, GOOD])], 8)[0]
    assert first == second == third


def test_the_predictions_are_scikit_learn_s_on_square_roots_of_counts():
    random = np.random.default_rng(20261123)
    words, sides = random.integers(0, 50, (200, 20)).astype(np.uint16), random.random(200) < 0.5
    counts = np.array([[float((review == token).sum()) for token in range(50)] for review in words])
    counts[:, 0] = 0
    model = LogisticRegression(max_iter=1000).fit(np.sqrt(counts[:150]), sides[:150])
    [predicted] = predict_bag_of_words((words[:150], sides[:150]), [words[150:]], 50)
    np.testing.assert_allclose(predicted, model.predict_proba(np.sqrt(counts[150:]))[:, 1], atol=1e-5)


def test_each_part_has_its_own_predictions_and_the_same_call_gives_the_same():
    train = tokens([0, FILM, GOOD], [FILM, BAD, BAD]), labels(1, 0)
    parts = [tokens([GOOD, GOOD, GOOD]), tokens([BAD, BAD, BAD], [0, 0, FILM])]
    validation, test = predict_bag_of_words(train, parts, 8)
    assert (len(validation), len(test)) == (1, 2)
    assert validation.tolist() == predict_bag_of_words(train, parts, 8)[0].tolist()
