"""Split the archive into training, validation and test reviews, token for token as Keras and scikit-learn do.

Runs in a child process, because the unpickled reviews are millions of Python objects, and a process does not give all
of their memory back.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.archive import Reviews, read_labels, read_reviews
from storage.records import StoredFile
from storage.schemas import SPLIT_SCHEMA
from storage.store import Store
from tasks.processes.messages import Event, Job

# Raise it when the same archive and parameters give other files than before, so that older datasets are not used.
VERSION = 1
# The defaults of `keras.datasets.imdb.load_data`.
START_TOKEN = 1
OUT_OF_VOCABULARY_TOKEN = 2
INDEX_FROM = 3
SHUFFLE_SEED = 113


@dataclass(frozen=True)
class SplitParameters:
    """How to split.

    Attributes:
        num_words: Size of the vocabulary, 5 to 65536, the three special tokens included; rarer words become token 2.
        validation_fraction: Share of the training reviews kept for validation, between 0 and 1.
        split_seed: Seed for the choice of the validation reviews.
    """

    num_words: int
    validation_fraction: float
    split_seed: int


def encode_reviews(reviews: Reviews, num_words: int) -> pa.ListArray:
    """Return the tokens of each review: a start token, then each word's rank plus 3, or 2 outside the vocabulary.

    The same as `keras.datasets.imdb.load_data(num_words=num_words)` before its shuffle.

    Args:
        reviews: With word ranks.
        num_words: Size of the vocabulary, 5 to 65536.

    Returns:
        A list of uint16 for each review.

    Example:
        >>> reviews = Reviews(np.array([1, 900, 4], np.uint32), np.array([0, 2, 3]), np.array([0, 1], np.uint8))
        >>> encode_reviews(reviews, num_words=500).to_pylist()
        [[1, 4, 2], [1, 7]]
    """
    # The sum overflows for the largest ranks, but `where` does not take the sum for them.
    words = np.where(
        reviews.tokens < num_words - INDEX_FROM, reviews.tokens + np.uint32(INDEX_FROM), OUT_OF_VOCABULARY_TOKEN
    )
    tokens = np.insert(words.astype(np.uint16), reviews.offsets[:-1], START_TOKEN)
    offsets = reviews.offsets + np.arange(len(reviews.offsets))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(tokens))


def draw_orders(train_count: int, test_count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the orders in which `keras.datasets.imdb.load_data` returns the two parts; one generator shuffles both."""
    generator = np.random.RandomState(SHUFFLE_SEED)
    orders = np.arange(train_count), np.arange(test_count)
    for order in orders:
        generator.shuffle(order)
    return orders


def draw_validation(count: int, fraction: float, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the positions of the training and of the validation reviews among `count` reviews.

    The same as `sklearn.model_selection.train_test_split(test_size=fraction, random_state=seed)`, but importing that
    takes longer than the whole step.

    Args:
        count: Number of reviews.
        fraction: Share for validation, 0 to 1; the number is rounded up.
        seed: Seed for the choice.

    Example:
        >>> draw_validation(5, fraction=0.2, seed=42)
        (array([4, 2, 0, 3]), array([1]))
    """
    permutation = np.random.RandomState(seed).permutation(count)
    validation_count = math.ceil(fraction * count)
    return permutation[validation_count:], permutation[:validation_count]


def split_part(part: str, content: bytes, name: str, parameters: SplitParameters) -> dict[str, pa.Table]:
    """Return the tables of one part of the archive: "train" and "validation" of "train", or "test" of "test".

    A `review_id` is the archive's part and the position in it: `train-17` is the eighteenth training review.

    Args:
        part: "train" or "test".
        content: The archive.
        name: The archive's name for error messages.
        parameters: How to split it.

    Returns:
        Tables of `SPLIT_SCHEMA` by part, in the order of Keras's shuffle.

    Raises:
        ValueError: The content is not such an archive, or has fewer than two reviews for a table.
    """
    counts = {other: len(read_labels(content, other, name)) for other in ("train", "test")}
    train_order, test_order = draw_orders(counts["train"], counts["test"])
    orders = {"test": test_order}
    if part == "train":
        train, validation = draw_validation(counts["train"], parameters.validation_fraction, parameters.split_seed)
        orders = {"train": train_order[train], "validation": train_order[validation]}
    # With one review, there is no interval of the mean.
    if any(len(order) < 2 for order in orders.values()):
        raise ValueError(f"{name} must hold at least two reviews for each of train, validation and test.")
    reviews = read_reviews(content, part, name, np.concatenate(list(orders.values())))
    encoded, labels = encode_reviews(reviews, parameters.num_words), pa.array(reviews.labels)
    tables, first = {}, 0
    for table_name, order in orders.items():
        identifiers = pa.array([f"{part}-{position}" for position in order.tolist()])
        columns = [identifiers, *(column.slice(first, len(order)) for column in (encoded, labels))]
        tables[table_name] = pa.Table.from_arrays(columns, schema=SPLIT_SCHEMA)
        first += len(order)
    return tables


@dataclass(frozen=True)
class SplitRequest:
    """The request for the split of one part of the archive.

    Attributes:
        part: "train", for the training and the validation reviews, or "test".
        archive: The archive in the store.
        source: Where the archive came from, for error messages.
        parameters: How to split it.
        store: URI of the store.
        folder: For the new files, in the store.
    """

    part: Literal["train", "test"]
    archive: StoredFile
    source: str
    parameters: SplitParameters
    store: str
    folder: str


def main(request: SplitRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Split one part of the archive, and write its tables to the store; return the files by part."""
    # Unpickling makes 25,000 lists. None of them is garbage, and searching for it would take a fifth of the step.
    gc.disable()
    store = Store(request.store)
    tables = split_part(request.part, store.read_verified(request.archive), request.source, request.parameters)
    return {
        name: store.write_table(f"{request.folder}/{name}-{{sha}}.parquet", table) for name, table in tables.items()
    }


JOB = Job(__name__, SplitRequest, dict[str, StoredFile])
