"""What workers have written of a run's trainings: read it, check it, see how far it is."""

from __future__ import annotations

from prefect import get_run_logger

from storage.records import TrainingResult
from storage.runs import checkpoints_folder, read_training_record
from tasks.progress import TrainingDone, log_progress
from tasks.train import PlannedTraining, TrainingIdentity, TrainingInputs, asked_for, find_training, identity_of


def find_finished(planned: PlannedTraining, inputs: TrainingInputs) -> TrainingResult | None:
    """Return a training that is in the store already, if it is the one asked for and every file of it is intact."""
    finished, damage = find_training(inputs.store, inputs.folder_of(planned), asked_for(planned, inputs))
    for sentence in damage:
        get_run_logger().warning("%s: %s", planned.name, sentence)
    if finished:
        log_progress(TrainingDone(planned.name, "was found in the store"))
    return finished


def read_result(planned: PlannedTraining, inputs: TrainingInputs) -> TrainingResult:
    """Return what a worker wrote of a training.

    Raises:
        FileNotFoundError: Nothing.
        DamagedFileError: Something else than the record of a training, or it was changed afterwards.
        ValueError: The record is of another training than the one asked for.
    """
    path, store = f"{inputs.folder_of(planned)}/training.json", inputs.store
    result = read_training_record(store.read_manifest(path), store.locate(path))
    wanted, found = asked_for(planned, inputs), identity_of(result)
    for field, expected, received in zip(TrainingIdentity._fields, wanted, found, strict=True):
        if received != expected:
            raise ValueError(f"{store.locate(path)} must be of {field}={expected}. Received: {received}.")
    return result


def find_progress(planned: PlannedTraining, inputs: TrainingInputs) -> str:
    """Return the path of a training's newest checkpoint, which sorts behind those of earlier epochs; "" for none."""
    try:
        return max(inputs.store.list_files(checkpoints_folder(inputs.folder_of(planned))), default="")
    except OSError as error:
        get_run_logger().warning("%s: %s", planned.name, error)
        return ""
