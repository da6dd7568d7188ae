"""Where the models are wrong: their probabilities, the kinds of reviews, and single ones in readable words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reports.analysis.comparison import accuracy_of, pair_up
from reports.analysis.measurements import Bools, Floats, Measurements, Predictions
from reports.analysis.probabilities import auc_interval, bin_probabilities, calibration_interval
from reports.analysis.statistics import Interval, mean_interval
from reports.evidence import Confusion, Errors, Rates, ShownReview, Slice

SHOWN = 5
SUSPECTS_SHOWN = 10
CURVE_POINTS = 100
CALIBRATION_BINS = 15

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReviewFacts:
    """What is known of each test review beside what the models say; arrays of shape (reviews,).

    Attributes:
        length: int64, words.
        out_of_vocabulary: float64, share of the words that the models see.
        has_negation: bool, among the words that they see; None where no word index says which words negate.
        is_cut: bool, whether words were cut in front.
        is_in_training: bool, whether the same words stand in the archive's training part.
        show: Returns the words of one review that the models see, the places of those outside the vocabulary, and how
            many words were cut; None where no word index tells.
    """

    length: Places
    out_of_vocabulary: Floats
    has_negation: Bools | None
    is_cut: Bools
    is_in_training: Bools
    review_ids: list[str]
    show: Callable[[int], tuple[tuple[str, ...], tuple[int, ...], int]] | None


def find_errors(measured: Measurements, facts: ReviewFacts | None) -> Errors | None:
    """Return the section on errors; None where no variant is there to err."""
    standing, test = measured.standing_for(), measured.test
    if not standing:
        return None
    suspects, kept = find_suspects(test, list(standing.values()))
    without = test.keep(kept)
    show = _reviews_shower(test, standing, facts)
    return Errors(
        confusions=tuple(_confuse(test, name, training) for name, training in standing.items()),
        rates=tuple(_rate(test, name, training) for name, training in standing.items()),
        slices=tuple(slice_reviews(test, standing, facts)) if facts else (),
        confidently_wrong={
            name: show(find_confidently_wrong(test, training, SHOWN)) for name, training in standing.items()
        },
        disagreements=show(find_disagreements(test, list(standing.values()), SHOWN)),
        suspects=show(suspects[:SUSPECTS_SHOWN]),
        suspect_count=len(suspects),
        without_suspects=pair_up(measured, without),
        accuracy_without_suspects=_accuracies(without, standing),
    )


def _confuse(test: Predictions, name: str, training: str) -> Confusion:
    said, labels = test.probabilities[training] > 0.5, test.labels
    counts = [(labels & said), (labels & ~said), (~labels & said), (~labels & ~said)]
    return Confusion(name, *(int(cell.sum()) for cell in counts))


def _rate(test: Predictions, name: str, training: str) -> Rates:
    labels, probabilities = test.labels, test.probabilities[training]
    roc, precision_recall = trace_rates(labels, probabilities)
    return Rates(
        name=name,
        auc=auc_interval(labels, probabilities),
        roc=roc,
        precision_recall=precision_recall,
        calibration=calibrate(labels, probabilities),
        calibration_error=calibration_interval(labels, probabilities, CALIBRATION_BINS),
        brier=mean_interval((probabilities - labels) ** 2),
    )


def trace_rates(
    labels: Bools, probabilities: Floats
) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
    """Return about `CURVE_POINTS` points of the ROC curve (false, true positive rate) and of recall and precision.

    Both are scikit-learn's curves, at thresholds that are spread evenly over the reviews.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    def thin(first: Floats, second: Floats) -> tuple[tuple[float, float], ...]:
        places = np.unique(np.linspace(0, len(first) - 1, CURVE_POINTS).astype(int))
        return tuple((round(float(first[place]), 4), round(float(second[place]), 4)) for place in places)

    if labels.all() or not labels.any():
        return (), ()
    false_rate, true_rate, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    return thin(false_rate, true_rate), thin(recall[::-1], precision[::-1])


def calibrate(labels: Bools, probabilities: Floats) -> tuple[tuple[float, float, int], ...]:
    """Return of each bin of probabilities that holds any: its mean, the share of positive reviews, and the count."""
    bins = bin_probabilities(probabilities, CALIBRATION_BINS)
    return tuple(
        (float(probabilities[chosen].mean()), float(labels[chosen].mean()), int(chosen.sum()))
        for chosen in (bins == place for place in range(CALIBRATION_BINS))
        if chosen.any()
    )


