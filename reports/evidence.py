"""What one night's report says, as data and in no language: computed once, stored, and rendered from.

Every record is JSON once `to_json` has written it, and comes back the same, so that a page rendered from the stored
file is the page that was published, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from reports.analysis.statistics import Comparison, Interval
from storage.bounds import Constraint, Count, Whole
from storage.decoding import decode_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# A difference is called resolved when its p value, corrected for all pairs, is below this.
SIGNIFICANCE = 0.05
# Of evidence.json. Whoever changes what it means adds one here, and to `upgrade_evidence`.
EVIDENCE_FORMAT = 2


@dataclass(frozen=True)
class PartFigures:
    """Loss and accuracy of one part of the data, means over the seeds.

    Attributes:
        loss: Mean binary cross-entropy in nats, its interval over reviews.
        accuracy: 0 to 1, likewise.
        loss_deviation: Standard deviation over the seeds; None with a single one.
        accuracy_deviation: Likewise.
    """

    loss: Interval
    accuracy: Interval
    loss_deviation: float | None = None
    accuracy_deviation: float | None = None


@dataclass(frozen=True)
class RowFigures:
    """The figures of one row of the comparison, means over its seeds; None where a baseline has no such thing.

    Attributes:
        gap: Validation loss less training loss, both at the best epoch.
        epochs: Of each training.
        best_epochs: Likewise, from 1.
        stopped_early: Whether early stopping ended every one of them.
        seconds: Wall time of one training.
        milliseconds: Of predicting 1,000 reviews.
        model_bytes: Size of the saved model.
        chosen: The training with the lowest validation loss, which stands for the recipe where one model is meant.
    """

    validation: PartFigures
    test: PartFigures
    auc: Interval | None = None
    auc_deviation: float | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    gap: float | None = None
    epochs: tuple[Count, ...] = ()
    best_epochs: tuple[Count, ...] = ()
    stopped_early: bool = True
    parameter_count: Count | None = None
    seconds: float | None = None
    milliseconds: float | None = None
    model_bytes: Count | None = None
    chosen: str | None = None


@dataclass(frozen=True)
class ComparisonRow:
    """One variant or baseline.

    Attributes:
        layers: Its recurrent layers, written out; empty where it has none.
        failed: Names of its trainings that failed.
        figures: None where one of them failed: a mean over fewer seeds than the others' would be no fair one.
    """

    name: str
    is_baseline: bool
    layers: str
    seeds: tuple[Whole, ...]
    failed: tuple[str, ...] = ()
    figures: RowFigures | None = None


@dataclass(frozen=True)
class TrainingRow:
    """One training, as the terminal shows it and the report does below the comparison."""

    name: str
    is_baseline: bool
    epochs: Count
    best_epoch: Count
    stopped_early: bool
    train_loss: float
    train_accuracy: float
    validation: PartFigures
    test: PartFigures
    gap: float
    parameter_count: Count
    seconds: float


@dataclass(frozen=True)
class PairRow:
    """Two variants on the same test reviews; the first is the one with the lower validation loss.

    Attributes:
        first_training: The training that stands for `first` where two trained models are compared.
        first_only: Test reviews on which only the first is right.
        second_only: Likewise.
        difference: Accuracy of the first less that of the second.
        p_value: Exact McNemar, two-sided.
        adjusted_p: After Holm's correction for all planned pairs.
        resolvable: The smallest difference in accuracy that this test set could have resolved at 80% power; None where
            it could have resolved none.
        auc: Area under the ROC curve of the first less that of the second (DeLong).
        over_seeds: Mean test accuracy of the first recipe less that of the second, paired over seeds; None with one.
        adjusted_seed_p: Of `over_seeds`, after Holm's correction for all planned pairs.
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

    @property
    def is_resolved(self) -> bool:
        return self.adjusted_p < SIGNIFICANCE

    @property
    def is_resolved_over_seeds(self) -> bool:
        return self.adjusted_seed_p is not None and self.adjusted_seed_p < SIGNIFICANCE


@dataclass(frozen=True)
class Pairs:
    """All pairs of variants.

    Attributes:
        planned: How many there were to be; Holm's correction is for all of them.
        withdrawn: Pairs of names that a failed training took away.
        reviews: Test reviews that each pair was compared on.
    """

    planned: Count
    rows: tuple[PairRow, ...]
    withdrawn: tuple[tuple[str, str], ...]
    reviews: Count


