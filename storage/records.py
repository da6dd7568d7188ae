"""The small records that steps hand each other and that manifests hold: addresses, hashes and counts, never arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal, get_args

from storage.bounds import Constraint, Count, Positive, Real, Sha256, Share, StorePath, Whole
from storage.decoding import decode_record

# Of reports.
Language = Literal["en", "ko"]
LANGUAGES: tuple[str, ...] = get_args(Language)

# Of what `run.json`, `training.json` and a dataset's manifest hold, and of a checkpoint. Whoever changes what a record
# means adds one here, and a function to `storage.upgrades`. A record without a format is of format 1.
RECORD_FORMAT = 2
CHECKPOINT_FORMAT = 1
RecordFormat = Annotated[int, Constraint(ge=1, le=RECORD_FORMAT)]

# A JSON object that is to be written, or that was read and not checked yet. Decode it into a record to use its values.
JsonObject = dict[str, object]
# By name, what a dataset is made from: parameters and version of the step, and hashes or keys of what the step reads.
Inputs = dict[str, str | int | float | None]
# By name, the numbers that all trainings of a run share: `TrainingParameters` of tasks/training.
Hyperparameters = dict[str, int | float]
# JSON that is only compared as a whole.
CheckpointKey = JsonObject


@dataclass(frozen=True)
class StoredFile:
    """One file of the store.

    Attributes:
        path: Relative to the store's root, with forward slashes.
        sha256: Of the whole file, 64 hexadecimal digits.
        bytes: Size of the file.
        rows: Rows of a Parquet file, None for other files.
    """

    path: StorePath
    sha256: Sha256
    bytes: Count
    rows: Count | None = None


@dataclass(frozen=True)
class Dataset:
    """What one step of the data preparation published, under a key made from what went in.

    Attributes:
        step: "download", "sample", "split", "pad" or "profile".
        key: 16 hexadecimal digits of the hash of `inputs`.
        inputs: Everything that determines the content, the step's own version among it.
        files: By part: "archive" and "word_index"; "train", "validation" and "test"; or "facts", "reviews" and
            "minimal_pairs".
        source: Where the reviews came from, for people to read.
    """

    step: str
    key: str
    inputs: Inputs
    files: dict[str, StoredFile]
    source: str
    format: RecordFormat = RECORD_FORMAT


@dataclass(frozen=True)
class Scores:
    """Loss (mean binary cross-entropy in nats) and accuracy (0 to 1) of one model on one part of the data.

    Attributes:
        loss_margin: Half-width of the 95% interval of the loss over reviews; None where it was not measured per review.
        count: Number of reviews.
    """

    loss: Real
    accuracy: Share
    loss_margin: Real | None
    count: Positive


@dataclass(frozen=True)
class TrainingResult:
    """One finished training: what `training.json` holds.

    Attributes:
        variant: Name of the variant.
        layers: The variant's recurrent layers, written out.
        seed: Of the initial weights, the batch order and the dropout masks.
        parameters: Hyperparameters that every training of the run shares.
        versions: Of Python and of the libraries that computed it.
        dataset: Key of the padded dataset.
        epochs: Epochs run.
        best_epoch: The epoch, from 1, whose weights were saved: the lowest val_loss.
        stopped_early: Whether early stopping ended the training.
        train: Keras's own running figures of the best epoch, measured while it trained, dropout on.
        validation: Of the saved model.
        test: Of the saved model.
        parameter_count: Trainable weights of the model.
        weights_sha256: Of all its weights, so that two trainings can be told to be the same bit for bit.
        seconds: Wall time by phase: "start" (process, imports, data), "fit", "predict" (the test reviews alone),
            "evaluate" (everything after "fit", "predict" among it), "total". Of the process that finished it, where an
            earlier one was interrupted.
        files: By name: "model.keras", "history.parquet", and "predictions-{validation,test,minimal_pairs}.parquet".
    """

    variant: str
    layers: str
    seed: Whole
    parameters: Hyperparameters
    versions: dict[str, str]
    dataset: str
    epochs: Whole
    best_epoch: Whole
    stopped_early: bool
    train: Scores
    validation: Scores
    test: Scores
    parameter_count: Whole
    weights_sha256: str
    seconds: dict[str, Real]
    files: dict[str, StoredFile] = field(default_factory=dict)
    format: RecordFormat = RECORD_FORMAT

    @property
    def name(self) -> str:
        return training_name(self.variant, self.seed)


@dataclass(frozen=True)
class Stopping:
    """What Keras's early stopping remembers, its weights apart, by the names of its attributes."""

    best: Real
    wait: Whole
    best_epoch: Whole


