"""The minimal pairs differ in one thing, and their words are in the vocabulary of the models."""

import json
from collections import Counter

import pytest

from reports.analysis.pass_rates import rate_minimal_pairs
from reports.sections.minimal_pairs_section import PairCategory, PairOutcome
from tasks.data.minimal_pairs import (
    EXPECTATIONS,
    NAMES,
    PAIRS,
    VERDICTS,
    MinimalPair,
    encode_pairs,
    encode_sentence,
    has_passed,
)
from tests.places import REAL_WORD_INDEX

WORD_INDEX = {"the": 1, "movie": 17, "art": 495, "side": 496, "fact": 497}


def pairs_of(category: str) -> list[MinimalPair]:
    return [pair for pair in PAIRS if pair.category == category]


@pytest.fixture(scope="module")
def imdb_word_index() -> dict[str, int]:
    if not REAL_WORD_INDEX.exists():
        pytest.skip(f"IMDB's word index is not at {REAL_WORD_INDEX}")
    return json.loads(REAL_WORD_INDEX.read_text())


def test_every_word_is_in_the_imdb_vocabulary_of_500(imdb_word_index):
    words = {word for pair in PAIRS for word in f"{pair.first} {pair.second}".split()}
    assert [word for word in sorted(words) if imdb_word_index.get(word, 497) > 496] == []


def test_the_imdb_vocabulary_of_500_keeps_every_pair(imdb_word_index):
    assert [pair for pair, _, _ in encode_pairs(imdb_word_index, num_words=500)] == list(PAIRS)


def test_a_smaller_vocabulary_keeps_fewer_pairs_and_a_tiny_one_none(imdb_word_index):
    smaller = encode_pairs(imdb_word_index, num_words=200)
    assert 0 < len(smaller) < len(PAIRS)
    assert max(token for _, first, second in smaller for token in first + second) < 200
    assert encode_pairs(imdb_word_index, num_words=10) == []


def test_another_corpus_without_these_words_keeps_no_pair():
    assert encode_pairs(WORD_INDEX, num_words=500) == []


def test_a_pair_is_encoded_first_sentence_first():
    words = ["this", "movie", "is", "not", "bad", "at", "all"]
    word_index = {word: rank for rank, word in enumerate(words, start=1)}
    [(pair, first, second)] = encode_pairs(word_index, num_words=500)
    assert (pair.first, pair.second) == ("this movie is not bad at all", "this movie is bad")
    assert (first, second) == ([1, 4, 5, 6, 7, 8, 9, 10], [1, 4, 5, 6, 8])


def test_a_sentence_becomes_a_start_token_and_its_words_shifted_by_three():
    assert encode_sentence("the movie the", WORD_INDEX, num_words=500) == [1, 4, 20, 4]


def test_the_last_word_of_the_vocabulary_is_known_and_the_next_is_not():
    assert encode_sentence("art side", WORD_INDEX, num_words=500) == [1, 498, 499]
    assert encode_sentence("art fact", WORD_INDEX, num_words=500) is None


def test_a_word_missing_from_the_index_leaves_nothing_to_encode():
    assert encode_sentence("the unheard movie", WORD_INDEX, num_words=500) is None


def test_each_category_has_an_expectation_and_16_to_24_pairs():
    counts = Counter(pair.category for pair in PAIRS)
    assert sorted(counts) == sorted(EXPECTATIONS)
    assert all(16 <= count <= 24 for count in counts.values()), counts


def test_an_identifier_is_its_category_and_a_number_and_occurs_once():
    assert [pair.identifier for pair in pairs_of("negation")[:3]] == ["negation-01", "negation-02", "negation-03"]
    assert all(pair.identifier.startswith(f"{pair.category}-") for pair in PAIRS)
    assert len({pair.identifier for pair in PAIRS}) == len(PAIRS)


def test_no_pair_occurs_twice_not_even_the_other_way_round():
    assert len({frozenset((pair.first, pair.second)) for pair in PAIRS}) == len(PAIRS)
    assert [pair.identifier for pair in PAIRS if pair.first == pair.second] == []


def test_a_sentence_is_lower_case_words_with_single_blanks_between():
    for sentence in (sentence for pair in PAIRS for sentence in (pair.first, pair.second)):
        assert sentence == " ".join(sentence.lower().split())
        assert sentence.replace("'", "").replace(" ", "").isalpha(), sentence


def test_every_sentence_fits_100_tokens_with_its_start_token():
    assert max(len(sentence.split()) for pair in PAIRS for sentence in (pair.first, pair.second)) <= 99


NEGATIONS = {"no", "not", "never", "nothing", "don't", "didn't", "doesn't", "isn't", "wasn't", "can't", "couldn't"}


@pytest.mark.parametrize("pair", pairs_of("negation"), ids=lambda pair: pair.identifier)
def test_one_sentence_of_a_negation_pair_is_negated_and_the_other_is_not(pair):
    assert bool(NEGATIONS & set(pair.first.split())) != bool(NEGATIONS & set(pair.second.split()))


