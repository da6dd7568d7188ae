"""Train on this machine: several trainings at once, each as a Prefect task that supervises a child process."""

from __future__ import annotations

from collections.abc import Iterator

from prefect.futures import PrefectFuture, as_completed

from storage.records import FailedTraining, TrainingResult
from tasks.champion.gate_request import REPORT
from tasks.processes.children import Children
from tasks.progress import TrainingFailed, TrainingsPlanned, log_progress
from tasks.train import PlannedTraining, TrainingInputs, train_variant
from tasks.training.training_request import TRAINING


def train_locally(
    planned: list[PlannedTraining], inputs: TrainingInputs, at_once: int, children: Children
) -> Iterator[TrainingResult | FailedTraining]:
    """Run all trainings, `at_once` at the same time, the longest first.

    Yields:
        Each training as it ends, in any order; a failed one as its failure.
    """
    log_progress(TrainingsPlanned(tuple(training.name for training in planned), f"{at_once} at once"))
    waiting = sorted(planned, key=lambda training: training.variant.relative_cost, reverse=True)
    running: dict[PrefectFuture[TrainingResult], PlannedTraining] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            training = waiting.pop(0)
            running[train_variant.submit(training, inputs, children)] = training
        if not waiting:
            # A CPU becomes free before the last training ends, and the report's child uses it to import.
            children.start_ahead(REPORT, 1)
        future = next(iter(as_completed(list(running))))
        yield _read_outcome(running.pop(future), future.result(raise_on_failure=False))
    children.end_idle(TRAINING)


def _read_outcome(training: PlannedTraining, outcome: object) -> TrainingResult | FailedTraining:
    """Return what a training's task returned, or its failure if the task raised an error."""
    if isinstance(outcome, TrainingResult):
        return outcome
    error, log = str(outcome) or type(outcome).__name__, getattr(outcome, "log", "")
    failure = FailedTraining(training.variant.name, training.seed, error, log)
    log_progress(TrainingFailed(failure.name, failure.error))
    return failure
