"""Pad every review to the same length. Runs in a child process, which frees its memory when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.records import StoredFile
from storage.schemas import SPLIT_SCHEMA, padded_schema
from storage.store import Store
from tasks.processes.messages import Event, Job

# Raise it when the same split and `maxlen` give other files than before.
VERSION = 1
ROWS_AT_ONCE = 4096


def pad_tokens(tokens: npt.NDArray[np.uint16], offsets: npt.NDArray[np.integer], maxlen: int) -> npt.NDArray[np.uint16]:
    """Pad with zeros in front, and keep the last `maxlen` tokens, as `keras.utils.pad_sequences(maxlen=maxlen)` does.

    Args:
        tokens: uint16, all reviews one after another.
        offsets: integers, shape (reviews + 1,); review i is `tokens[offsets[i]:offsets[i + 1]]`.
        maxlen: Length of every row of the result.

    Returns:
        uint16, shape (reviews, maxlen).

    Example:
        >>> pad_tokens(np.array([5, 6, 1, 2, 3, 4], np.uint16), np.array([0, 2, 6]), maxlen=3)
        array([[0, 5, 6],
               [2, 3, 4]], dtype=uint16)
    """
    padded = np.zeros((len(offsets) - 1, maxlen), np.uint16)
    columns = np.arange(-maxlen, 0)
    # In slices, because the positions of all reviews take four times the memory of the result.
    for first in range(0, len(padded), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        starts, ends = offsets[:-1][rows, None], offsets[1:][rows, None]
        positions = ends + columns
        padded[rows] = np.where(positions >= starts, tokens.take(positions, mode="clip"), 0)
    return padded


def pad_table(table: pa.Table, maxlen: int) -> pa.Table:
    """Return a table of `SPLIT_SCHEMA` with its tokens padded, in `padded_schema(maxlen)`."""
    lists = table["tokens"].combine_chunks()
    padded = pad_tokens(lists.values.to_numpy(), lists.offsets.to_numpy(), maxlen)
    tokens = pa.FixedSizeListArray.from_arrays(pa.array(padded.reshape(-1)), maxlen)
    return pa.Table.from_arrays([table["review_id"], tokens, table["label"]], schema=padded_schema(maxlen))


def tokens_of(table: pa.Table) -> npt.NDArray[np.uint16]:
    """Return the tokens of a padded table without copying them: uint16, shape (reviews, maxlen)."""
    column = table["tokens"].combine_chunks()
    tokens: npt.NDArray[np.uint16] = column.values.to_numpy().reshape(len(table), column.type.list_size)
    return tokens


@dataclass(frozen=True)
class PadRequest:
    """The request for the padding.

    Attributes:
        files: The split files by part.
        maxlen: Tokens per review.
        store: URI of the store.
        folder: For the new files, in the store.
    """

    files: dict[str, StoredFile]
    maxlen: int
    store: str
    folder: str


def main(request: PadRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Pad every part of a split dataset, and write it to the store; return the new files by part."""
    store = Store(request.store)
    files = {}
    for part, file in request.files.items():
        table = pad_table(store.read_table(file, SPLIT_SCHEMA), request.maxlen)
        files[part] = store.write_table(f"{request.folder}/{part}-{{sha}}.parquet", table)
    return files


JOB = Job(__name__, PadRequest, dict[str, StoredFile])
