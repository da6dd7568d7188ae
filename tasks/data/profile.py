"""Count what the report says of the reviews, and encode the minimal pairs.

Runs in a child process, because the unpickled reviews are millions of Python objects.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reports.sections.data_section import PartFacts
from storage.archive import Reviews, read_reviews
from storage.records import StoredFile
from storage.schemas import REVIEW_SCHEMA, SPLIT_SCHEMA, padded_schema
from storage.store import Store
from storage.word_index import read_word_index
from tasks.data.minimal_pairs import encode_pairs
from tasks.data.pad import pad_tokens
from tasks.data.split import INDEX_FROM
from tasks.processes.messages import Event, Job

# Raise it when the same archive and parameters give other files than before.
VERSION = 1
NEGATIONS = {"no", "not", "never", "nothing", "nobody", "none", "neither", "nor", "nowhere", "without", "cannot"}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Words per review; the last bin has no upper end.
LENGTH_EDGES = tuple(range(0, 1001, 50))

Ranks = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int64]


def mark_seen(offsets: Counts, maxlen: int) -> npt.NDArray[np.bool_]:
    """Return for each word whether the models see it: whether it is among the last `maxlen` words of its review.

    Args:
        offsets: int64, shape (reviews + 1,); review i has the words `offsets[i]` to `offsets[i + 1] - 1`.
        maxlen: Tokens of a review that the models see.

    Returns:
        bool, shape (words,).

    Example:
        >>> mark_seen(np.array([0, 1, 4]), maxlen=2)
        array([ True, False,  True,  True])
    """
    lengths = np.diff(offsets)
    ends = np.repeat(offsets[1:], lengths)
    seen: npt.NDArray[np.bool_] = np.arange(offsets[-1]) >= ends - maxlen
    return seen


def count_per_review(marks: npt.NDArray[np.bool_], offsets: Counts) -> Counts:
    """Return the number of marked words in each review: int64, shape (reviews,).

    Args:
        marks: bool, shape (words,).
        offsets: int64, shape (reviews + 1,).
    """
    return np.diff(np.concatenate([[0], np.cumsum(marks, dtype=np.int64)])[offsets])


def make_word_keys(reviews: Reviews) -> list[bytes]:
    """Return the words of each review as bytes. Two reviews have equal bytes if they are the same word for word."""
    ends = reviews.offsets.tolist()
    return [reviews.tokens[start:end].tobytes() for start, end in itertools.pairwise(ends)]


def count_repeats(keys: Iterable[bytes]) -> int:
    """Return the number of keys that repeat an earlier one.

    Example:
        >>> count_repeats([b"a", b"b", b"a", b"a"])
        2
    """
    keys = list(keys)
    return len(keys) - len(set(keys))


def find_negations(word_index: dict[str, int]) -> Ranks:
    """Return the ranks of the negations: the words in `NEGATIONS`, and all words that end in n't."""
    return np.array([rank for word, rank in word_index.items() if word in NEGATIONS or word.endswith("n't")], np.uint32)


def profile_part(reviews: Reviews, positions: Counts, keys: list[bytes], num_words: int, maxlen: int) -> PartFacts:
    """Return the counts of one part of the split.

    Args:
        reviews: All reviews of the archive's part that the split part was drawn from.
        positions: int64, shape (reviews of the split part,): which of them.
        keys: From `make_word_keys(reviews)`.
        num_words: Size of the vocabulary.
        maxlen: Tokens of a review that the models see.
    """
    lengths = np.diff(reviews.offsets)
    unknown = reviews.tokens >= num_words - INDEX_FROM
    seen = mark_seen(reviews.offsets, maxlen)
    taken = lengths[positions]
    unknown_seen = count_per_review(unknown & seen, reviews.offsets)[positions]
    words, seen_words = int(taken.sum()), int(np.minimum(taken, maxlen).sum())
    edges = np.append(LENGTH_EDGES[:-1], np.iinfo(np.int64).max)
    return PartFacts(
        reviews=len(positions),
        positive=int(reviews.labels[positions].sum()),
        words=words,
        length_mean=float(taken.mean()),
        length_quantiles=tuple(float(value) for value in np.quantile(taken, QUANTILES)),
        length_maximum=int(taken.max()),
        length_counts=tuple(np.histogram(taken, edges)[0].tolist()),
        out_of_vocabulary=int(count_per_review(unknown, reviews.offsets)[positions].sum()),
        seen_words=seen_words,
        seen_out_of_vocabulary=int(unknown_seen.sum()),
        cut_reviews=int((taken > maxlen).sum()),
        repeats=count_repeats(keys[position] for position in positions.tolist()),
    )


