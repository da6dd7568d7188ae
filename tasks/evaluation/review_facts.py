"""Read what the profile step recorded of each test review, and the words of a review."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from reports.analysis.errors import ReviewFacts
from storage.records import Dataset, Run
from storage.schemas import REVIEW_SCHEMA
from storage.store import Store
from storage.word_index import read_word_index
from tasks.data.split import INDEX_FROM

Decode = Callable[[int], tuple[tuple[str, ...], tuple[int, ...], int]]
# The IMDB word index has one word with a control character, from a wrong encoding.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read_review_facts(run: Run, profile: Dataset, store: Store) -> ReviewFacts:
    """Return the properties of each test review.

    Args:
        run: The run's record.
        profile: The dataset that the profile step wrote.
        store: The store that has both.

    Raises:
        DamagedFileError: A file differs from what was published.
    """
    table = store.read_table(profile.files["reviews"], REVIEW_SCHEMA)
    return gather_facts(table, _make_decoder(run, table, store))


def gather_facts(table: pa.Table, decode: Decode | None) -> ReviewFacts:
    """Return the properties that a table of the archive's test reviews, or of own ones, has of each.

    Args:
        table: Of `REVIEW_SCHEMA` or `OWN_REVIEW_SCHEMA`.
        decode: See `ReviewFacts`.
    """
    negation = table["has_negation"]
    return ReviewFacts(
        length=table["length"].to_numpy().astype(np.int64),
        out_of_vocabulary=table["out_of_vocabulary"].to_numpy().astype(np.float64),
        has_negation=None if negation.null_count else np.array(negation.to_pylist(), bool),
        is_cut=table["cut_words"].to_numpy() > 0,
        is_in_training=np.array(table["is_in_training"].to_pylist(), bool),
        review_ids=table["review_id"].to_pylist(),
        decode=decode,
    )


def _make_decoder(run: Run, table: pa.Table, store: Store) -> Decode | None:
    """Return the function for `ReviewFacts.decode`; None if the source has no word index."""
    file = run.datasets["archive"].files.get("word_index")
    if file is None:
        return None
    num_words, _ = read_input_sizes(run)
    index = read_word_index(store.read_verified(file), store.locate(file.path))
    words = {rank: word for word, rank in index.items()}

    def decode(review: int) -> tuple[tuple[str, ...], tuple[int, ...], int]:
        cut = table["cut_words"][review].as_py()
        return (*decode_words(table["words"][review].as_py()[cut:], words, num_words), cut)

    return decode


def decode_words(ranks: list[int], words: dict[int, str], num_words: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the words of a review, and the indices of those outside the vocabulary.

    Args:
        ranks: Ranks of the word index, as in the archive; the models' tokens are 3 higher.
        words: By rank.
        num_words: Size of the vocabulary, with the three special tokens.

    Example:
        >>> decode_words([14, 22, 496, 497], {14: "this", 22: "film", 496: "art", 497: "sides"}, num_words=500)
        (('this', 'film', 'art', 'sides'), (3,))
    """
    unknown = tuple(index for index, rank in enumerate(ranks) if rank >= num_words - INDEX_FROM)
    return tuple(show_word(words.get(rank, f"#{rank}")) for rank in ranks), unknown


def show_word(word: str) -> str:
    """Return a word without control characters."""
    return _CONTROL.sub("·", word)


def read_input_sizes(run: Run) -> tuple[int, int]:
    """Return the size of the run's vocabulary, `num_words`, and its tokens per review, `maxlen`.

    Raises:
        ValueError: The run's record lacks one of them, as records of older versions may.
    """
    num_words, maxlen = run.known.num_words, run.known.maxlen
    if num_words is None or maxlen is None:
        raise ValueError(
            f"{run.run_id} must have the parameters `num_words` and `maxlen`. "
            f"Received: num_words={num_words}, maxlen={maxlen}."
        )
    return num_words, maxlen