@dataclass(frozen=True)
class CheckpointRecord:
    """Where an unfinished training stood: what a checkpoint's manifest holds.

    Attributes:
        key: All that determines the training's bits.
        epoch: Epochs finished.
        stopping: What early stopping remembers.
        file: The arrays.
    """

    key: CheckpointKey
    epoch: Positive
    stopping: Stopping
    file: StoredFile
    format: Annotated[int, Constraint(ge=1, le=CHECKPOINT_FORMAT)] = CHECKPOINT_FORMAT


@dataclass(frozen=True)
class FailedTraining:
    """A training that ended without a model, and the last line of its error."""

    variant: str
    seed: Whole
    error: str

    @property
    def name(self) -> str:
        return training_name(self.variant, self.seed)


@dataclass(frozen=True)
class CodeVersion:
    """Which code ran.

    Attributes:
        commit: Of git, 40 hexadecimal digits; None where the project is no checkout.
        is_dirty: Whether files differed from that commit; None likewise.
    """

    commit: str | None = None
    is_dirty: bool | None = None


@dataclass(frozen=True)
class KnownParameters:
    """The run parameters that the project reads from a run's record. A record may have others, by its version.

    Attributes:
        variants: Names of the variants to train.
        seeds: Each variant is trained once with each.
        maxlen: Tokens per review; None if an older version did not record it.
        num_words: Size of the vocabulary; None if an older version did not record it.
        store: The store that was given; None if an older version did not record it.
        language: Of the report.
        baselines: Whether baselines are trained and predicted too.
    """

    variants: tuple[str, ...]
    seeds: tuple[Whole, ...]
    maxlen: Whole | None = None
    num_words: Whole | None = None
    store: str | None = None
    language: Language = "en"
    baselines: bool = False


@dataclass(frozen=True)
class Run:
    """One night: what the report is rendered from, and what `run.json` holds.

    Attributes:
        run_id: `YYYYMMDDTHHMMSSZ-xxxxxx`, so that names sort by time.
        started: UTC, ISO 8601, to the second.
        seconds: Wall time from the flow's start until the report was begun.
        source: Where the reviews came from.
        is_sample: Whether they are the built-in sample corpus.
        notice: What a reader has to know before anything else, or None.
        parameters: The flow's parameters.
        versions: Of Python and the libraries.
        datasets: By step.
        trainings: The finished ones.
        failures: The ones that failed, of the baselines too.
        report: The page, once it is written.
        step_seconds: Wall time of "archive", "split", "pad", "profile" and "train".
        baselines: Trainings that are there for scale and do not compete.
        evidence: What the report says, as data, once it is computed.
        code: Which code ran.
        cpu: The processor's name, and how many of them this process might use.
    """

    run_id: str
    started: str
    seconds: Real
    source: str
    is_sample: bool
    notice: str | None
    parameters: JsonObject
    versions: dict[str, str]
    datasets: dict[str, Dataset]
    trainings: tuple[TrainingResult, ...]
    failures: tuple[FailedTraining, ...]
    report: StoredFile | None = None
    step_seconds: dict[str, Real] = field(default_factory=dict)
    baselines: tuple[TrainingResult, ...] = ()
    evidence: StoredFile | None = None
    code: CodeVersion = CodeVersion()
    cpu: str = "not recorded"
    format: RecordFormat = RECORD_FORMAT

    @cached_property
    def known(self) -> KnownParameters:
        """The parameters that the project reads.

        Raises:
            DamagedFileError: A parameter has another type.
        """
        must = f"{self.run_id} must be a run with known parameters: parameters"
        return decode_record(KnownParameters, self.parameters, must, unknown="ignore")


def training_name(variant: str, seed: int) -> str:
    """Return the name of one training, as folders, logs and the report show it: `lstm-seed42`."""
    return f"{variant}-seed{seed}"
