"""Make a corpus of reviews in the archive's format, for machines that cannot download IMDB.

A small grammar makes the sentences, and in it word order matters: "not good" and "not at all bad" mean the opposite of
their adjective, "but" reverses a sentence, and the last sentence decides. The same number of reviews gives the same
bytes.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.records import StoredFile
from storage.store import Store
from tasks.processes.messages import Event, Job

# Raise it when the same number of reviews gives other reviews than before.
VERSION = 1
SEED = 93
MEAN_LOG_LENGTH, LOG_LENGTH_SPREAD, SHORTEST, LONGEST = 5.25, 0.65, 12, 2000
AGREEING_SHARE, OPINION_SHARE = 0.68, 0.3
# The share of reviews with the wrong label; some real reviews have one too. Without them, no model makes an error.
CONTRARY_SHARE = 0.12
SENTENCES_PER_KIND = {"story": 6000, "positive": 3000, "negative": 3000, "praise": 800, "blame": 800}

# Each list is one string, because the words are easier to read without quotation marks.
ADJECTIVES = {
    True: "good great fine wonderful lovely clever moving funny fresh gripping brilliant warm honest sharp",
    False: "bad dull weak terrible boring flat silly tired cheap clumsy awful cold empty slow",
}
VERBS = {True: "liked loved enjoyed admired", False: "hated disliked regretted resented"}
FILMS = "film movie story"
ASPECTS = (
    f"{FILMS} plot acting cast music score ending script dialogue camera editing director hero villain "
    "pacing humour romance opening lighting set costume"
)
INTENSIFIERS = "very really quite truly rather so extremely almost"
PEOPLE = "man woman girl boy doctor teacher soldier painter thief detective farmer sailor widow student"
PLACES = "town village city island house school station harbour forest desert hotel castle prison farm"
DEEDS = "finds loses follows steals hides saves leaves meets remembers forgets builds sells buys watches"
THINGS = "letter map ring secret painting car boat horse key book diary treasure photograph promise"
TIMES = ("one night", "one day", "years later", "at dawn", "after the war", "in the winter", "last summer")
SYLLABLES = ["ba", "ce", "do", "fi", "gu", "ka", "le", "mi", "no", "ra", "se", "ti", "vo", "za", "lu", "pe"]


def _make_name(generator: np.random.RandomState) -> str:
    # Cubed, so that a few names are frequent and most are rare, as in real reviews.
    rank = int(4000 * generator.random_sample() ** 3)
    return "".join(SYLLABLES[(rank >> shift) % 16] for shift in (0, 4, 8))


def _make_picker(generator: np.random.RandomState) -> Callable[[str | Sequence[str]], str]:
    def pick(choices: str | Sequence[str]) -> str:
        options = choices.split() if isinstance(choices, str) else choices
        return options[generator.randint(len(options))]

    return pick


def _write_story(generator: np.random.RandomState) -> str:
    pick = _make_picker(generator)
    name, other = _make_name(generator), _make_name(generator)
    return pick(
        [
            f"{pick(TIMES)} a {pick(PEOPLE)} named {name} {pick(DEEDS)} a {pick(THINGS)} in the {pick(PLACES)}",
            f"{name} {pick(DEEDS)} the {pick(THINGS)} and {pick(DEEDS)} the {pick(PEOPLE)} from the {pick(PLACES)}",
            f"the {pick(PEOPLE)} {pick(DEEDS)} {name} and {other} at the {pick(PLACES)}",
            f"i saw it {pick(TIMES)} with a {pick(PEOPLE)} from {name} who {pick(DEEDS)} every {pick(THINGS)}",
            f"{name} plays a {pick(PEOPLE)} and {other} plays the {pick(PEOPLE)} of the {pick(PLACES)}",
        ]
    )


def _write_opinion(generator: np.random.RandomState, *, positive: bool) -> str:
    pick = _make_picker(generator)
    aspect, other = pick(ASPECTS), pick(ASPECTS)
    same, opposite = pick(ADJECTIVES[positive]), pick(ADJECTIVES[not positive])
    return pick(
        [
            f"the {aspect} is {pick(INTENSIFIERS)} {same}",
            f"the {aspect} was {same} and i {pick(VERBS[positive])} the {other}",
            f"the {aspect} is not {opposite}",
            f"the {aspect} was not at all {opposite}",
            f"i never {pick(VERBS[not positive])} the {aspect}",
            f"the {aspect} may be {opposite} but the {other} is {pick(INTENSIFIERS)} {same}",
        ]
    )


def _write_last_sentence(generator: np.random.RandomState, *, positive: bool) -> str:
    pick = _make_picker(generator)
    same, opposite = pick(ADJECTIVES[positive]), pick(ADJECTIVES[not positive])
    return pick(
        [
            f"in the end it is a {same} {pick(FILMS)}",
            f"all in all this is not a {opposite} {pick(FILMS)}",
            f"people call it {opposite} but for me it is {pick(INTENSIFIERS)} {same}",
            f"so i {pick(VERBS[positive])} it and it is not at all {opposite}",
        ]
    )


def write_sentences() -> dict[str, list[list[str]]]:
    """Return the sentences of each kind, each as a list of words. "praise" and "blame" are last sentences."""
    generator = np.random.RandomState(SEED)
    writers = {
        "story": lambda: _write_story(generator),
        "positive": lambda: _write_opinion(generator, positive=True),
        "negative": lambda: _write_opinion(generator, positive=False),
        "praise": lambda: _write_last_sentence(generator, positive=True),
        "blame": lambda: _write_last_sentence(generator, positive=False),
    }
    return {kind: [writers[kind]().split() for _ in range(count)] for kind, count in SENTENCES_PER_KIND.items()}


def rank_words(sentences: dict[str, list[list[str]]]) -> dict[str, int]:
    """Return the rank of each word by frequency, from 1, as in the archive's word index."""
    counts = Counter(word for pool in sentences.values() for sentence in pool for word in sentence)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return {word: rank for rank, word in enumerate(ordered, start=1)}


