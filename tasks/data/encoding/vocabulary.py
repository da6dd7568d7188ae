"""The words that an encoder knows, and their ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.records import StoredFile
from storage.schemas import VOCABULARY_SCHEMA
from storage.store import Store
from storage.word_index import read_word_index
from tasks.data.encoding.in_order import map_in_order
from tasks.data.encoding.normalise import normalise_texts
from tasks.data.encoding.tokenise import TokenKind, split_texts

# While words are counted, rare ones are dropped above this number, so that memory stays bounded.
MOST_COUNTED = 2_000_000
# Counts of single batches are added up when they are so many.
MOST_WAITING = 2_000_000
_COUNTS = pa.schema([("word", pa.string()), ("count", pa.int64())])


class Vocabulary:
    """Words and their ranks, 1 for the most frequent.

    Attributes:
        ranks: By word.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self.ranks = dict(ranks)

    @cached_property
    def _words(self) -> pa.StringArray:
        return pa.array(list(self.ranks), pa.string())

    @cached_property
    def _codes(self) -> npt.NDArray[np.uint32]:
        # The last one is for words that are not found.
        return np.array([*self.ranks.values(), 0], np.uint32)

    def find_ranks(self, words: pa.StringArray) -> npt.NDArray[np.uint32]:
        """Return the rank of each word: uint32; 0 if there is none."""
        places = pc.fill_null(pc.index_in(words, self._words), len(self.ranks)).to_numpy()
        ranks: npt.NDArray[np.uint32] = self._codes[places]
        return ranks


def read_vocabulary(store: Store, file: StoredFile) -> Vocabulary:
    """Return the words of a stored file: IMDB's word index as JSON, or a table of `VOCABULARY_SCHEMA`.

    Raises:
        DamagedFileError: The file is missing or damaged.
        ValueError: A word index does not hold ranks.
    """
    if file.path.endswith(".json"):
        return Vocabulary(read_word_index(store.read_verified(file), store.locate(file.path)))
    words = store.read_table(file, VOCABULARY_SCHEMA)["word"].to_pylist()
    return Vocabulary({word: rank for rank, word in enumerate(words, 1)})


def count_words(batches: Iterable[pa.StringArray], kind: TokenKind, threads: int = 1) -> pa.Table:
    """Return how often each token occurs in some texts, which are normalised as web texts.

    Args:
        batches: The texts.
        kind: What they are taken apart into.
        threads: How many batches to work on at once.

    Returns:
        A table with the columns `word`, each once, and `count`, int64.
    """
    parts, rows = [_COUNTS.empty_table()], 0
    for counted in map_in_order(partial(_count_batch, kind=kind), batches, threads):
        parts.append(counted)
        rows += len(counted)
        if rows > MOST_WAITING:
            parts, rows = [_drop_rare(_add_up(parts))], 0
    return _add_up(parts)


def _count_batch(texts: pa.StringArray, kind: TokenKind) -> pa.Table:
    words, _ = split_texts(normalise_texts(texts, "web"), kind)
    counted = pc.value_counts(words)
    return pa.table([counted.field("values"), counted.field("counts")], names=["word", "count"])


def _add_up(parts: list[pa.Table]) -> pa.Table:
    summed = pa.concat_tables(parts).group_by("word").aggregate([("count", "sum")])
    return pa.table([summed["word"], summed["count_sum"]], names=["word", "count"])


def _drop_rare(counts: pa.Table) -> pa.Table:
    return counts.filter(pc.greater(counts["count"], 1)) if len(counts) > MOST_COUNTED else counts


def choose_vocabulary(counts: pa.Table, size: int) -> list[str]:
    """Return the most frequent words, the most frequent first; of equally frequent ones, the first by the word.

    Args:
        counts: From `count_words`.
        size: How many words.

    Example:
        >>> choose_vocabulary(pa.table({"word": ["b", "a", "c", "d"], "count": [2, 2, 9, 1]}), 3)
        ['c', 'a', 'b']
    """
    words: list[str] = sort_counts(counts)["word"].slice(0, size).to_pylist()
    return words


def sort_counts(counts: pa.Table) -> pa.Table:
    """Return counted words, the most frequent first; of equally frequent ones, the first by the word."""
    return counts.sort_by([("count", "descending"), ("word", "ascending")])
