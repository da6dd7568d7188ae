"""The request for a training's process. Imports no Keras, because the process that asks has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from storage.records import Dataset, StoredFile, TrainingResult
from tasks.processes.messages import Job
from tasks.variants import Variant


@dataclass(frozen=True)
class TrainingParameters:
    """Hyperparameters that all trainings of a run share.

    Attributes:
        num_words: Size of the vocabulary.
        maxlen: Tokens per review.
        embedding_dim: Size of a word's embedding vector.
        epochs: The most epochs that are run.
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


@dataclass(frozen=True)
class TrainingRequest:
    """The request for one training.

    Attributes:
        variant: The model to train.
        seed: Of the initial weights, the batch order and the dropout masks.
        parameters: Hyperparameters.
        padded: The padded reviews.
        minimal_pairs: Padded sentences that the trained model predicts too, or None.
        store: URI of the store.
        folder: The training's folder in the store.
        requested: Time of the request, in seconds since 1970.
    """

    variant: Variant
    seed: int
    parameters: TrainingParameters
    padded: Dataset
    minimal_pairs: StoredFile | None
    store: str
    folder: str
    requested: float


# One thread for each training: several trainings share the machine, and one step is too small to be split.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    # A file of settings of our own. Keras would read the user's, or make one in the user's home.
    "KERAS_HOME": str(Path(__file__).with_name("keras_settings")),
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
TRAINING = Job("tasks.training.training", TrainingRequest, TrainingResult, ENVIRONMENT, is_repeatable=True)
