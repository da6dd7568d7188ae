"""Split archives for tests, and read the tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from storage.datasets import publish_dataset
from storage.records import Dataset
from storage.store import Store
from tasks.data.split import SplitParameters, split_part

RECIPE = SplitParameters(num_words=500, validation_fraction=0.2, split_seed=42)


def split_archive(content: bytes) -> dict[str, pa.Table]:
    """Split an archive with the recipe's parameters; return the tables "train", "validation" and "test"."""
    return {**split_part("train", content, "x.npz", RECIPE), **split_part("test", content, "x.npz", RECIPE)}


def publish_split(store: Store, content: bytes) -> Dataset:
    """Publish the split of an archive."""
    tables = split_archive(content)
    files = {part: store.write_table(f"datasets/split-x/{part}.parquet", table) for part, table in tables.items()}
    return publish_dataset(store, "split", {"version": 1}, files, "x.npz")


def flatten(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens of all reviews one after another, and the number of tokens of each review."""
    lists = table["tokens"].combine_chunks()
    return lists.flatten().to_numpy(), lists.value_lengths().to_numpy()


def tokens_of(table: pa.Table) -> np.ndarray:
    """Return the tokens of padded reviews: shape (reviews, maxlen)."""
    lists = table["tokens"].combine_chunks()
    return lists.flatten().to_numpy().reshape(len(lists), -1)
