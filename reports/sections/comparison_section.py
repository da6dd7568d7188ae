"""The comparison of the variants, one row for each, and the learning curve of each training."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.statistics import SIGNIFICANCE, Interval
from storage.bounds import Count, Whole

# The baselines that are not networks.
MAJORITY, BAG_OF_WORDS = "majority_class", "bag_of_words"


@dataclass(frozen=True)
class PartFigures:
    """Loss and accuracy on one part of the data, as means over the seeds.

    Attributes:
        loss: Mean binary cross-entropy in nats, with its interval over reviews.
        accuracy: 0 to 1, with its interval over reviews.
        loss_deviation: Standard deviation over the seeds; None for a single seed.
        accuracy_deviation: Standard deviation over the seeds; None for a single seed.
    """

    loss: Interval
    accuracy: Interval
    loss_deviation: float | None = None
    accuracy_deviation: float | None = None


@dataclass(frozen=True)
class RowFigures:
    """The figures of one row of the comparison, as means over its seeds; None if a baseline has no such figure.

    Attributes:
        auc: Area under the ROC curve on the test reviews, 0 to 1.
        gap: Validation loss minus training loss in nats, both at the best epoch.
        epochs: Number of epochs of each training.
        best_epochs: The best epoch of each training, counted from 1.
        stopped_early: Whether early stopping ended every training.
        seconds: Wall time of one training.
        milliseconds: Time to predict 1,000 reviews.
        model_bytes: Size of the saved model.
        chosen: Name of the training with the lowest validation loss.
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
        layers: Its recurrent layers as text; empty if it has none.
        failed: Names of its trainings that failed.
        figures: None if a training failed, because a mean over fewer seeds would not be comparable.
    """

    name: str
    is_baseline: bool
    layers: str
    seeds: tuple[Whole, ...]
    failed: tuple[str, ...] = ()
    figures: RowFigures | None = None


@dataclass(frozen=True)
class TrainingRow:
    """One training, for the terminal and for the table below the comparison."""

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
class Curve:
    """The learning curve of one training: one value per epoch, losses in nats, accuracies 0 to 1."""

    training: str
    variant: str
    seed: Whole
    best_epoch: Count
    loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class BaselineCheck:
    """The best variant's model compared with an untrained baseline on the same test reviews.

    Attributes:
        baseline: "bag_of_words" or "majority_class".
        accuracy: Of the baseline, 0 to 1.
        difference: Accuracy of the best variant's model minus that of the baseline.
        adjusted_p: Of McNemar's exact test, two-sided, after Holm's correction for all baselines.
    """

    baseline: str
    accuracy: Interval
    difference: Interval
    adjusted_p: float

    @property
    def is_beaten(self) -> bool:
        """Return whether the model is clearly more accurate than the baseline."""
        return self.difference.estimate > 0 and self.adjusted_p < SIGNIFICANCE
