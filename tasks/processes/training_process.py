"""How a training's child process is started; imports nothing heavy, so that it can be done before anything else."""

from __future__ import annotations

from tasks.processes.supervisor import prepare_children

MODULE = "tasks.training.training"
# One thread each: several trainings share the machine, and a step is too small to be worth splitting.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def prepare_trainings(count: int) -> None:
    """Let `count` children import TensorFlow while the server starts and the data are made ready."""
    prepare_children(MODULE, count, ENVIRONMENT)