def test_some_negation_pairs_negate_the_good_and_some_the_bad():
    negated_first = [bool(NEGATIONS & set(pair.first.split())) for pair in pairs_of("negation")]
    assert (negated_first.count(True), negated_first.count(False)) == (8, 12)


@pytest.mark.parametrize("pair", pairs_of("intensifiers"), ids=lambda pair: pair.identifier)
def test_one_sentence_of_an_intensifier_pair_is_the_other_with_words_left_out(pair):
    shorter, longer = sorted((pair.first.split(), pair.second.split()), key=len)
    remaining = iter(longer)
    assert all(word in remaining for word in shorter)
    assert len(shorter) < len(longer)


@pytest.mark.parametrize("pair", pairs_of("but_turns"), ids=lambda pair: pair.identifier)
def test_the_sentences_of_a_turn_hold_the_same_words_in_another_order(pair):
    assert sorted(pair.first.split()) == sorted(pair.second.split())
    assert {"but", "although", "though", "despite", "yet", "however"} & set(pair.first.split())


@pytest.mark.parametrize("pair", pairs_of("last_sentence"), ids=lambda pair: pair.identifier)
def test_a_last_sentence_pair_shares_all_but_its_verdict(pair):
    [opening] = {
        pair.first.removesuffix(good)
        for good, bad in VERDICTS
        if pair.first.endswith(f" {good}") and pair.second.endswith(f" {bad}")
    }
    assert pair.second.startswith(opening)
    assert len(opening.split()) >= 16
    assert all(25 <= len(sentence.split()) <= 60 for sentence in (pair.first, pair.second))


@pytest.mark.parametrize("pair", pairs_of("names"), ids=lambda pair: pair.identifier)
def test_the_sentences_of_a_names_pair_differ_in_one_word(pair):
    first, second = pair.first.split(), pair.second.split()
    assert len(first) == len(second)
    [swapped] = [words for words in zip(first, second, strict=True) if words[0] != words[1]]
    assert swapped in {(one, other) for _, one, other in NAMES}


@pytest.mark.parametrize(
    ("first", "second", "passed"),
    [
        (0.9, 0.1, True),
        (0.51, 0.5, True),  # 0.5 itself is called negative
        (0.5, 0.1, False),
        (0.9, 0.6, False),
        (0.4, 0.1, False),
        (0.1, 0.9, False),
    ],
)
@pytest.mark.parametrize("category", ["negation", "but_turns", "last_sentence"])
def test_a_flip_passes_where_the_first_is_called_positive_and_the_second_negative(category, first, second, passed):
    assert has_passed(category, first, second) is passed


@pytest.mark.parametrize(
    ("first", "second", "passed"), [(0.9, 0.8, True), (0.2, 0.1, True), (0.5, 0.5, False), (0.8, 0.9, False)]
)
def test_a_rise_passes_where_the_first_has_the_higher_probability(first, second, passed):
    assert has_passed("intensifiers", first, second) is passed


@pytest.mark.parametrize(
    ("first", "second", "passed"),
    [
        (0.7, 0.7, True),
        (0.7, 0.8, True),  # 0.1 apart, whichever comes first
        (0.8, 0.7, True),
        (0.7, 0.81, False),
        (0.4, 0.5, True),
        (0.5, 0.51, False),  # close, but called negative and positive
        (0.51, 0.5, False),
    ],
)
def test_names_pass_where_both_are_called_the_same_and_differ_by_at_most_a_tenth(first, second, passed):
    assert has_passed("names", first, second) is passed


def test_each_training_passes_the_pairs_of_a_category_that_it_did_not_fail():
    outcomes = [
        PairOutcome("negation", "negation-01", "good", "not good", {"lstm": (0.9, 0.1)}, ()),
        PairOutcome("negation", "negation-02", "fine", "not fine", {"lstm": (0.9, 0.8)}, ("lstm",)),
        PairOutcome("negation", "negation-03", "well", "not well", {"lstm": (0.9, 0.1)}, ()),
        PairOutcome("names", "names-01", "he", "she", {"lstm": (0.7, 0.9)}, ("lstm",)),
    ]
    failed = {"lstm": [{"negation-02", "names-01"}, {"negation-01", "negation-02"}], "gru": [set(), {"names-01"}]}
    found = rate_minimal_pairs(2, 5, {"names": "same", "intensifiers": "rise", "negation": "flip"}, outcomes, failed)
    assert (found.version, found.left_out) == (2, 5)
    # No pair of intensifiers was predicted.
    assert found.categories == (
        PairCategory("names", "same", 1, {"lstm": (0, 1), "gru": (1, 0)}),
        PairCategory("negation", "flip", 3, {"lstm": (2, 1), "gru": (3, 3)}),
    )
    assert [outcome.identifier for outcome in found.failures] == ["negation-02", "names-01"]
