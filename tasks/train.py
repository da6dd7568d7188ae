"""Train one variant with one seed, in a child process."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, cast

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from storage.datasets import find_intact
from storage.records import Dataset, Hyperparameters, StoredFile, TrainingResult, training_name
from storage.runs import checkpoints_folder, read_training
from storage.store import Store
from tasks.artifacts import ProgressArtifact
from tasks.processes.children import BadInputError, ChildFailedError, Children
from tasks.processes.messages import EpochFinished, Event, Resumed, Warned
from tasks.progress import TrainingDone, TrainingEpoch, TrainingStarted, log_progress
from tasks.training.training_request import TRAINING, TrainingParameters, TrainingRequest
from tasks.variants import Variant


@dataclass(frozen=True)
class PlannedTraining:
    """One training of a run."""

    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        return training_name(self.variant.name, self.seed)


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs that all trainings of a run share.

    Attributes:
        padded: The padded reviews.
        minimal_pairs: Padded sentences that each model predicts too, or None.
        parameters: The hyperparameters.
        store: The store with the reviews, for the results too.
        run_folder: The run's folder in the store. Each training has a folder in it.
        timeout_seconds: Time after which a training is ended.
    """

    padded: Dataset
    minimal_pairs: StoredFile | None
    parameters: TrainingParameters
    store: Store
    run_folder: str
    timeout_seconds: float

    def folder_of(self, planned: PlannedTraining) -> str:
        return f"{self.run_folder}/{planned.name}"


class TrainingIdentity(NamedTuple):
    """Everything that identifies a training within a run. Two trainings with the same identity are the same."""

    variant: str
    layers: str
    seed: int
    dataset: str
    parameters: Hyperparameters


def asked_for(planned: PlannedTraining, inputs: TrainingInputs) -> TrainingIdentity:
    """Return the identity of a planned training, which its record must have."""
    variant = planned.variant
    parameters = asdict(inputs.parameters)
    return TrainingIdentity(variant.name, variant.description, planned.seed, inputs.padded.key, parameters)


def identity_of(result: TrainingResult) -> TrainingIdentity:
    """Return the identity of a finished training."""
    return TrainingIdentity(result.variant, result.layers, result.seed, result.dataset, result.parameters)


class _Reporter:
    """Shows each event of a training in the Prefect log, and each epoch in a progress artifact."""

    def __init__(self, training: str, epochs: int) -> None:
        self.training, self.epochs = training, epochs
        self.logger = get_run_logger()
        self.seconds: list[float] = []
        self.artifact = ProgressArtifact(training)
        self.artifact.update(0, "starting")

    def __call__(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.logger.warning("%s: %s", self.training, event.text)
        elif isinstance(event, Resumed):
            self.logger.info("%s: resumed at epoch %d", self.training, event.epoch)
        elif isinstance(event, EpochFinished):
            self.report_epoch(event)

    def report_epoch(self, event: EpochFinished) -> None:
        """Log an epoch with the estimated time left, and show it in the artifact."""
        self.seconds.append(event.seconds)
        later = self.seconds[1:]
        seconds_left = sum(later) / len(later) * (self.epochs - event.epoch) if later else None
        log_progress(TrainingEpoch(self.training, event, self.epochs, seconds_left))
        percent, description = 100 * event.epoch / self.epochs, f"epoch {event.epoch}, val_loss {event.val_loss:.4f}"
        self.artifact.update(percent, description)


def find_training(store: Store, folder: str, identity: TrainingIdentity) -> tuple[TrainingResult | None, list[str]]:
    """Look for a finished training in its folder, and verify all its files. Damaged files are moved to quarantine.

    Returns:
        The training, or None if the folder has none, has one with another identity, or has a damaged one; and one
        sentence for each damaged file.

    Raises:
        NewerFormatError: A newer version of the project made it.
    """
    manifest = f"{folder}/training.json"
    return find_intact(store, manifest, read_training, "training again", lambda found: identity_of(found) == identity)


def _reuse_training(planned: PlannedTraining, inputs: TrainingInputs, reporter: _Reporter) -> TrainingResult | None:
    """Return the training if an earlier attempt of this run has finished it, and log that; otherwise None."""
    folder = inputs.folder_of(planned)
    finished, damage = find_training(inputs.store, folder, asked_for(planned, inputs))
    for sentence in damage:
        reporter.logger.warning("%s: %s", planned.name, sentence)
    if finished is None or (inputs.minimal_pairs and "predictions-minimal_pairs.parquet" not in finished.files):
        return None
    try:
        inputs.store.delete(checkpoints_folder(folder))
    except OSError as error:
        reporter.logger.warning("%s: its checkpoints could not be removed: %s", planned.name, error)
    reporter.artifact.update(100, "done by an earlier attempt")
    log_progress(TrainingDone(planned.name, "is verified: an earlier attempt of this run has done it"))
    return finished


def _may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Return whether another attempt may succeed. It cannot if Keras refuses a layer, or if the run is being ended."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, (BadInputError, ChildFailedError)) or error.may_pass


@task(
    name="train",
    task_run_name="train {planned.variant.name}, seed {planned.seed}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=1,
    retry_delay_seconds=1,
    retry_condition_fn=_may_pass,
)
def train_variant(planned: PlannedTraining, inputs: TrainingInputs, children: Children) -> TrainingResult:
    """Train one variant with one seed in a child process, and return the record that the child has published.

    If an earlier attempt of the same run has finished the training, it is returned, and Prefect shows it as Cached.

    Raises:
        ChildFailedError: The child failed, was killed, or reached the timeout.
        BadInputError: The child refused a file of the reviews.
    """
    reporter = _Reporter(planned.name, inputs.parameters.epochs)
    try:
        return _train(planned, inputs, children, reporter)
    finally:
        reporter.artifact.close()


def _train(planned: PlannedTraining, inputs: TrainingInputs, children: Children, reporter: _Reporter) -> TrainingResult:
    log_progress(TrainingStarted(planned.name))
    finished = _reuse_training(planned, inputs, reporter)
    if finished:
        return cast(TrainingResult, Completed(name="Cached", message=f"verified {planned.name}", data=finished))
    request = TrainingRequest(
        variant=planned.variant,
        seed=planned.seed,
        parameters=inputs.parameters,
        padded=inputs.padded,
        minimal_pairs=inputs.minimal_pairs,
        store=inputs.store.absolute_uri,
        folder=inputs.folder_of(planned),
        requested=time.time(),
    )
    result = children.ask(TRAINING, request, inputs.timeout_seconds, reporter)
    reporter.artifact.update(100, f"done, best epoch {result.best_epoch}, val_loss {result.validation.loss:.4f}")
    log_progress(
        TrainingDone(
            planned.name,
            f"done: best epoch {result.best_epoch} of {result.epochs}, val_loss {result.validation.loss:.4f}, "
            f"test accuracy {result.test.accuracy:.4f}, {result.seconds['total']:.0f} s",
        )
    )
    return result
