"""Events of a run's trainings. Each is a line of Prefect's log, and the terminal's display reads them from there."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from prefect import get_run_logger

from tasks.processes.messages import EpochFinished


@dataclass(frozen=True)
class TrainingsPlanned:
    """The names of all trainings of the run, and a text that says where they run."""

    names: tuple[str, ...]
    where: str

    def __str__(self) -> str:
        return f"training {', '.join(self.names)}, {self.where}"


@dataclass(frozen=True)
class TrainingStarted:
    training: str

    def __str__(self) -> str:
        return f"{self.training}: starting"


@dataclass(frozen=True)
class TrainingEpoch:
    """One finished epoch of one training.

    Attributes:
        training: Name of the training.
        figures: The figures of the epoch.
        epochs: The most epochs that can be run.
        seconds_left: Estimated time until the last epoch; early stopping may come sooner. None after the first epoch,
            which includes the compilation.
    """

    training: str
    figures: EpochFinished
    epochs: int
    seconds_left: float | None

    @property
    def time_left(self) -> str:
        return "" if self.seconds_left is None else f"at most {self.seconds_left:.0f} s left"

    def __str__(self) -> str:
        one = self.figures
        return (
            f"{self.training} epoch {one.epoch}/{self.epochs}  loss {one.loss:.4f}  accuracy {one.accuracy:.4f}  "
            f"val_loss {one.val_loss:.4f}  val_accuracy {one.val_accuracy:.4f}  {one.seconds:.2f} s  {self.time_left}"
        )


@dataclass(frozen=True)
class TrainingDone:
    """A finished training, and a text about its result."""

    training: str
    how: str

    def __str__(self) -> str:
        return f"{self.training} {self.how}"


@dataclass(frozen=True)
class TrainingFailed:
    training: str
    error: str

    def __str__(self) -> str:
        return f"{self.training} failed: {self.error}"


Progress = TrainingsPlanned | TrainingStarted | TrainingEpoch | TrainingDone | TrainingFailed


def log_progress(event: Progress) -> None:
    """Log an event. The log record has the event as its attribute `progress`."""
    level = logging.ERROR if isinstance(event, TrainingFailed) else logging.INFO
    get_run_logger().log(level, "%s", event, extra={"progress": event})