def write_reviews(
    count: int, pools: dict[str, list[list[int]]], generator: np.random.RandomState
) -> tuple[list[list[int]], npt.NDArray[np.int64]]:
    """Return `count` reviews as lists of word ranks, and their labels.

    Args:
        count: Number of reviews.
        pools: The sentences of each kind, each as a list of word ranks.
        generator: Its state changes.

    Returns:
        The reviews; and the labels, int64, shape (count,), half of them 0 and half 1, in random order.
    """
    labels = generator.permutation(np.arange(count) % 2)
    lengths = np.clip(np.exp(generator.normal(MEAN_LOG_LENGTH, LOG_LENGTH_SPREAD, count)), SHORTEST, LONGEST)
    reviews = []
    for label, length in zip(labels.tolist(), lengths.tolist(), strict=True):
        agreeing, opposing = ("positive", "negative") if label else ("negative", "positive")
        review: list[int] = []
        while len(review) < length:
            draw, position = generator.random_sample(2)
            kind = "story"
            if draw < OPINION_SHARE:
                kind = agreeing if draw < OPINION_SHARE * AGREEING_SHARE else opposing
            review += pools[kind][int(position * len(pools[kind]))]
        contrary = generator.random_sample() < CONTRARY_SHARE
        last = pools["praise" if label != contrary else "blame"]
        reviews.append(review + last[generator.randint(len(last))])
    return reviews, labels.astype(np.int64)


def make_archive(reviews: int) -> tuple[bytes, bytes]:
    """Return an .npz archive of `reviews` reviews, half for training and half for test, and its word index as JSON."""
    sentences = write_sentences()
    ranks = rank_words(sentences)
    pools = {kind: [[ranks[word] for word in sentence] for sentence in pool] for kind, pool in sentences.items()}
    generator = np.random.RandomState(SEED + 1)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for part in ("train", "test"):
        lists, labels = write_reviews(reviews // 2, pools, generator)
        column = np.empty(len(lists), object)
        # Not `column[:] = lists`, which makes a matrix if all lists have the same length.
        for position, review in enumerate(lists):
            column[position] = review
        arrays |= {f"x_{part}": column, f"y_{part}": labels}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue(), json.dumps(ranks).encode()


@dataclass(frozen=True)
class SampleRequest:
    """The request for a sample corpus.

    Attributes:
        reviews: Number of reviews.
        store: URI of the store.
        folder: For the files, in the store.
    """

    reviews: int
    store: str
    folder: str


def main(request: SampleRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Make the corpus, and write it to the store; return its files by name: "archive" and "word_index"."""
    store, folder = Store(request.store), request.folder
    archive, word_index = make_archive(request.reviews)
    return {
        "archive": store.write_bytes(f"{folder}/sample.npz", archive),
        "word_index": store.write_bytes(f"{folder}/sample_word_index.json", word_index),
    }


JOB = Job(__name__, SampleRequest, dict[str, StoredFile])
