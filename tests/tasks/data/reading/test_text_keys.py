"""Texts that differ in typing alone have one key; others do not."""

from __future__ import annotations

import pyarrow as pa

from tasks.data.reading.text_keys import normalised_key


def keys(*texts):
    return normalised_key(pa.array(texts)).to_pylist()


def test_case_spaces_line_breaks_and_quotes_do_not_make_another_text():
    first, *others = keys(
        "It's good. Really.",
        "IT'S  GOOD.\r\nReally.",
        "It’s good.<br /><br />Really.",
        "\ufeffIt's\u00a0good.  really. ",
    )
    assert set(others) == {first}


def test_a_composed_and_a_decomposed_letter_are_the_same():
    composed, decomposed = keys("caf\u00e9", "cafe\u0301")
    assert composed == decomposed


def test_other_words_have_another_key_and_the_key_stays_the_same_for_ever():
    good, bad = keys("good", "bad")
    assert good != bad
    assert good.hex() == "c151c3c82410c9e5399fd34b917bf1b3"


def test_a_slice_of_an_array_has_the_keys_of_its_own_texts():
    texts = pa.array(["one", "two", "", "three"])
    assert normalised_key(texts.slice(1, 2)).to_pylist() == keys("two", "")