def slice_reviews(test: Predictions, standing: dict[str, str], facts: ReviewFacts) -> Iterable[Slice]:
    """Yield the kinds of reviews with each variant's accuracy on them; kinds without a review are left out."""
    kinds: list[tuple[str, float, float | None, Bools]] = []
    quartiles = [float(edge) for edge in np.quantile(facts.out_of_vocabulary, (0.25, 0.5, 0.75)).round(2)]
    for by, values, edges in (
        ("length", facts.length, [0.0, 100.0, 200.0, 400.0]),
        ("out_of_vocabulary", facts.out_of_vocabulary, [0.0, *quartiles]),
    ):
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            kinds.append((by, low, high, (values >= low) & (values < (np.inf if high is None else high))))
    for by, marks in (("negation", facts.has_negation), ("cut", facts.is_cut)):
        if marks is not None:
            kinds += [(by, 0, None, ~marks), (by, 1, None, marks)]
    for by, low, high, chosen in kinds:
        if chosen.any():
            yield Slice(by, low, high, int(chosen.sum()), _accuracies(test.keep(chosen), standing))


def find_confidently_wrong(test: Predictions, training: str, count: int) -> Places:
    """Return the places of the reviews that a model gets wrong with the highest probability, the highest first."""
    order = np.argsort(_label_probability(test, training), kind="stable")[:count]
    return order[~test.hits(training)[order]]


def find_disagreements(test: Predictions, trainings: list[str], count: int) -> Places:
    """Return the places of the reviews on which the models are furthest apart, and of two opinions."""
    said: Floats = np.array([test.probabilities[name] for name in trainings])
    apart = said.max(axis=0) - said.min(axis=0)
    of_two_opinions: Bools = np.any(said > 0.5, axis=0) & np.any(said <= 0.5, axis=0)
    order = np.argsort(-np.where(of_two_opinions, apart, -1.0), kind="stable")[:count]
    return order[of_two_opinions[order]]


def find_suspects(test: Predictions, trainings: list[str]) -> tuple[Places, Bools]:
    """Return the reviews whose labels are most likely wrong, the likeliest first, and which ones are left without them.

    A review is suspected where the models, which have not seen it, take the other label for the likelier one, and give
    it at least the probability that they give it on average where it stands: the confident joint's cells off the
    diagonal, from the mean of the models' probabilities. The suspects are ranked by self-confidence, the probability
    given to the label that stands.

    Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", Journal of
    Artificial Intelligence Research 70 (2021), sections 3.1 and 3.2.
    """
    positive = np.mean([test.probabilities[name] for name in trainings], axis=0)
    confidence = np.where(test.labels, positive, 1 - positive)
    contradicted = confidence < 0.5
    suspected = np.zeros(len(confidence), bool)
    for label in (True, False):
        standing = test.labels == label
        if standing.any():
            suspected |= contradicted & ~standing & (1 - confidence >= confidence[standing].mean())
    if suspected.all():
        # Where every label is contradicted there is nothing left to hold the models against.
        suspected[:] = False
    order = np.argsort(confidence, kind="stable")
    return order[suspected[order]], ~suspected


def _label_probability(test: Predictions, name: str) -> Floats:
    return np.where(test.labels, test.probabilities[name], 1 - test.probabilities[name])


def _reviews_shower(
    test: Predictions, standing: dict[str, str], facts: ReviewFacts | None
) -> Callable[[Places], tuple[ShownReview, ...]]:
    """Return a function that writes reviews out; without a word index it has none to show."""

    def show(places: Places) -> tuple[ShownReview, ...]:
        if facts is None or facts.show is None:
            return ()
        return tuple(
            ShownReview(
                facts.review_ids[place],
                bool(test.labels[place]),
                {name: float(test.probabilities[training][place]) for name, training in standing.items()},
                *facts.show(place),
            )
            for place in places.tolist()
        )

    return show


def accuracy_where(test: Predictions, standing: dict[str, str], kept: Bools) -> dict[str, Interval]:
    """Return each variant's accuracy on some of the reviews."""
    return _accuracies(test.keep(kept), standing) if kept.any() else {}


def _accuracies(test: Predictions, standing: dict[str, str]) -> dict[str, Interval]:
    return {name: accuracy_of(test, [training]) for name, training in standing.items()}
