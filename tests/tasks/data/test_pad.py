"""Padding puts zeros in front and keeps the last words; test_keras_data.py compares it with Keras."""

import numpy as np
import pyarrow as pa

from storage.schemas import SPLIT_SCHEMA, padded_schema
from tasks.data.pad import ROWS_AT_ONCE, pad_table, pad_tokens
from tasks.prepare import pad_reviews
from tests.splits import publish_split, tokens_of


def pad(reviews: list[list[int]], maxlen: int) -> list[list[int]]:
    tokens = np.array([token for review in reviews for token in review], np.uint16)
    return pad_tokens(tokens, np.cumsum([0, *map(len, reviews)]), maxlen).tolist()


def test_padding_puts_zeros_in_front_of_a_short_review():
    assert pad([[5, 6]], 4) == [[0, 0, 5, 6]]


def test_padding_keeps_the_last_words_of_a_long_review():
    assert pad([[1, 2, 3, 4, 5]], 3) == [[3, 4, 5]]


def test_padding_leaves_a_review_of_just_that_length_as_it_is():
    assert pad([[7, 8, 9]], 3) == [[7, 8, 9]]


def test_padding_does_not_take_words_from_the_review_before():
    assert pad([[1, 2, 3], [4], [5, 6]], 3) == [[1, 2, 3], [0, 0, 4], [0, 5, 6]]


def test_a_review_without_tokens_becomes_zeros():
    assert pad([[], [9], []], 2) == [[0, 0], [0, 9], [0, 0]]


def test_the_largest_token_survives():
    assert pad([[65535]], 2) == [[0, 65535]]


def test_padding_works_across_the_borders_of_its_slices():
    reviews = [[number] for number in range(1, ROWS_AT_ONCE + 3)]
    assert pad(reviews, 2) == [[0, number] for number in range(1, ROWS_AT_ONCE + 3)]


def test_a_table_keeps_its_reviews_names_and_labels():
    columns = {"review_id": ["test-3", "test-1"], "tokens": [[1, 4], [1, 5, 6, 7]], "label": [1, 0]}
    padded = pad_table(pa.table(columns, schema=SPLIT_SCHEMA), 3)
    assert padded.schema.equals(padded_schema(3))
    assert padded.to_pydict() == {
        "review_id": ["test-3", "test-1"],
        "tokens": [[0, 1, 4], [5, 6, 7]],
        "label": [1, 0],
    }


def test_a_table_that_comes_in_pieces_is_padded_as_a_whole():
    columns = {"review_id": ["test-3"], "tokens": [[1, 4]], "label": [1]}
    piece = pa.table(columns, schema=SPLIT_SCHEMA)
    padded = pad_table(pa.concat_tables([piece, piece]), 3)
    assert padded["tokens"].to_pylist() == [[0, 1, 4], [0, 1, 4]]


def test_other_lengths_do_not_collide_and_a_second_padding_finds_the_first(store, run_task, sample_archive, children):
    split = publish_split(store, sample_archive.read_bytes())
    hundred, fifty = (run_task(pad_reviews, split, maxlen, store, children) for maxlen in (100, 50))
    again = run_task(pad_reviews, split, 100, store, children)
    assert (hundred.name, fifty.name, again.name) == ("Completed", "Completed", "Cached")
    assert again.result() == hundred.result()
    longer = tokens_of(store.read_table(hundred.result().files["train"], padded_schema(100)))
    shorter = tokens_of(store.read_table(fifty.result().files["train"], padded_schema(50)))
    np.testing.assert_array_equal(longer[:, 50:], shorter)


def test_a_damaged_split_is_not_padded(store, run_task, sample_archive, children):
    split = publish_split(store, sample_archive.read_bytes())
    store.write_bytes(split.files["test"].path, b"damaged")
    error = run_task(pad_reviews, split, 100, store, children).result(raise_on_failure=False)
    assert isinstance(error, ValueError)
    assert str(error).startswith(f"{store.locate(split.files['test'].path)} must have SHA-256 ")
    assert not any(path.endswith("manifest.json") for path in store.list_files("datasets") if "pad-" in path)
