"""The results of the minimal pairs: two sentences that differ in one thing."""

from __future__ import annotations

from dataclasses import dataclass

from storage.bounds import Count


@dataclass(frozen=True)
class PairOutcome:
    """The predictions for one minimal pair, by the training of each variant with the lowest validation loss.

    Attributes:
        probabilities: By variant, the probabilities that the first and that the second sentence is positive.
        failed: The variants that did not meet the expectation.
    """

    category: str
    identifier: str
    first: str
    second: str
    probabilities: dict[str, tuple[float, float]]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class PairCategory:
    """The results for one category of minimal pairs.

    Attributes:
        expectation: "flip", "rise" or "same".
        pairs: Number of pairs.
        passed: By variant, the number of pairs that each training passed; the training with the lowest validation loss
            comes first.
    """

    name: str
    expectation: str
    pairs: Count
    passed: dict[str, tuple[Count, ...]]


@dataclass(frozen=True)
class MinimalPairs:
    """The results for the whole suite of minimal pairs.

    Attributes:
        version: Version of the suite.
        left_out: Number of pairs with a word outside the vocabulary.
        failures: The pairs that at least one variant failed.
    """

    version: Count
    left_out: Count
    categories: tuple[PairCategory, ...]
    failures: tuple[PairOutcome, ...]