@dataclass(frozen=True)
class Curve:
    """One training by epoch."""

    training: str
    variant: str
    seed: Whole
    best_epoch: Count
    loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Confusion:
    """Test reviews of one model by what they are and what it said."""

    name: str
    true_positive: Count
    false_negative: Count
    false_positive: Count
    true_negative: Count


@dataclass(frozen=True)
class Rates:
    """How well one model's probabilities order the test reviews, and how far they are to be believed.

    Attributes:
        roc: Points (false positive rate, true positive rate).
        precision_recall: Points (recall, precision).
        calibration: Of each bin of probabilities that holds any: mean probability, share of positive reviews, count.
        calibration_error: Expected calibration error over 15 bins, with a bootstrap interval.
        brier: Mean squared difference of probability and label.
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
    """Some of the test reviews, and how often each model is right on them.

    Attributes:
        by: "length", "out_of_vocabulary", "negation" or "cut".
        low: Of the range of lengths in words, or of shares from 0 to 1; for the other two 0 or 1 for no or yes.
        high: The range's end, not in it; None where it has none.
        accuracy: By variant.
    """

    by: str
    low: float
    high: float | None
    count: Count
    accuracy: dict[str, Interval]


@dataclass(frozen=True)
class ShownReview:
    """A test review in readable words.

    Attributes:
        is_positive: Its label.
        probabilities: By variant, that it is positive.
        words: Those that the models see, the last ones of the review.
        unknown: Places in `words` of those outside the vocabulary.
        cut_words: How many stand before the first of `words`.
    """

    review_id: str
    is_positive: bool
    probabilities: dict[str, float]
    words: tuple[str, ...]
    unknown: tuple[Count, ...]
    cut_words: Count


@dataclass(frozen=True)
class Errors:
    """Where the models are wrong.

    Attributes:
        confidently_wrong: By variant.
        disagreements: Reviews on which the variants are furthest apart.
        suspects: Those reviews whose labels the variants together contradict most.
        suspect_count: How many there are; `without_suspects` leaves all of them out.
        without_suspects: All pairs again without them.
        accuracy_without_suspects: By variant.
    """

    confusions: tuple[Confusion, ...]
    rates: tuple[Rates, ...]
    slices: tuple[Slice, ...]
    confidently_wrong: dict[str, tuple[ShownReview, ...]]
    disagreements: tuple[ShownReview, ...]
    suspects: tuple[ShownReview, ...]
    suspect_count: Count
    without_suspects: Pairs
    accuracy_without_suspects: dict[str, Interval]


@dataclass(frozen=True)
class PairOutcome:
    """What each variant made of one minimal pair, by the training that stands for it.

    Attributes:
        probabilities: By variant: that the first and that the second sentence is positive.
        failed: The variants that did not do what was expected.
    """

    category: str
    identifier: str
    first: str
    second: str
    probabilities: dict[str, tuple[float, float]]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class PairCategory:
    """One kind of minimal pairs.

    Attributes:
        expectation: "flip", "rise" or "same".
        passed: By variant: how many pairs each of its trainings passed, the one that stands for it first.
    """

    name: str
    expectation: str
    pairs: Count
    passed: dict[str, tuple[Count, ...]]


@dataclass(frozen=True)
class MinimalPairs:
    """The suite of minimal pairs.

    Attributes:
        version: Of the suite.
        left_out: Pairs with a word that this vocabulary has not.
        failures: The pairs that at least one variant failed.
    """

    version: Count
    left_out: Count
    categories: tuple[PairCategory, ...]
    failures: tuple[PairOutcome, ...]


@dataclass(frozen=True)
class PartFacts:
    """The reviews of one part, before they were cut.

    Attributes:
        length_quantiles: Words of a review at 5, 25, 50, 75 and 95%.
        length_counts: Reviews with 0 to 49 words, 50 to 99, and so on; the last has no upper end.
        out_of_vocabulary: Words that the vocabulary has not, of `words`.
        seen_words: Words left after the cut.
        seen_out_of_vocabulary: Likewise, of `seen_words`.
        cut_reviews: Reviews that lost words.
        repeats: Reviews that repeat an earlier one of the same part.
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
    """The reviews.

    Attributes:
        parts: "train", "validation" and "test".
        length_edges: In words, where the bins of `length_counts` begin.
        in_training: Test reviews that stand word for word among the archive's training reviews.
        accuracy_without: By variant, on the other test reviews.
    """

    parts: dict[str, PartFacts]
    length_edges: tuple[Count, ...]
    in_training: Count
    accuracy_without: dict[str, Interval]


