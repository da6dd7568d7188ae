"""The input of the evidence: the run's record, and the predictions of each model."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import numpy.typing as npt

from storage.records import Run, TrainingResult

# As in Keras: probabilities are clipped, so that the logarithm of 0 does not make a loss infinite.
EPSILON = 1e-7

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """The predictions of each model for one part of the data.

    Attributes:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: By training or baseline: float64, shape (reviews,), that the review is positive.
        review_ids: The reviews' ids, shape (reviews,); empty if they are not known.
    """

    labels: Bools
    probabilities: dict[str, Floats] = field(default_factory=dict)
    review_ids: npt.NDArray[np.object_] = field(default_factory=lambda: np.zeros(0, object))

    def is_correct(self, name: str) -> Bools:
        """Return whether the model classifies each review correctly: bool, shape (reviews,)."""
        correct: Bools = (self.probabilities[name] > 0.5) == self.labels
        return correct

    def losses(self, name: str) -> Floats:
        """Return the binary cross-entropy of each review in nats: float64, shape (reviews,)."""
        clipped = np.clip(self.probabilities[name], EPSILON, 1 - EPSILON)
        losses: Floats = -np.log(np.where(self.labels, clipped, 1 - clipped))
        return losses

    def select(self, mask: Bools | npt.NDArray[np.int64]) -> Predictions:
        """Return the predictions for the reviews in `mask`: bool, shape (reviews,); or at these places: int64."""
        probabilities = {name: values[mask] for name, values in self.probabilities.items()}
        return Predictions(
            self.labels[mask], probabilities, self.review_ids[mask] if len(self.review_ids) else self.review_ids
        )


@dataclass(frozen=True)
class Measurements:
    """A run and the predictions of its models.

    Attributes:
        run: The run's record.
        validation: Predictions of each training, and of each baseline, on the validation reviews.
        test: Predictions of the same models on the test reviews.
        histories: By training: column name to values, one per epoch.
    """

    run: Run
    validation: Predictions
    test: Predictions
    histories: dict[str, dict[str, list[float]]]

    def best_training_by_variant(self) -> dict[str, str]:
        """Return by variant the name of its training with the lowest validation loss.

        Variants with a failed training are left out: the choice from fewer seeds would not be comparable.
        """
        return {name: lowest_val_loss(trainings_of(self.run, name)).name for name in complete_variants(self.run)}


def trainings_of(run: Run, variant: str) -> list[TrainingResult]:
    """Return the finished trainings of one variant or baseline."""
    return [training for training in (*run.trainings, *run.baselines) if training.variant == variant]


def complete_variants(run: Run) -> list[str]:
    """Return the variants without a failed training."""
    failed = {failure.variant for failure in run.failures}
    return [name for name in run.known.variants if name not in failed and trainings_of(run, name)]


def validation_loss_of(run: Run, variant: str) -> float:
    """Return the mean validation loss of a variant's trainings, which ranks the variants."""
    return fmean(training.validation.loss for training in trainings_of(run, variant))


def lowest_val_loss(trainings: list[TrainingResult]) -> TrainingResult:
    """Return the training with the lowest validation loss; of equal ones, the first by name."""
    return min(trainings, key=lambda training: (training.validation.loss, training.name))
