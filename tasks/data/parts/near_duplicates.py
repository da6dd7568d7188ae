"""Find test reviews that nearly repeat a review of another part.

MinHash signatures and bands find candidates (Broder 1997, "On the resemblance and containment of documents"; Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3), and each candidate's Jaccard index is then computed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.data.encoding.normalise import normalise_texts
from tasks.data.encoding.tokenise import split_texts

THRESHOLD = 0.9
SHINGLE_WORDS = 3
# With 5 bands of 4 hashes, a pair whose Jaccard index is 0.9 is missed once in 200 times, and one of 0.5 is a candidate
# in 27 of 100.
BANDS, ROWS = 5, 4
HASHES = BANDS * ROWS
SEED = 20
TEXTS_AT_ONCE = 2048
FACTOR = np.uint64(0x9E3779B97F4A7C15)
# Boilerplate that fills a whole bucket is compared with its first few reviews only.
MOST_IN_BUCKET = 50

Shingles = list[npt.NDArray[np.uint64]]


def list_shingles(texts: pa.StringArray) -> Shingles:
    """Return the hashes of all sequences of three words in each text, each once: uint64, sorted.

    A text with fewer words has one shingle, the whole; one without words has none.
    """
    flat, offsets = _shingle(texts)
    return [np.unique(flat[start:end]) for start, end in itertools.pairwise(offsets.tolist())]


def _shingle(texts: pa.StringArray) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the shingles of all texts one after another, and where each text begins."""
    words, offsets = split_texts(normalise_texts(texts, "web"), "words")
    codes = np.concatenate([_hash_words(words), np.zeros(SHINGLE_WORDS, np.uint64)])
    lengths = np.diff(offsets)
    shingled = np.zeros(len(codes) - SHINGLE_WORDS, np.uint64)
    # How many words are left in the text at each place, so that no shingle reaches into the next text.
    left = np.repeat(offsets[1:], lengths) - np.arange(offsets[-1])
    with np.errstate(over="ignore"):
        for place in range(SHINGLE_WORDS):
            part = codes[place : place + len(shingled)]
            shingled = np.where(left > place, (shingled * FACTOR) ^ part, shingled)
    starts = np.repeat(offsets[:-1], lengths)
    is_whole = (left >= SHINGLE_WORDS) | (np.arange(offsets[-1]) == starts)
    kept = np.concatenate([[0], np.cumsum(is_whole, dtype=np.int64)])[offsets]
    return shingled[is_whole], kept


def _hash_words(words: pa.StringArray) -> npt.NDArray[np.uint64]:
    """Return a hash of each word: uint64; the same on every machine and night."""
    encoded = words.dictionary_encode()
    hashes = np.frombuffer(b"".join(map(_hash_word, encoded.dictionary.to_pylist())), np.uint64)
    chosen: npt.NDArray[np.uint64] = hashes[encoded.indices.to_numpy()]
    return chosen


# Texts share most of their words.
@lru_cache(1 << 18)
def _hash_word(word: str) -> bytes:
    return blake2b(word.encode(), digest_size=8).digest()


def sign_texts(texts: pa.StringArray) -> npt.NDArray[np.uint64]:
    """Return the MinHash signature of each text: uint64, shape (texts, `HASHES`); zeros for a text without words."""
    # In pieces, because the words of all texts at once would take a gigabyte.
    pieces = [_sign(texts.slice(first, TEXTS_AT_ONCE)) for first in range(0, len(texts), TEXTS_AT_ONCE)]
    return np.concatenate([np.zeros((0, HASHES), np.uint64), *pieces])


def _sign(texts: pa.StringArray) -> npt.NDArray[np.uint64]:
    flat, offsets = _shingle(texts)
    generator = np.random.default_rng(SEED)
    factors = generator.integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1)
    terms = generator.integers(0, 2**63, HASHES, dtype=np.uint64)
    signatures = np.zeros((len(texts), HASHES), np.uint64)
    filled = np.flatnonzero(np.diff(offsets) > 0)
    for number in range(HASHES if len(filled) else 0):
        with np.errstate(over="ignore"):
            mixed = flat * factors[number] + terms[number]
            mixed ^= mixed >> np.uint64(29)
        signatures[filled, number] = np.minimum.reduceat(mixed, offsets[:-1][filled])
    return signatures


def find_near_duplicates(
    test: tuple[pa.StringArray, npt.NDArray[np.uint64]],
    others: tuple[pa.StringArray, npt.NDArray[np.uint64]],
    threshold: float = THRESHOLD,
) -> npt.NDArray[np.bool_]:
    """Return whether each test review nearly repeats one of the others: bool, shape (test reviews,).

    Args:
        test: The test reviews, and their signatures.
        others: The reviews of the other parts, and their signatures.
        threshold: The Jaccard index of the shingles from which on two reviews are near-duplicates.
    """
    found = np.zeros(len(test[0]), bool)
    pairs = list(dict.fromkeys(_list_candidates(test[1], others[1])))
    shingles = list_shingles(test[0].take(pa.array([one for one, _ in pairs], pa.int64())))
    compared = list_shingles(others[0].take(pa.array([other for _, other in pairs], pa.int64())))
    for (one, _), mine, its in zip(pairs, shingles, compared, strict=True):
        found[one] |= _jaccard(mine, its) >= threshold
    return found


def _list_candidates(test: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    for band in range(BANDS):
        columns = slice(band * ROWS, (band + 1) * ROWS)
        buckets: dict[bytes, list[int]] = {}
        for place, key in enumerate(_keys(others[:, columns])):
            bucket = buckets.setdefault(key, [])
            if len(bucket) < MOST_IN_BUCKET:
                bucket.append(place)
        for place, key in enumerate(_keys(test[:, columns])):
            for other in buckets.get(key, ()):
                yield place, other


def _keys(signatures: npt.NDArray[np.uint64]) -> list[bytes]:
    content = np.ascontiguousarray(signatures).tobytes()
    width = 8 * ROWS
    return [content[start : start + width] for start in range(0, len(content), width)]


def _jaccard(one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> float:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / max(1, len(one) + len(other) - both)
