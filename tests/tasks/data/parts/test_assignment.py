"""Reviews are assigned so that no test review is learned from, and stay where they are on later nights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.schemas import FACT_SCHEMA
from tasks.data.parts.assignment import LEFT_OUT, TEST, TRAIN, VALIDATION, assign_parts, find_repeated_ids
from tasks.data.reading.text_keys import normalised_key

START = datetime(2026, 11, 1, tzinfo=UTC)


def facts_of(texts, ids=None, days=None, splits=None):
    count = len(texts)
    columns = [
        pa.array(range(1, count + 1), pa.int64()),
        pa.array(ids or [None] * count, pa.string()),
        pa.array(["1"] * count),
        pa.array(
            [None] * count if days is None else [START + timedelta(days=day) for day in days],
            FACT_SCHEMA.field("created_at").type,
        ),
        pa.array(splits or [None] * count, pa.string()),
        normalised_key(pa.array(texts, pa.string())),
    ]
    return pa.table(columns, schema=FACT_SCHEMA)


def assign(texts, labels=None, **facts):
    labels = np.zeros(len(texts), np.uint8) if labels is None else np.array(labels, np.uint8)
    return assign_parts(facts_of(texts, **facts), labels, validation_fraction=0.2)


MANY = [f"review number {number}" for number in range(5000)]


def test_a_fifth_is_for_the_test_and_a_fifth_of_the_rest_for_validation():
    facts = assign(MANY).facts
    assert facts.method == "hash"
    assert facts.test == pytest.approx(1000, abs=100)
    assert facts.validation == pytest.approx(800, abs=90)
    assert facts.train + facts.validation + facts.test == 5000


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(MANY[:40]), min_size=1, max_size=40), st.lists(st.text(max_size=20), max_size=10))
def test_a_new_review_moves_no_other_and_equal_texts_share_a_part(texts, added):
    before, after = assign(texts), assign([*texts, *added])
    assert after.parts[: len(texts)].tolist() == before.parts.tolist()
    part_of = {}
    for text, part in zip(texts, before.parts.tolist(), strict=True):
        assert part_of.setdefault(text, part) == part
    ids = after.review_ids.to_pylist()
    assert len(set(ids)) == len(ids)
    assert ids[: len(texts)] == before.review_ids.to_pylist()


def test_with_times_the_newest_fifth_is_the_test_part_and_equal_times_stay_together():
    found = assign(MANY[:100], days=[day // 2 for day in range(100)])
    assert found.facts.method == "time"
    assert found.facts.cutoff == "2026-12-11T00:00:00Z"
    assert np.flatnonzero(found.parts == TEST).tolist() == list(range(80, 100))


def test_a_text_of_both_periods_stays_in_the_test_part_and_leaves_the_others():
    found = assign(["old", "same text", "older", "old too", "new", "Same  text"], days=[1, 2, 0, 3, 8, 9])
    assert found.parts[[1, 5]].tolist() == [LEFT_OUT, TEST]
    assert found.facts.moved_out == 1


def test_if_most_reviews_are_of_the_oldest_time_the_newer_ones_are_the_test_part():
    found = assign(MANY[:10], days=[0] * 9 + [5])
    assert np.flatnonzero(found.parts == TEST).tolist() == [9]


def test_if_all_reviews_are_of_one_time_the_hash_decides():
    assert assign(MANY[:10], days=[3] * 10).facts.method == "hash"


def test_a_given_split_is_kept_and_its_leaks_are_counted():
    found = assign(["a", "b", "a", "c"], splits=["train", "validation", "test", "train"])
    assert found.parts.tolist() == [TRAIN, VALIDATION, TEST, TRAIN]
    assert (found.facts.method, found.facts.leaks) == ("given", 1)


def test_a_given_split_without_validation_gets_one_from_the_training_part():
    found = assign(MANY[:200], splits=["train"] * 150 + ["test"] * 50)
    assert found.facts.test == 50
    assert 15 <= found.facts.validation <= 45


def test_repeats_and_texts_with_both_labels_are_counted():
    facts = assign(["x", "y", "x", "x"], labels=[1, 0, 0, 1]).facts
    assert (facts.repeats, facts.conflicting) == (2, 3)


def test_reviews_are_named_by_their_id_or_their_text_and_repeats_by_their_number():
    names = assign(["x", "y", "x", "x"], ids=[None, "7", None, None]).review_ids.to_pylist()
    assert names[1] == "own-7"
    assert names[2:] == [f"{names[0]}#2", f"{names[0]}#3"]


def test_of_equal_review_ids_all_but_the_first_are_repeated():
    ids = pa.chunked_array([["a", None, "b"], ["a", None, "a"]])
    assert find_repeated_ids(ids).tolist() == [False, False, False, True, False, True]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_reviews_are_no_error(count):
    assert len(assign(MANY[:count]).parts) == count
