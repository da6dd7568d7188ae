"""The comparison of each pair of variants on the same test reviews."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.statistics import SIGNIFICANCE, Comparison, Interval
from storage.bounds import Count


@dataclass(frozen=True)
class PairRow:
    """Two variants on the same test reviews; the first has the lower validation loss.

    Attributes:
        first_training: Training of `first` with the lowest validation loss; the paired tests use its predictions.
        second_training: Training of `second` with the lowest validation loss.
        first_only: Number of test reviews that only the first model classifies correctly.
        second_only: Number of test reviews that only the second model classifies correctly.
        difference: Accuracy of the first minus accuracy of the second.
        corrected: The same with an interval of 1 - 0.05 / planned pairs; None in runs that were published before it.
        p_value: Of McNemar's exact test, two-sided.
        adjusted_p: `p_value` after Holm's correction for all planned pairs.
        resolvable: Smallest difference in accuracy that this test set detects with a power of 80%; None if it detects
            none.
        auc: Area under the ROC curve of the first minus that of the second, by DeLong's test.
        over_seeds: Mean test accuracy of the first variant minus that of the second, paired by seed; None for a single
            seed.
        adjusted_seed_p: The p-value of `over_seeds` after Holm's correction for all planned pairs.
    """

    first: str
    second: str
    first_training: str
    second_training: str
    first_only: Count
    second_only: Count
    difference: Interval
    p_value: float
    adjusted_p: float
    resolvable: float | None
    auc: Comparison | None
    over_seeds: Comparison | None
    adjusted_seed_p: float | None
    corrected: Interval | None = None

    @property
    def is_significant(self) -> bool:
        return self.adjusted_p < SIGNIFICANCE

    @property
    def is_significant_over_seeds(self) -> bool:
        return self.adjusted_seed_p is not None and self.adjusted_seed_p < SIGNIFICANCE


@dataclass(frozen=True)
class Pairs:
    """All pairs of variants.

    Attributes:
        planned: Number of pairs that Holm's correction counts, withdrawn pairs included.
        withdrawn: Names of the pairs that cannot be compared because a training failed.
        reviews: Number of test reviews that each pair was compared on.
    """

    planned: Count
    rows: tuple[PairRow, ...]
    withdrawn: tuple[tuple[str, str], ...]
    reviews: Count
