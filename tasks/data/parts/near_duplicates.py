"""Find test reviews that nearly repeat a review of another part.

MinHash signatures and bands find candidates (Broder 1997, "On the resemblance and containment of documents"; Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3), and each candidate's Jaccard index is then computed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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
# Boilerplate that fills a whole bucket is compared with its first few reviews only.
MOST_IN_BUCKET = 50

Shingles = list[npt.NDArray[np.uint64]]


def list_shingles(texts: pa.StringArray) -> Shingles:
    """Return the hashes of all sequences of three words in each text, each once: uint64, sorted.

    A text with fewer words has one shingle, the whole.
    """
    words, offsets = split_texts(normalise_texts(texts, "web"), "words")
    codes = _hash_words(words)
    bounds = offsets.tolist()
    return [_combine(codes[start:end]) for start, end in itertools.pairwise(bounds)]


def _hash_words(words: pa.StringArray) -> npt.NDArray[np.uint64]:
    """Return a hash of each word: uint64; the same on every machine and night."""
    encoded = words.dictionary_encode()
    known = [blake2b(word.encode(), digest_size=8).digest() for word in encoded.dictionary.to_pylist()]
    hashes = np.frombuffer(b"".join(known), np.uint64) if known else np.zeros(0, np.uint64)
    chosen: npt.NDArray[np.uint64] = hashes[encoded.indices.to_numpy()]
    return chosen


def _combine(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    width = max(1, min(SHINGLE_WORDS, len(codes)))
    shingles = np.zeros(max(0, len(codes) - width + 1), np.uint64)
    with np.errstate(over="ignore"):
        for place in range(width):
            shingles = (shingles * np.uint64(0x9E3779B97F4A7C15)) ^ codes[place : place + len(shingles)]
    return np.unique(shingles)


def sign_texts(texts: pa.StringArray) -> npt.NDArray[np.uint64]:
    """Return the MinHash signature of each text: uint64, shape (texts, `HASHES`)."""
    return sign(list_shingles(texts))


def sign(shingles: Shingles) -> npt.NDArray[np.uint64]:
    """Return the MinHash signature of each text: uint64, shape (texts, `HASHES`)."""
    generator = np.random.default_rng(SEED)
    factors = generator.integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1)
    terms = generator.integers(0, 2**63, HASHES, dtype=np.uint64)
    lengths = [len(one) for one in shingles]
    flat = np.concatenate(shingles) if shingles else np.zeros(0, np.uint64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    signatures = np.zeros((len(shingles), HASHES), np.uint64)
    filled = np.flatnonzero(np.array(lengths) > 0)
    for number in range(HASHES if len(filled) else 0):
        with np.errstate(over="ignore"):
            mixed = flat * factors[number] + terms[number]
            mixed ^= mixed >> np.uint64(29)
        signatures[filled, number] = np.minimum.reduceat(mixed, starts[filled])
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
