"""Test reviews that nearly repeat another review are found; others are not."""

from __future__ import annotations

import random

import pyarrow as pa

from tasks.data.parts.near_duplicates import find_near_duplicates, list_shingles, sign_texts

WORDS = [f"word{number}" for number in range(400)]


def make_texts(count, seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=100)) for _ in range(count)]


def find(test, others):
    sides = [(pa.array(texts), sign_texts(pa.array(texts))) for texts in (test, others)]
    return find_near_duplicates(*sides).tolist()


def test_a_text_with_a_word_more_or_another_case_is_found_and_others_are_not():
    others = make_texts(300, seed=1)
    test = [f"{others[7]} indeed", others[9].upper(), *make_texts(50, seed=2)]
    assert find(test, others) == [True, True, *[False] * 50]


def test_half_of_a_text_is_no_near_duplicate():
    others = make_texts(30, seed=3)
    test = [" ".join(others[3].split()[:50] + make_texts(1, seed=4)[0].split()[50:])]
    assert find(test, others) == [False]


def test_texts_without_words_repeat_nothing():
    assert find(["", "!!"], ["", "good film"]) == [False, False]


def test_a_text_of_two_words_is_one_shingle_and_no_shingle_reaches_into_the_next_text():
    one, two, both = list_shingles(pa.array(["good film", "a b c d", ""]))
    assert (len(one), len(two), len(both)) == (1, 2, 0)
