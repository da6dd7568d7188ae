"""The words that an encoder knows, and their ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.records import StoredFile
from storage.schemas import VOCABULARY_SCHEMA
from storage.store import Store
from storage.word_index import read_word_index
from tasks.data.encoding.normalise import normalise_texts
from tasks.data.encoding.tokenise import TokenKind, split_texts

# While words are counted, rare ones are dropped above this number, so that memory stays bounded.
MOST_COUNTED = 2_000_000


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


def count_words(batches: Iterable[pa.StringArray], kind: TokenKind) -> Counter[str]:
    """Return how often each token occurs in some texts, which are normalised as web texts."""
    counts: Counter[str] = Counter()
    for texts in batches:
        words, _ = split_texts(normalise_texts(texts, "web"), kind)
        for one in pc.value_counts(words).to_pylist():
            counts[one["values"]] += one["counts"]
        if len(counts) > MOST_COUNTED:
            counts = Counter({word: count for word, count in counts.items() if count > 1})
    return counts


def choose_vocabulary(counts: Mapping[str, int], size: int) -> list[str]:
    """Return the most frequent words, the most frequent first; of equally frequent ones, the first by the word.

    Example:
        >>> choose_vocabulary({"b": 2, "a": 2, "c": 9, "d": 1}, 3)
        ['c', 'a', 'b']
    """
    return sorted(counts, key=lambda word: (-counts[word], word))[:size]
