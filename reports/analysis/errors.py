"""Error analysis: probability curves, accuracy by kind of review, and reviews as readable words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from reports.analysis.comparison import accuracy_of, compare_pairs
from reports.analysis.measurements import Bools, Floats, Measurements, Predictions
from reports.analysis.probabilities import auc_interval, bin_probabilities, calibration_interval
from reports.analysis.statistics import Interval, mean_interval
from reports.sections.errors_section import Confusion, Errors, ProbabilityCurves, ShownReview, Slice

SHOWN = 5
SUSPECTS_SHOWN = 10
CURVE_POINTS = 100
CALIBRATION_BINS = 15
WEEKS_SHOWN = 12

Indices = npt.NDArray[np.int64]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ReviewFacts:
    """Properties of each test review; arrays of shape (reviews,).

    Attributes:
        length: int64, in words.
        out_of_vocabulary: float64, 0 to 1, share of the words after the cut.
        has_negation: bool, whether a word after the cut is a negation; None if the source has no word index.
        is_cut: bool, whether words were cut in front.
        is_in_training: bool, whether the archive's training part has a review with the same words.
        decode: Takes the index of a review. Returns its words after the cut, the indices of those outside the
            vocabulary, and the number of words that were cut. None if the source has no word index.
        is_near_duplicate: bool, whether another part has nearly the same text; None if not all were compared.
        week: The first day of the week in which it was written, ISO 8601; None if that is not known.
    """

    length: Indices
    out_of_vocabulary: Floats
    has_negation: Bools | None
    is_cut: Bools
    is_in_training: Bools
    review_ids: list[str]
    decode: Callable[[int], tuple[tuple[str, ...], tuple[int, ...], int]] | None
    is_near_duplicate: Bools | None = None
    week: npt.NDArray[np.str_] | None = None


def find_errors(measured: Measurements, facts: ReviewFacts | None) -> Errors | None:
    """Return the section on errors, in which each variant's training with the lowest validation loss represents it.

    Args:
        measured: The run and its predictions.
        facts: Properties of the test reviews. Without them there are no slices and no reviews as words.

    Returns:
        None if no variant finished all its trainings.
    """
    trainings, test = measured.best_training_by_variant(), measured.test
    if not trainings:
        return None
    suspects, others = find_label_issues(test, list(trainings.values()))
    without = test.select(others)

    def show(indices: Indices) -> tuple[ShownReview, ...]:
        return _show_reviews(indices, test, trainings, facts)

    return Errors(
        confusions=tuple(_confusion_of(test, name, training) for name, training in trainings.items()),
        probability_curves=tuple(_curves_of(test, name, training) for name, training in trainings.items()),
        slices=tuple(slice_reviews(test, trainings, facts)) if facts else (),
        confidently_wrong={
            name: show(find_confidently_wrong(test, training, SHOWN)) for name, training in trainings.items()
        },
        disagreements=show(find_disagreements(test, list(trainings.values()), SHOWN)),
        suspects=show(suspects[:SUSPECTS_SHOWN]),
        suspect_count=len(suspects),
        without_suspects=compare_pairs(measured, without),
        accuracy_without_suspects=_accuracies(without, trainings),
    )


def _confusion_of(test: Predictions, name: str, training: str) -> Confusion:
    predicted, labels = test.probabilities[training] > 0.5, test.labels
    cells = [(labels & predicted), (labels & ~predicted), (~labels & predicted), (~labels & ~predicted)]
    return Confusion(name, *(int(cell.sum()) for cell in cells))


def _curves_of(test: Predictions, name: str, training: str) -> ProbabilityCurves:
    labels, probabilities = test.labels, test.probabilities[training]
    roc, precision_recall = trace_curves(labels, probabilities)
    return ProbabilityCurves(
        name=name,
        auc=auc_interval(labels, probabilities),
        roc=roc,
        precision_recall=precision_recall,
        calibration=calibration_curve(labels, probabilities),
        calibration_error=calibration_interval(labels, probabilities, CALIBRATION_BINS),
        brier=mean_interval((probabilities - labels) ** 2),
    )


def trace_curves(labels: Bools, probabilities: Floats) -> tuple[Points, Points]:
    """Return the ROC curve and the precision-recall curve of scikit-learn, thinned to `CURVE_POINTS` points.

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: float64, shape (reviews,): that it is, 0 to 1.

    Returns:
        Points (false positive rate, true positive rate) and points (recall, precision), all 0 to 1, at thresholds that
        are evenly spread over the reviews. Both are empty if all labels are equal.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    if labels.all() or not labels.any():
        return (), ()
    false_rate, true_rate, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    return _thin(false_rate, true_rate), _thin(recall[::-1], precision[::-1])


def _thin(x: Floats, y: Floats) -> Points:
    indices = np.unique(np.linspace(0, len(x) - 1, CURVE_POINTS).astype(int))
    return tuple((round(float(x[index]), 4), round(float(y[index]), 4)) for index in indices)


def calibration_curve(labels: Bools, probabilities: Floats) -> tuple[tuple[float, float, int], ...]:
    """Return the calibration curve over `CALIBRATION_BINS` bins of equal width, without the empty bins.

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: float64, shape (reviews,): that it is, 0 to 1.

    Returns:
        For each bin: mean probability, share of positive reviews, number of reviews.
    """
    bins = bin_probabilities(probabilities, CALIBRATION_BINS)
    return tuple(
        (float(probabilities[mask].mean()), float(labels[mask].mean()), int(mask.sum()))
        for mask in (bins == index for index in range(CALIBRATION_BINS))
        if mask.any()
    )


