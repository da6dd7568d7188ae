"""What the report says, as data: the verdict, the comparison table, and what ran."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reports.statistics import Interval, paired_accuracy_difference, wilson_interval
from storage.records import Run, Scores, TrainingResult


@dataclass(frozen=True)
class EvaluatedRun:
    """A run and what its report needs of its files.

    Attributes:
        run: The record of the night.
        histories: By training: column name to values, one per epoch.
        test_hits: By training: bool, shape (test reviews,), whether it is right; the same reviews in the same order.
    """

    run: Run
    histories: dict[str, dict[str, list[float]]]
    test_hits: dict[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class PartCells:
    """Loss and accuracy of one part, with their intervals."""

    loss: Interval
    accuracy: Interval


@dataclass(frozen=True)
class ComparisonRow:
    """One training in the comparison table.

    Attributes:
        gap: Validation loss less training loss, both as Keras reports them for the best epoch.
    """

    name: str
    layers: str
    epochs: int
    best_epoch: int
    stopped_early: bool
    train_loss: float
    train_accuracy: float
    validation: PartCells
    test: PartCells
    gap: float
    parameter_count: int
    seconds: float
    is_best: bool


@dataclass(frozen=True)
class Verdict:
    """What a reader knows after ten seconds.

    Attributes:
        headline: Which model is best tonight, or that there is none.
        evidence: How that stands on the test reviews, one sentence.
        failures: One sentence for each training that failed.
    """

    headline: str
    evidence: str
    failures: tuple[str, ...]


def compare_trainings(run: Run) -> list[ComparisonRow]:
    """Return one row per finished training, the lowest validation loss first."""
    ranked = rank_trainings(run)
    return [_comparison_row(training, is_best=training is ranked[0]) for training in ranked]


def rank_trainings(run: Run) -> list[TrainingResult]:
    return sorted(run.trainings, key=lambda training: (training.validation.loss, training.name))


def _comparison_row(training: TrainingResult, *, is_best: bool) -> ComparisonRow:
    return ComparisonRow(
        name=training.name,
        layers=training.layers,
        epochs=training.epochs,
        best_epoch=training.best_epoch,
        stopped_early=training.stopped_early,
        train_loss=training.train.loss,
        train_accuracy=training.train.accuracy,
        validation=_cells(training.validation),
        test=_cells(training.test),
        gap=training.validation.loss - training.train.loss,
        parameter_count=training.parameter_count,
        seconds=training.seconds["total"],
        is_best=is_best,
    )


def _cells(scores: Scores) -> PartCells:
    margin = scores.loss_margin or 0.0
    loss = Interval(scores.loss, scores.loss - margin, scores.loss + margin)
    return PartCells(loss, wilson_interval(scores.accuracy, scores.count))


def reach_verdict(evaluated: EvaluatedRun) -> Verdict:
    """Choose the best training on validation, and say how its lead stands on test.

    The lead is over the best training of another variant, so that two seeds of one recipe do not compete.
    """
    run = evaluated.run
    failures = tuple(f"{failure.name} failed: {failure.error}" for failure in run.failures)
    ranked = rank_trainings(run)
    if not ranked:
        return Verdict("No model tonight: every training failed.", "", failures)
    best = ranked[0]
    accuracy = wilson_interval(best.test.accuracy, best.test.count)
    headline = f"Best tonight: {best.name}, with the lowest validation loss, {best.validation.loss:.4f}."
    standing = (
        f"On the {best.test.count:,} test reviews it is right in {accuracy.estimate:.2%} "
        f"(95% interval {accuracy.low:.2%} to {accuracy.high:.2%})"
    )
    runner_up = next((other for other in ranked if other.variant != best.variant), None)
    if runner_up is None:
        return Verdict(headline, f"{standing}. There is no other variant to compare it with.", failures)
    lead = paired_accuracy_difference(evaluated.test_hits[best.name], evaluated.test_hits[runner_up.name])
    return Verdict(headline, f"{standing}. {_describe_lead(lead, runner_up.name)}", failures)


def _describe_lead(lead: Interval, runner_up: str) -> str:
    figures = (
        f"{100 * lead.estimate:+.2f} percentage points of test accuracy "
        f"(95% interval {100 * lead.low:+.2f} to {100 * lead.high:+.2f})"
    )
    if not lead.excludes_zero:
        return f"Its lead over {runner_up}, {figures}, is not resolved by this test set."
    if lead.estimate > 0:
        return f"Its lead over {runner_up}, {figures}, is confirmed by this test set."
    return f"The test set contradicts the choice: against {runner_up} it stands at {figures}."
