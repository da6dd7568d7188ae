"""What the evidence is computed from: the run's record, and what each model said of each review."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import numpy.typing as npt

from storage.records import Run, TrainingResult

# Keras clips probabilities so that the logarithm of a confidently wrong one stays finite.
EPSILON = 1e-7

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """What each model says of one part of the data.

    Attributes:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: By training or baseline: float64, shape (reviews,), that the review is positive.
    """

    labels: Bools
    probabilities: dict[str, Floats] = field(default_factory=dict)

    def hits(self, name: str) -> Bools:
        """Return whether the model is right, bool, shape (reviews,)."""
        right: Bools = (self.probabilities[name] > 0.5) == self.labels
        return right

    def losses(self, name: str) -> Floats:
        """Return each review's binary cross-entropy in nats, float64, shape (reviews,)."""
        clipped = np.clip(self.probabilities[name], EPSILON, 1 - EPSILON)
        losses: Floats = -np.log(np.where(self.labels, clipped, 1 - clipped))
        return losses

    def keep(self, kept: Bools) -> Predictions:
        """Return the same for some of the reviews."""
        return Predictions(self.labels[kept], {name: values[kept] for name, values in self.probabilities.items()})


@dataclass(frozen=True)
class Measurements:
    """A run and what its models said.

    Attributes:
        run: The record of the night.
        validation: Of each training, and of each baseline that has predictions.
        test: Likewise.
        histories: By training: column name to values, one per epoch.
    """

    run: Run
    validation: Predictions
    test: Predictions
    histories: dict[str, dict[str, list[float]]]

    def standing_for(self) -> dict[str, str]:
        """Return by variant the training that stands for it: the lowest validation loss of its seeds.

        Variants with a failed training are left out: one of fewer seeds would have been chosen from fewer.
        """
        return {name: choose(trainings_of(self.run, name)).name for name in complete_variants(self.run)}


def trainings_of(run: Run, variant: str) -> list[TrainingResult]:
    """Return the finished trainings of one variant or baseline."""
    return [training for training in (*run.trainings, *run.baselines) if training.variant == variant]


def complete_variants(run: Run) -> list[str]:
    """Return the variants of which every training finished."""
    failed = {failure.variant for failure in run.failures}
    return [name for name in run.parameters["variants"] if name not in failed and trainings_of(run, name)]


def validation_loss_of(run: Run, variant: str) -> float:
    """Return the mean validation loss of a variant's trainings, by which variants are ranked."""
    return fmean(training.validation.loss for training in trainings_of(run, variant))


def choose(trainings: list[TrainingResult]) -> TrainingResult:
    """Return the training with the lowest validation loss."""
    return min(trainings, key=lambda training: (training.validation.loss, training.name))