@dataclass(frozen=True)
class NightFigures:
    """One variant in one night, means over its seeds."""

    seeds: tuple[Whole, ...]
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Night:
    """One run in a few figures; variants of which a training failed are left out.

    Attributes:
        best: The variant with the lowest validation loss; None where a training failed, or there was none.
        figures: By variant, on the test reviews.
    """

    run_id: str
    started: str
    best: str | None
    failed: tuple[str, ...]
    figures: dict[str, NightFigures]


@dataclass(frozen=True)
class Band:
    """How far a variant's figure moves from one night to the next when nothing but the seeds change.

    Attributes:
        metric: "accuracy" or "loss".
        centre: The figure of the last night, or of this one where it is the first.
        half_width: 95%, for the difference of two nights with as many seeds as these two.
        degrees: Of freedom of the standard deviation that it comes from.
    """

    variant: str
    metric: str
    centre: float
    half_width: float
    degrees: Count


@dataclass(frozen=True)
class Regression:
    """A figure that is worse than last night by more than chance.

    Attributes:
        by: "seeds": beyond the band that seeds give; "reviews": no such band is known, and the two nights' models
            differ on the same test reviews (exact McNemar, 5%).
    """

    variant: str
    metric: str
    before: float
    now: float
    by: str


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was last night.

    Attributes:
        kind: "data", "code", "parameter", "version" or "machine".
        before: None where it was not there.
        now: Likewise.
    """

    kind: str
    name: str
    before: str | None
    now: str | None


@dataclass(frozen=True)
class History:
    """The last nights on the same test reviews, this one last.

    Attributes:
        last: Id of the run that this one is compared with; None in the first night.
        regressions: Of tonight against that one.
        changes: Likewise.
        looks: Runs, this one among them, that were evaluated on this test set.
        models: Models that they evaluated on it.
    """

    nights: tuple[Night, ...]
    last: str | None
    bands: tuple[Band, ...]
    regressions: tuple[Regression, ...]
    changes: tuple[Change, ...]
    looks: Count
    models: Count


@dataclass(frozen=True)
class Evidence:
    """All that the report says beside the run's own record. A section is None where there is nothing to say."""

    comparison: tuple[ComparisonRow, ...]
    trainings: tuple[TrainingRow, ...]
    pairs: Pairs
    curves: tuple[Curve, ...]
    errors: Errors | None
    minimal_pairs: MinimalPairs | None
    data: Data | None
    history: History
    format: Annotated[int, Constraint(ge=1, le=EVIDENCE_FORMAT)] = EVIDENCE_FORMAT


@cache
def _adapter() -> TypeAdapter[Evidence]:
    # Takes a tenth of a second, which not every command has to wait for.
    from pydantic import TypeAdapter

    return TypeAdapter(Evidence)


def to_json(evidence: Evidence) -> bytes:
    """Return the evidence as JSON. What is not a finite number has no place in it."""
    return _adapter().dump_json(evidence, indent=1)


def from_json(content: bytes, name: str = "evidence.json") -> Evidence:
    """Return the evidence that `to_json` wrote; `name` says in an error of which file.

    Raises:
        NewerFormatError: It was written by a newer version of the project.
        DamagedFileError: It is none.
    """
    evidence: Evidence = decode_json(Evidence, content, f"{name} must hold the evidence of a run", upgrade_evidence)
    return evidence


def upgrade_evidence(old: dict[str, Any]) -> dict[str, Any]:
    """Return evidence that was written in format 1, in which the minimal pairs were called "behaviour"."""
    new = {"minimal_pairs" if name == "behaviour" else name: value for name, value in old.items()}
    return new | {"format": EVIDENCE_FORMAT}
