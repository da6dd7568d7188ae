"""The sample corpus has the same bytes every time, its own word index, and sentences whose word order matters."""

import hashlib
import json

import numpy as np
import pytest

from storage.archive import read_reviews
from tasks.data.sample import ADJECTIVES, VERBS, make_archive, rank_words, write_reviews, write_sentences


@pytest.fixture(scope="module")
def sentences() -> dict[str, list[list[str]]]:
    return write_sentences()


@pytest.fixture(scope="module")
def small() -> tuple[bytes, dict[str, int]]:
    archive, word_index = make_archive(200)
    return archive, json.loads(word_index)


def test_the_same_number_of_reviews_gives_the_same_bytes(small):
    archive, word_index = make_archive(200)
    assert archive == small[0]
    assert json.loads(word_index) == small[1]


def test_the_reviews_are_these_on_every_machine(small):
    reviews = read_reviews(small[0], "train", "sample.npz")
    assert hashlib.sha256(reviews.tokens.astype("<u4").tobytes()).hexdigest()[:16] == "ecb610a4ed8dd511"
    assert reviews.labels[:10].tolist() == [1, 1, 1, 0, 1, 0, 1, 0, 1, 1]


def test_half_the_reviews_are_to_train_on_and_half_of_each_part_is_positive(small):
    for part in ("train", "test"):
        labels = read_reviews(small[0], part, "sample.npz").labels
        assert (len(labels), int(labels.sum())) == (100, 50)


def test_the_labels_come_in_no_order(small):
    labels = read_reviews(small[0], "train", "sample.npz").labels.tolist()
    assert labels != sorted(labels)
    assert labels != [0, 1] * 50


def test_the_smallest_corpus_can_be_made():
    archive, _ = make_archive(20)
    for part in ("train", "test"):
        reviews = read_reviews(archive, part, "sample.npz")
        assert (len(reviews.labels), int(reviews.labels.sum())) == (10, 5)


def test_the_parts_hold_different_reviews(small):
    train, test = (read_reviews(small[0], part, "sample.npz").tokens.tolist() for part in ("train", "test"))
    assert train[:50] != test[:50]


def test_the_word_index_decodes_every_rank(small):
    archive, word_index = small
    words = {rank: word for word, rank in word_index.items()}
    assert sorted(words) == list(range(1, len(word_index) + 1))
    for part in ("train", "test"):
        assert set(read_reviews(archive, part, "sample.npz").tokens.tolist()) <= set(words)


def test_the_most_frequent_word_has_rank_1_and_equals_go_by_the_alphabet():
    pools = {"story": [["the", "film"], ["the", "cast"]], "praise": [["the", "film"]]}
    assert rank_words(pools) == {"the": 1, "film": 2, "cast": 3}
    assert rank_words({"story": [["b", "a"]]}) == {"a": 1, "b": 2}


def test_the_common_words_fit_in_the_default_vocabulary(sentences):
    ranks = rank_words(sentences)
    decisive = {"not", "but", "never"} | set(" ".join((*ADJECTIVES.values(), *VERBS.values())).split())
    assert max(ranks[word] for word in decisive) < 497


def test_reviews_are_about_as_long_as_real_ones(small):
    offsets = read_reviews(small[0], "train", "sample.npz").offsets
    lengths = np.diff(offsets)
    assert 150 < lengths.mean() < 350
    assert lengths.min() >= 12


def test_the_last_sentence_decides_but_for_the_reviews_that_are_labelled_against_what_they_say(sentences):
    ranks = rank_words(sentences)
    pools = {kind: [[ranks[word] for word in sentence] for sentence in pool] for kind, pool in sentences.items()}
    reviews, labels = write_reviews(1000, pools, np.random.RandomState(1))
    contrary = 0
    for review, label in zip(reviews, labels.tolist(), strict=True):
        endings = {
            1: any(review[-len(sentence) :] == sentence for sentence in pools["praise"]),
            0: any(review[-len(sentence) :] == sentence for sentence in pools["blame"]),
        }
        assert endings[0] != endings[1]
        contrary += not endings[label]
    # 120 of 1,000, plus or minus three standard deviations.
    assert 90 <= contrary <= 150


def test_no_last_sentence_is_both_praise_and_blame(sentences):
    praise, blame = ({" ".join(sentence) for sentence in sentences[kind]} for kind in ("praise", "blame"))
    assert praise & blame == set()


def test_word_order_matters_because_last_sentences_of_both_kinds_hold_words_of_both_kinds(sentences):
    good, bad = set(ADJECTIVES[True].split()), set(ADJECTIVES[False].split())
    for kind in ("praise", "blame"):
        assert any(good & set(sentence) and bad & set(sentence) for sentence in sentences[kind])
    assert any(set(sentence) & bad and not set(sentence) & good for sentence in sentences["praise"])
    assert any(set(sentence) & good and not set(sentence) & bad for sentence in sentences["blame"])


@pytest.mark.parametrize("kind", ["praise", "blame"])
def test_the_same_words_in_another_order_turn_a_last_sentence(sentences, kind):
    other = {"praise": "blame", "blame": "praise"}[kind]
    opposites = {" ".join(sentence) for sentence in sentences[other]}
    adjectives = set(" ".join(ADJECTIVES.values()).split())
    turned = 0
    for sentence in sentences[kind]:
        places = [place for place, word in enumerate(sentence) if word in adjectives]
        if sentence[0] == "people" and len(places) == 2:
            first, second = places
            swapped = list(sentence)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            turned += " ".join(swapped) in opposites
    assert turned > 0
