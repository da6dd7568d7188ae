"""What a training's process is asked for. Imports no Keras, so that whoever asks needs none."""

from __future__ import annotations

from dataclasses import dataclass

from storage.records import Dataset, StoredFile, TrainingResult
from tasks.processes.messages import Job
from tasks.variants import Variant


@dataclass(frozen=True)
class TrainingParameters:
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


@dataclass(frozen=True)
class TrainingRequest:
    """One training.

    Attributes:
        variant: What to train.
        seed: Of the weights, the batch order and the dropout masks.
        parameters: Hyperparameters.
        padded: The padded reviews.
        minimal_pairs: Padded sentences for which the trained model's probabilities are kept too, or None.
        store: URI of the store.
        folder: Of the training's files, in the store.
        requested: Seconds since 1970, when it was asked for.
    """

    variant: Variant
    seed: int
    parameters: TrainingParameters
    padded: Dataset
    minimal_pairs: StoredFile | None
    store: str
    folder: str
    requested: float


# One thread each: several trainings share the machine, and a step is too small to be worth splitting.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
TRAINING = Job("tasks.training.training", TrainingRequest, TrainingResult, ENVIRONMENT, is_repeatable=True)
