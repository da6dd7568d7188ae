"""A run's test reviews as tokens of another model's encoder, and which of them that model was trained on."""

from dataclasses import replace

import numpy as np
import pytest

from storage.runs import read_run
from storage.schemas import padded_schema
from tasks.champion.model_record import describe_encoder
from tasks.champion.test_reviews import Learned, TestReviews, encode_test_reviews, read_learned, read_test_reviews
from tasks.data.pad import tokens_of
from tests.champions import MAXLEN, answer, publish_champion_run, publish_model

RUN_ID = "20261101T020000Z-aaaaaa"


@pytest.fixture
def run(store, datasets):
    labels = np.zeros(200, bool)
    model = publish_model(store, RUN_ID, datasets, "lstm", 42, answer(labels, 0.8), "a", val_loss=0.43)
    publish_champion_run(store, datasets, RUN_ID, model)
    return read_run(store, RUN_ID)


@pytest.fixture
def padded(store, run):
    table = store.read_table(run.datasets["pad"].files["test"], padded_schema(MAXLEN))
    return np.array(table["review_id"].to_pylist(), str), tokens_of(table)


def test_the_same_encoder_gives_the_run_s_own_tokens_in_any_order(store, run, padded):
    ids, tokens = padded
    encoded = encode_test_reviews(run, ids[::-1], describe_encoder(run, store), store)
    assert (encoded == tokens[::-1]).all()


def test_a_smaller_vocabulary_makes_more_words_unknown(store, run, padded):
    ids, tokens = padded
    encoder = replace(describe_encoder(run, store), num_words=20)
    encoded = encode_test_reviews(run, ids, encoder, store)
    assert (encoded == np.where(tokens >= 20, 2, tokens)).all()


def test_a_shorter_model_sees_the_last_tokens(store, run, padded):
    ids, tokens = padded
    encoded = encode_test_reviews(run, ids, replace(describe_encoder(run, store), maxlen=7), store)
    assert (encoded == tokens[:, -7:]).all()


def test_another_vocabulary_encodes_the_words_anew(store, run, padded):
    """The words of the archive's reviews are written out, and read with the other vocabulary: here with the same."""
    ids, tokens = padded
    encoder = describe_encoder(run, store)
    file = store.write_bytes("datasets/other-x/index.json", store.read_bytes(encoder.vocabulary.path) + b" ")
    encoded = encode_test_reviews(run, ids, replace(encoder, vocabulary=file), store)
    assert (encoded == tokens).all()


def test_without_a_vocabulary_other_reviews_cannot_be_encoded(store, run, padded):
    encoder = replace(describe_encoder(run, store), kind="ranks", vocabulary=None)
    with pytest.raises(ValueError, match="its encoder must have a vocabulary to encode other reviews"):
        encode_test_reviews(run, padded[0], encoder, store)


def test_reviews_with_the_text_of_a_training_review_are_known(store, run, padded):
    ids, _ = padded
    reviews, learned = read_test_reviews(run, ids, store), read_learned(run, store)
    assert len(reviews.ids) == 200
    assert learned.knows(reviews).sum() == np.isin(reviews.contents, learned.contents).sum()
    assert Learned(learned.keys, reviews.contents[:5]).knows(reviews).sum() >= 5


def some_reviews(keys, contents):
    ids = np.array([f"own-{place}" for place in range(len(keys))], str)
    return TestReviews(ids, np.array(keys, np.uint64), np.array(contents, np.uint64))


def test_of_equal_texts_the_first_counts_and_what_has_no_hash_is_different():
    assert some_reviews([7, 8, 7, 0, 0], [0, 0, 0, 0, 0]).first_of_each.tolist() == [True, True, False, True, True]
    assert some_reviews([0, 0, 0], [4, 5, 4]).first_of_each.tolist() == [True, True, False]


def test_a_review_is_known_by_its_text_or_by_its_words():
    learned = Learned(np.array([7], np.uint64), np.array([5], np.uint64))
    assert learned.knows(some_reviews([7, 8, 9, 0], [0, 5, 6, 0])).tolist() == [True, True, False, False]


def test_the_name_of_a_set_of_reviews_does_not_depend_on_their_order():
    one, other = some_reviews([7, 8], [0, 0]), some_reviews([8, 7], [0, 0])
    assert one.name_reviews() == other.name_reviews() != some_reviews([7, 9], [0, 0]).name_reviews()


def test_what_only_one_model_was_trained_on_is_counted():
    one = Learned(np.array([1, 2, 3], np.uint64), np.array([9], np.uint64))
    other = Learned(np.array([2], np.uint64), np.array([9, 8], np.uint64))
    assert (one.count_more_than(other), other.count_more_than(one)) == (2, 1)