def slice_reviews(test: Predictions, trainings: dict[str, str], facts: ReviewFacts) -> Iterable[Slice]:
    """Yield the accuracy of each variant by length, by share of unknown words, by negation, by cut, and by week.

    Args:
        test: Predictions for all test reviews.
        trainings: By variant, the training that represents it.
        facts: Properties of the same reviews.

    Yields:
        A slice for each kind that has a review.
    """
    for by, low, high, mask in slice_masks(facts):
        if mask.any():
            yield Slice(by, low, high, int(mask.sum()), _accuracies(test.select(mask), trainings))


def slice_masks(facts: ReviewFacts) -> Iterator[tuple[str, float, float | None, Bools]]:
    """Yield each kind of review as `Slice` describes it, and the mask of its reviews: bool, shape (reviews,)."""
    quartiles = [float(edge) for edge in np.quantile(facts.out_of_vocabulary, (0.25, 0.5, 0.75)).round(2)]
    for by, values, edges in (
        ("length", facts.length, [0.0, 100.0, 200.0, 400.0]),
        ("out_of_vocabulary", facts.out_of_vocabulary, [0.0, *quartiles]),
    ):
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            yield by, low, high, (values >= low) & (values < (np.inf if high is None else high))
    for by, marks in (("negation", facts.has_negation), ("cut", facts.is_cut)):
        if marks is not None:
            yield by, 0, None, ~marks
            yield by, 1, None, marks
    if facts.week is not None:
        for week in np.unique(facts.week)[-WEEKS_SHOWN:]:
            yield "week", float(date.fromisoformat(str(week)).toordinal()), None, facts.week == week


def find_confidently_wrong(test: Predictions, training: str, count: int) -> Indices:
    """Return the indices of a model's errors with the highest probability for the wrong class, highest first.

    Args:
        test: The predictions.
        training: Name of the model.
        count: Largest number of reviews.
    """
    order = np.argsort(_label_probability(test, training), kind="stable")[:count]
    return order[~test.is_correct(training)[order]]


def find_disagreements(test: Predictions, trainings: list[str], count: int) -> Indices:
    """Return the indices of the reviews that models classify differently, the widest range of probabilities first.

    Args:
        test: The predictions.
        trainings: Names of the models.
        count: Largest number of reviews.
    """
    probabilities: Floats = np.array([test.probabilities[name] for name in trainings])
    spread = probabilities.max(axis=0) - probabilities.min(axis=0)
    disagree: Bools = np.any(probabilities > 0.5, axis=0) & np.any(probabilities <= 0.5, axis=0)
    order = np.argsort(-np.where(disagree, spread, -1.0), kind="stable")[:count]
    return order[disagree[order]]


def find_label_issues(test: Predictions, trainings: list[str]) -> tuple[Indices, Bools]:
    """Return the reviews whose labels are most likely wrong, by confident learning.

    The models' mean probability p of a label is used; the models were not trained on these reviews. A label is
    suspected if the other label has p above 0.5, and has at least the mean p of the reviews that carry that other
    label. These are the off-diagonal cells of the confident joint.

    Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", Journal of
    Artificial Intelligence Research 70 (2021), sections 3.1 and 3.2.

    Args:
        test: The predictions.
        trainings: Names of the models.

    Returns:
        Indices of the suspected reviews, ranked by self-confidence (the probability of the given label, lowest first),
        and the mask of all other reviews: bool, shape (reviews,). If every label is suspected, none is returned.
    """
    positive = np.mean([test.probabilities[name] for name in trainings], axis=0)
    confidence = np.where(test.labels, positive, 1 - positive)
    contradicted = confidence < 0.5
    suspected = np.zeros(len(confidence), bool)
    for label in (True, False):
        labelled = test.labels == label
        if labelled.any():
            suspected |= contradicted & ~labelled & (1 - confidence >= confidence[labelled].mean())
    if suspected.all():
        # Then no review is left to compare the models on.
        suspected[:] = False
    order = np.argsort(confidence, kind="stable")
    return order[suspected[order]], ~suspected


def _label_probability(test: Predictions, name: str) -> Floats:
    return np.where(test.labels, test.probabilities[name], 1 - test.probabilities[name])


def _show_reviews(
    indices: Indices, test: Predictions, trainings: dict[str, str], facts: ReviewFacts | None
) -> tuple[ShownReview, ...]:
    """Return reviews as words; none if the source has no word index."""
    if facts is None or facts.decode is None:
        return ()
    return tuple(
        ShownReview(
            facts.review_ids[index],
            bool(test.labels[index]),
            {name: float(test.probabilities[training][index]) for name, training in trainings.items()},
            *facts.decode(index),
        )
        for index in indices.tolist()
    )


def accuracy_where(test: Predictions, trainings: dict[str, str], mask: Bools) -> dict[str, Interval]:
    """Return each variant's accuracy on the reviews in `mask` (bool, shape (reviews,)); empty if it has none."""
    return _accuracies(test.select(mask), trainings) if mask.any() else {}


def _accuracies(test: Predictions, trainings: dict[str, str]) -> dict[str, Interval]:
    return {name: accuracy_of(test, [training]) for name, training in trainings.items()}
