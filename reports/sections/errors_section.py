"""Error analysis: confusion matrices, probability curves, accuracy by kind of review, and single reviews."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.statistics import Interval
from reports.sections.pairs_section import Pairs
from storage.bounds import Count


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of one model on the test reviews, in numbers of reviews."""

    name: str
    true_positive: Count
    false_negative: Count
    false_positive: Count
    true_negative: Count


@dataclass(frozen=True)
class ProbabilityCurves:
    """ROC, precision-recall and calibration curve of one model on the test reviews.

    Attributes:
        roc: Points (false positive rate, true positive rate).
        precision_recall: Points (recall, precision).
        calibration: For each bin that holds a review: mean probability, share of positive reviews, number of reviews.
        calibration_error: Expected calibration error over 15 bins, with a bootstrap interval.
        brier: Mean squared difference between probability and label.
    """

    name: str
    auc: Interval | None
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]
    calibration: tuple[tuple[float, float, Count], ...]
    calibration_error: Interval
    brier: Interval


@dataclass(frozen=True)
class Slice:
    """A subset of the test reviews, with the accuracy of each variant on it.

    Attributes:
        by: "length", "out_of_vocabulary", "negation", "cut" or "week".
        low: Start of the range, in words for "length" and 0 to 1 for "out_of_vocabulary"; for "negation" and "cut", 0
            means no and 1 means yes; for "week", the ordinal number of its first day.
        high: End of the range, exclusive; None if it has no end.
        accuracy: By variant.
    """

    by: str
    low: float
    high: float | None
    count: Count
    accuracy: dict[str, Interval]


@dataclass(frozen=True)
class ShownReview:
    """A test review as readable words.

    Attributes:
        is_positive: The label.
        probabilities: By variant, the probability that the review is positive.
        words: The words that the models get, which are the last ones of the review.
        unknown: Indices of those `words` that are outside the vocabulary.
        cut_words: Number of words that were cut before the first of `words`.
    """

    review_id: str
    is_positive: bool
    probabilities: dict[str, float]
    words: tuple[str, ...]
    unknown: tuple[Count, ...]
    cut_words: Count


@dataclass(frozen=True)
class Errors:
    """The section on errors.

    Attributes:
        confidently_wrong: By variant, the errors with the highest probability for the wrong class.
        disagreements: The reviews whose probabilities differ most between variants.
        suspects: The reviews whose labels are most likely wrong.
        suspect_count: Number of reviews with a label that may be wrong, shown or not.
        without_suspects: All pairs, compared again without the `suspect_count` reviews.
        accuracy_without_suspects: By variant, the accuracy without the `suspect_count` reviews.
    """

    confusions: tuple[Confusion, ...]
    probability_curves: tuple[ProbabilityCurves, ...]
    slices: tuple[Slice, ...]
    confidently_wrong: dict[str, tuple[ShownReview, ...]]
    disagreements: tuple[ShownReview, ...]
    suspects: tuple[ShownReview, ...]
    suspect_count: Count
    without_suspects: Pairs
    accuracy_without_suspects: dict[str, Interval]
