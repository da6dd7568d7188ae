"""Read and check what workers have written into the store: results and checkpoints of a run's trainings."""

from __future__ import annotations

from prefect import get_run_logger

from storage.records import TrainingResult
from storage.runs import checkpoints_folder, read_training
from tasks.progress import TrainingDone, log_progress
from tasks.train import PlannedTraining, TrainingIdentity, TrainingInputs, asked_for, find_training, identity_of


def find_finished(planned: PlannedTraining, inputs: TrainingInputs) -> TrainingResult | None:
    """Look for a finished training in the store.

    Args:
        planned: Which training.
        inputs: What the run's trainings share.

    Returns:
        Its record; None if the store has none, if its identity differs from the planned one, or if a file is damaged.

    Raises:
        NewerFormatError: A newer version of the project wrote the record.
    """
    finished, damage = find_training(inputs.store, inputs.folder_of(planned), asked_for(planned, inputs))
    for sentence in damage:
        get_run_logger().warning("%s: %s", planned.name, sentence)
    if finished:
        log_progress(TrainingDone(planned.name, "was found in the store"))
    return finished


def read_result(planned: PlannedTraining, inputs: TrainingInputs) -> TrainingResult:
    """Return the record that a worker wrote of a training.

    Args:
        planned: Which training.
        inputs: What the run's trainings share.

    Raises:
        FileNotFoundError: The worker wrote no record.
        DamagedFileError: The file is not a training's record, or was changed afterwards.
        ValueError: The record is of another training.
    """
    path, store = f"{inputs.folder_of(planned)}/training.json", inputs.store
    result = read_training(store, path)
    wanted, found = asked_for(planned, inputs), identity_of(result)
    for field, expected, received in zip(TrainingIdentity._fields, wanted, found, strict=True):
        if received != expected:
            raise ValueError(f"{store.locate(path)} must be of {field}={expected}. Received: {received}.")
    return result


def find_progress(planned: PlannedTraining, inputs: TrainingInputs) -> str:
    """Return the path of a training's newest checkpoint, or "" if it has none. Paths of later epochs sort higher."""
    try:
        return max(inputs.store.list_files(checkpoints_folder(inputs.folder_of(planned))), default="")
    except OSError as error:
        get_run_logger().warning("%s: %s", planned.name, error)
        return ""
