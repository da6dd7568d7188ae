"""Splitting and padding give the same tokens as Keras and scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from storage.schemas import SPLIT_SCHEMA, padded_schema
from tasks.data.pad import pad_table
from tasks.prepare import pad_reviews, split_reviews
from tests.archives import publish_archive
from tests.splits import RECIPE, flatten, split_archive, tokens_of


def load_with_keras(archive: Path) -> dict[str, Any]:
    """Split and pad an archive with Keras and scikit-learn.

    Returns:
        By part: `lengths`, `tokens` one after another, `labels`, and `padded` to 100.
    """
    import keras
    from keras.src.datasets import imdb
    from sklearn.model_selection import train_test_split

    # Keras loads the archive. Only its download, which also compares the hash, is replaced.
    with patch.object(imdb, "get_file", lambda **_: str(archive)):
        (train_input, train_target), (test_input, test_target) = keras.datasets.imdb.load_data(num_words=500)
    train_input, val_input, train_target, val_target = train_test_split(
        train_input, train_target, test_size=0.2, random_state=42
    )
    parts = {
        "train": (train_input, train_target),
        "validation": (val_input, val_target),
        "test": (test_input, test_target),
    }
    expected = {}
    for part, (reviews, labels) in parts.items():
        expected[f"{part}_lengths"] = np.array([len(review) for review in reviews])
        expected[f"{part}_tokens"] = np.concatenate([np.array(review) for review in reviews])
        expected[f"{part}_labels"] = labels
        expected[f"{part}_padded"] = keras.utils.pad_sequences(reviews, maxlen=100)
    return expected


def assert_split_equals_keras(tables, expected) -> None:
    assert sorted(tables) == ["test", "train", "validation"]
    for part, table in tables.items():
        tokens, lengths = flatten(table)
        np.testing.assert_array_equal(lengths, expected[f"{part}_lengths"])
        np.testing.assert_array_equal(tokens, expected[f"{part}_tokens"])
        np.testing.assert_array_equal(table["label"].to_numpy(), expected[f"{part}_labels"])


def assert_padding_equals_keras(tables, expected) -> None:
    for part, table in tables.items():
        np.testing.assert_array_equal(tokens_of(table), expected[f"{part}_padded"])
        np.testing.assert_array_equal(table["label"].to_numpy(), expected[f"{part}_labels"])


@pytest.mark.slow
def test_a_small_archive_is_split_and_padded_as_keras_does_it(sample_archive):
    expected, tables = load_with_keras(sample_archive), split_archive(sample_archive.read_bytes())
    assert_split_equals_keras(tables, expected)
    padded = {part: pad_table(table, 100) for part, table in tables.items()}
    assert_padding_equals_keras(padded, expected)


def test_the_real_archive_is_split_and_padded_as_keras_does_it(imdb_archive, store, run_task, children):
    expected = load_with_keras(imdb_archive)
    archive = publish_archive(store, imdb_archive.read_bytes())
    split = run_task(split_reviews, archive, RECIPE, store, children).result()
    rows = {"train": 20000, "validation": 5000, "test": 25000}
    assert {part: file.rows for part, file in split.files.items()} == rows
    tables = {part: store.read_table(file, SPLIT_SCHEMA) for part, file in split.files.items()}
    assert_split_equals_keras(tables, expected)
    padded = run_task(pad_reviews, split, 100, store, children).result()
    assert {part: file.rows for part, file in padded.files.items()} == rows
    tables = {part: store.read_table(file, padded_schema(100)) for part, file in padded.files.items()}
    assert_padding_equals_keras(tables, expected)
