"""Statistics of the reviews."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.analysis.statistics import Interval
from storage.bounds import Count


@dataclass(frozen=True)
class PartFacts:
    """Statistics of one part of the data, before the reviews were cut to `maxlen` words.

    Attributes:
        length_quantiles: Words of a review at the 5%, 25%, 50%, 75% and 95% quantile.
        length_counts: Number of reviews with 0 to 49 words, with 50 to 99, and so on; the last bin has no upper end.
        out_of_vocabulary: Number of the `words` that are outside the vocabulary.
        seen_words: Number of words that are left after the cut.
        seen_out_of_vocabulary: Number of the `seen_words` that are outside the vocabulary.
        cut_reviews: Number of reviews that lost words.
        repeats: Number of reviews that repeat an earlier review of the same part.
    """

    reviews: Count
    positive: Count
    words: Count
    length_mean: float
    length_quantiles: tuple[float, ...]
    length_maximum: Count
    length_counts: tuple[Count, ...]
    out_of_vocabulary: Count
    seen_words: Count
    seen_out_of_vocabulary: Count
    cut_reviews: Count
    repeats: Count


@dataclass(frozen=True)
class Data:
    """The section on the reviews.

    Attributes:
        parts: By "train", "validation" and "test".
        length_edges: Starts of the bins of `length_counts`, in words.
        in_training: Number of test reviews that are also among the archive's training reviews, word for word.
        accuracy_without: By variant, the accuracy on the other test reviews.
        near_duplicates: Number of test reviews that nearly repeat a review of another part.
        accuracy_without_near: By variant, the accuracy without those.
    """

    parts: dict[str, PartFacts]
    length_edges: tuple[Count, ...]
    in_training: Count
    accuracy_without: dict[str, Interval]
    near_duplicates: Count = 0
    accuracy_without_near: dict[str, Interval] = field(default_factory=dict)
