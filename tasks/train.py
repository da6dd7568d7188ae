"""Train one variant with one seed, in a supervised child process."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, NamedTuple, cast
from uuid import UUID

import httpx
from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.states import Completed

from storage.damage import NewerFormatError
from storage.datasets import put_damaged_aside
from storage.records import Dataset, StoredFile, TrainingResult, training_name
from storage.runs import checkpoints_folder, read_training_record
from storage.store import DamagedFileError, Store
from tasks.processes import training_process
from tasks.processes.supervisor import is_closing, run_child
from tasks.variants import Variant

# An artifact's update is a request to the server, which on one machine takes time from the trainings.
ARTIFACT_EVERY_SECONDS = 3.0


class TrainingParameters(NamedTuple):
    """Hyperparameters that all trainings of a run share.

    Attributes:
        num_words: Size of the vocabulary.
        maxlen: Tokens per review.
        embedding_dim: Size of a word's vector.
        epochs: At most this many.
        batch_size: Reviews per step.
        patience: Epochs without a lower val_loss before training stops.
        learning_rate: Of RMSprop.
    """

    num_words: int
    maxlen: int
    embedding_dim: int
    epochs: int
    batch_size: int
    patience: int
    learning_rate: float


class EpochProgress(NamedTuple):
    """What one finished epoch of one training says; the terminal's display is drawn from it.

    Attributes:
        training: Name of the training.
        epoch: From 1.
        epochs: The most there can be.
        val_loss: Of this epoch.
        seconds_left: Until the last possible epoch; early stopping may end it sooner. None after the first epoch,
            whose time is that of the compilation.
    """

    training: str
    epoch: int
    epochs: int
    val_loss: float
    seconds_left: float | None

    @property
    def time_left(self) -> str:
        return "" if self.seconds_left is None else f"at most {self.seconds_left:.0f} s left"


class TrainingStage(NamedTuple):
    """Where a training stands, in one word: "starting", "done" or "failed"."""

    training: str
    word: str


class _Reporter:
    """Tells each epoch to the Prefect log and to a progress artifact."""

    def __init__(self, training: str, epochs: int) -> None:
        self.training, self.epochs = training, epochs
        self.logger = get_run_logger()
        self.seconds: list[float] = []
        self.updated = 0.0
        self.artifact: UUID | None = None
        self.update_artifact(0, "starting")

    def __call__(self, event: dict[str, Any]) -> None:
        if "warning" in event:
            self.logger.warning("%s: %s", self.training, event["warning"])
            return
        if "resumed" in event:
            self.logger.info("%s: resumed at epoch %d", self.training, event["resumed"])
            return
        epoch = event["epoch"]
        self.seconds.append(event["seconds"])
        later = self.seconds[1:]
        seconds_left = sum(later) / len(later) * (self.epochs - epoch) if later else None
        progress = EpochProgress(self.training, epoch, self.epochs, event["val_loss"], seconds_left)
        self.logger.info(
            "%s epoch %d/%d  loss %.4f  accuracy %.4f  val_loss %.4f  val_accuracy %.4f  %.2f s  %s",
            self.training,
            epoch,
            self.epochs,
            event["loss"],
            event["accuracy"],
            event["val_loss"],
            event["val_accuracy"],
            event["seconds"],
            progress.time_left,
            extra={"progress": progress},
        )
        if time.monotonic() - self.updated > ARTIFACT_EVERY_SECONDS:
            self.update_artifact(100 * epoch / self.epochs, f"epoch {epoch}, val_loss {event['val_loss']:.4f}")

    def update_artifact(self, percent: float, description: str) -> None:
        """Show how far the training is; a server that does not answer must not cost the training."""
        self.updated = time.monotonic()
        text = f"{self.training}: {description}"
        try:
            if self.artifact is None:
                key = f"training-{self.training.replace('_', '-')}"
                self.artifact = cast(UUID, create_progress_artifact(percent, key=key, description=text))
            else:
                update_progress_artifact(self.artifact, percent, description=text)
        except (httpx.HTTPError, PrefectException) as error:
            self.logger.warning("%s: the progress artifact could not be updated: %s", self.training, error)


def expect_record(variant: Variant, seed: int, padded: Dataset, parameters: TrainingParameters) -> dict[str, Any]:
    """Return what the record of a training must say of itself to be the one that is asked for."""
    return {
        "variant": variant.name,
        "layers": variant.description,
        "seed": seed,
        "dataset": padded.key,
        "parameters": parameters._asdict(),
    }


def find_training(store: Store, folder: str, expected: dict[str, Any]) -> tuple[TrainingResult | None, list[str]]:
    """Look for a finished training with the values that are expected of its record, and verify every file of it.

    Returns:
        The training, or None when it is not there, is another or is damaged; and one sentence for each file that was
        moved to quarantine.

    Raises:
        NewerFormatError: A newer version of the project made it.
    """
    manifest = f"{folder}/training.json"
    if not store.exists(manifest):
        return None, []
    try:
        result = read_training_record(store.read_manifest(manifest), store.locate(manifest))
    except NewerFormatError:
        raise
    except DamagedFileError as error:
        return None, [f"{error} Moved to {store.quarantine(manifest)}; training again."]
    if any(getattr(result, name) != value for name, value in expected.items()):
        return None, []
    damage = put_damaged_aside(store, result.files.values(), "training again")
    if damage:
        store.quarantine(manifest)
        return None, damage
    return result, []


def _reuse_training(
    store: Store, request: dict[str, Any], expected: dict[str, Any], reporter: _Reporter
) -> TrainingResult | None:
    """Return what an earlier attempt made of the same request, and say so; None where there is nothing to be used."""
    name, logger = reporter.training, reporter.logger
    finished, damage = find_training(store, request["folder"], expected)
    for sentence in damage:
        logger.warning("%s: %s", name, sentence)
    if finished is None or (request["minimal_pairs"] and "predictions-minimal_pairs.parquet" not in finished.files):
        return None
    try:
        store.delete(checkpoints_folder(request["folder"]))
    except OSError as error:
        logger.warning("%s: its checkpoints could not be removed: %s", name, error)
    reporter.update_artifact(100, "done by an earlier attempt")
    stage = TrainingStage(name, "done")
    logger.info("%s: verified, done by an earlier attempt of this run", name, extra={"stage": stage})
    return finished


def _worth_another_attempt(_task: Any, _run: Any, _state: State[Any]) -> bool:
    return not is_closing()


@task(
    name="train",
    task_run_name="train {variant.name}, seed {seed}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=1,
    retry_delay_seconds=1,
    retry_condition_fn=_worth_another_attempt,
)
def train_variant(
    padded: Dataset,
    variant: Variant,
    seed: int,
    parameters: TrainingParameters,
    store: Store,
    run_folder: str,
    timeout_seconds: float,
    minimal_pairs: StoredFile | None = None,
) -> TrainingResult:
    """Supervise one training child, and return what it published below `run_folder`.

    A training that an earlier attempt of the same run finished is returned as it is, and shown as Cached.
    `minimal_pairs` holds padded sentences for which the trained model's probabilities are kept as well.
    """
    name = training_name(variant.name, seed)
    reporter = _Reporter(name, parameters.epochs)
    get_run_logger().info("%s: starting", name, extra={"stage": TrainingStage(name, "starting")})
    request = {
        "variant": variant.name,
        "description": variant.description,
        "layers": [asdict(layer) for layer in variant.layers],
        "seed": seed,
        "parameters": parameters._asdict(),
        "dataset": asdict(padded),
        "minimal_pairs": asdict(minimal_pairs) if minimal_pairs else None,
        "store": store.absolute_uri,
        "folder": f"{run_folder}/{name}",
        "requested": time.time(),
    }
    finished = _reuse_training(store, request, expect_record(variant, seed, padded, parameters), reporter)
    if finished:
        return cast(TrainingResult, Completed(name="Cached", message=f"verified {name}", data=finished))
    content = run_child(training_process.MODULE, request, timeout_seconds, reporter, training_process.ENVIRONMENT)
    result = read_training_record(content)
    reporter.update_artifact(100, f"done, best epoch {result.best_epoch}, val_loss {result.validation.loss:.4f}")
    get_run_logger().info(
        "%s done: best epoch %d of %d, val_loss %.4f, test accuracy %.4f, %.0f s",
        name,
        result.best_epoch,
        result.epochs,
        result.validation.loss,
        result.test.accuracy,
        result.seconds["total"],
        extra={"stage": TrainingStage(name, "done")},
    )
    return result