def tabulate_reviews(
    reviews: Reviews, positions: Counts, training_keys: set[bytes], negations: Ranks | None, num_words: int, maxlen: int
) -> pa.Table:
    """Return a table of `REVIEW_SCHEMA` with one row for each test review.

    Args:
        reviews: The reviews of the archive's test part, in the order of `positions`.
        positions: int64, shape (reviews,): the position of each review in the archive's test part.
        training_keys: From `make_word_keys` of the archive's training part.
        negations: Ranks of the negations; None if the source has no word index.
        num_words: Size of the vocabulary.
        maxlen: Tokens of a review that the models see.
    """
    lengths = np.diff(reviews.offsets)
    seen = mark_seen(reviews.offsets, maxlen)
    unknown = seen & (reviews.tokens >= num_words - INDEX_FROM)
    seen_counts = np.minimum(lengths, maxlen)
    share = count_per_review(unknown, reviews.offsets) / np.maximum(seen_counts, 1)
    negated: pa.Array = pa.nulls(len(lengths), pa.bool_())
    if negations is not None:
        negated = pa.array(count_per_review(seen & np.isin(reviews.tokens, negations), reviews.offsets) > 0)
    columns = [
        pa.array([f"test-{position}" for position in positions.tolist()]),
        pa.ListArray.from_arrays(pa.array(reviews.offsets, pa.int32()), pa.array(reviews.tokens)),
        pa.array(lengths, pa.int32()),
        pa.array(lengths - seen_counts, pa.int32()),
        pa.array(share.astype(np.float32)),
        negated,
        pa.array([key in training_keys for key in make_word_keys(reviews)]),
    ]
    return pa.Table.from_arrays(columns, schema=REVIEW_SCHEMA)


def tabulate_pairs(word_index: dict[str, int], num_words: int, maxlen: int) -> pa.Table | None:
    """Return a padded table of the minimal pairs whose words are all in the vocabulary.

    A pair has two rows, with ids such as `negation-03/first` and `negation-03/second`. Their labels mean nothing.

    Returns:
        A table of `padded_schema(maxlen)`; None if the vocabulary has no pair.
    """
    rows = [
        (f"{pair.identifier}/{side}", tokens)
        for pair, first, second in encode_pairs(word_index, num_words)
        for side, tokens in (("first", first), ("second", second))
    ]
    if not rows:
        return None
    flat = np.array([token for _, tokens in rows for token in tokens], np.uint16)
    offsets = np.cumsum([0, *(len(tokens) for _, tokens in rows)])
    padded = pad_tokens(flat, offsets, maxlen)
    columns = [
        pa.array([name for name, _ in rows]),
        pa.FixedSizeListArray.from_arrays(pa.array(padded.reshape(-1)), maxlen),
        pa.array(np.zeros(len(rows), np.uint8)),
    ]
    return pa.Table.from_arrays(columns, schema=padded_schema(maxlen))


def read_positions(store: Store, file: StoredFile) -> Counts:
    """Return the position of each review of a split part in its part of the archive: int64, shape (reviews,)."""
    names = store.read_table(file, SPLIT_SCHEMA)["review_id"].to_pylist()
    return np.array([int(name.rpartition("-")[2]) for name in names], np.int64)


def _read_word_index(store: Store, file: StoredFile) -> dict[str, int]:
    return read_word_index(store.read_verified(file), store.locate(file.path))


@dataclass(frozen=True)
class ProfileRequest:
    """The request for the profile.

    Attributes:
        archive: The archive in the store.
        word_index: The word index in the store; None if the source has none.
        source: Where the archive came from, for error messages.
        split: The split files by part.
        num_words: Size of the vocabulary.
        maxlen: Tokens of a review that the models see.
        store: URI of the store.
        folder: For the new files, in the store.
    """

    archive: StoredFile
    word_index: StoredFile | None
    source: str
    split: dict[str, StoredFile]
    num_words: int
    maxlen: int
    store: str
    folder: str


def main(request: ProfileRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Profile a split of an archive, and write the results to the store; return the files by name."""
    gc.disable()
    store, num_words, maxlen = Store(request.store), request.num_words, request.maxlen
    content = store.read_verified(request.archive)
    word_index = _read_word_index(store, request.word_index) if request.word_index else None
    positions = {part: read_positions(store, file) for part, file in request.split.items()}
    training = read_reviews(content, "train", request.source)
    training_keys = make_word_keys(training)
    facts = {
        part: profile_part(training, positions[part], training_keys, num_words, maxlen)
        for part in ("train", "validation")
    }
    test = read_reviews(content, "test", request.source, positions["test"])
    facts["test"] = profile_part(test, np.arange(len(positions["test"])), make_word_keys(test), num_words, maxlen)
    negations = find_negations(word_index) if word_index else None
    table = tabulate_reviews(test, positions["test"], set(training_keys), negations, num_words, maxlen)
    written = json.dumps({part: asdict(one) for part, one in facts.items()}, sort_keys=True).encode()
    sha = hashlib.sha256(written).hexdigest()[:12]
    files = {
        "facts": store.write_bytes(f"{request.folder}/facts-{sha}.json", written),
        "reviews": store.write_table(f"{request.folder}/reviews-{{sha}}.parquet", table),
    }
    pairs = tabulate_pairs(word_index, num_words, maxlen) if word_index else None
    if pairs is not None:
        files["minimal_pairs"] = store.write_table(f"{request.folder}/minimal_pairs-{{sha}}.parquet", pairs)
    return files


JOB = Job(__name__, ProfileRequest, dict[str, StoredFile])
