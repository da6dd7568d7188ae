"""The records that steps return and that manifests hold: paths, hashes and counts, never arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal, get_args

from storage.bounds import Constraint, Count, Positive, Real, Sha256, Share, StorePath, Whole
from storage.decoding import decode_record

# Languages of the report.
Language = Literal["en", "ko"]
LANGUAGES: tuple[str, ...] = get_args(Language)

# The format of run.json, of training.json and of the manifests of datasets; a record without a format has format 1. To
# change the meaning of a record, raise this and add a function to `storage.upgrades`.
RECORD_FORMAT = 2
RecordFormat = Annotated[int, Constraint(ge=1, le=RECORD_FORMAT)]

# A JSON object that is to be written, or that was read and not checked yet. Decode it into a record to use its values.
JsonObject = dict[str, object]
# What a dataset is made from, by name: parameters and version of the step, and hashes or keys of what the step reads.
Inputs = dict[str, str | int | float | None]
# The numbers that all trainings of a run share, by name; see `TrainingParameters` in tasks/training.
Hyperparameters = dict[str, int | float]


@dataclass(frozen=True)
class StoredFile:
    """One file of the store.

    Attributes:
        path: Relative to the store, with forward slashes.
        sha256: Of the whole file, 64 hexadecimal digits.
        bytes: Size of the file.
        rows: Rows of a Parquet file; None for other files.
    """

    path: StorePath
    sha256: Sha256
    bytes: Count
    rows: Count | None = None


@dataclass(frozen=True)
class Dataset:
    """The result of one step of the data preparation.

    Attributes:
        step: "download", "sample", "split", "pad" or "profile".
        key: The first 16 hexadecimal digits of the SHA-256 of `inputs`.
        inputs: Everything that determines the content, including the step's version.
        files: By part: "archive" and "word_index"; "train", "validation" and "test"; or "facts", "reviews" and
            "minimal_pairs".
        source: Where the reviews came from, for people.
    """

    step: str
    key: str
    inputs: Inputs
    files: dict[str, StoredFile]
    source: str
    format: RecordFormat = RECORD_FORMAT


@dataclass(frozen=True)
class Scores:
    """The scores of one model on one part of the data.

    Attributes:
        loss: Mean binary cross-entropy in nats.
        accuracy: 0 to 1.
        loss_margin: Half-width of the 95% interval of the loss over reviews; None if the losses of the single reviews
            are not known.
        count: Number of reviews.
    """

    loss: Real
    accuracy: Share
    loss_margin: Real | None
    count: Positive


@dataclass(frozen=True)
class TrainingResult:
    """One finished training; `training.json` holds it.

    Attributes:
        variant: Name of the variant.
        layers: The variant's layers as text.
        seed: Of the initial weights, the batch order and the dropout masks.
        parameters: The hyperparameters.
        versions: Of Python and of the libraries that computed it, by name.
        dataset: Key of the padded dataset.
        epochs: Epochs that were run.
        best_epoch: The epoch with the lowest val_loss, from 1. Its weights were saved.
        stopped_early: Whether early stopping ended the training.
        train: Keras's running figures of the best epoch: measured during training, with dropout.
        validation: Scores of the saved model; in `run.json` those on the reviews of the run's test set.
        test: The same on the test reviews.
        parameter_count: Number of the model's trainable parameters.
        weights_sha256: Of all its weights; equal if two models are the same bit for bit.
        seconds: Wall time by phase: "start" (process, imports, data), "fit", "predict" (the test reviews alone),
            "evaluate" (everything after "fit", including "predict"), "total". If the training was interrupted, those
            of the process that finished it.
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
class FailedTraining:
    """A training without a model.

    Attributes:
        error: The last line of its error.
        log: The end of what its process wrote to standard error; "" if nothing is known.
    """

    variant: str
    seed: Whole
    error: str
    log: str = ""

    @property
    def name(self) -> str:
        return training_name(self.variant, self.seed)


@dataclass(frozen=True)
class CodeVersion:
    """The version of the project's code.

    Attributes:
        commit: Of git, 40 hexadecimal digits; None if the project is not a git checkout.
        is_dirty: Whether files differed from that commit; None if the project is not a git checkout.
    """

    commit: str | None = None
    is_dirty: bool | None = None


@dataclass(frozen=True)
class KnownParameters:
    """The parameters of a run that the project reads. A run's record may have others, depending on its version.

    Attributes:
        variants: Names of the variants to train.
        seeds: Each variant is trained once with each.
        maxlen: Tokens per review; None if it was not recorded.
        num_words: Size of the vocabulary; None if it was not recorded.
        store: The store's address; None if it was not recorded.
        language: Of the report.
        baselines: Whether baselines are trained and predicted too.
        texts: Whether the report may show texts.
    """

    variants: tuple[str, ...]
    seeds: tuple[Whole, ...]
    maxlen: Whole | None = None
    num_words: Whole | None = None
    store: str | None = None
    language: Language = "en"
    baselines: bool = False
    texts: bool = True


@dataclass(frozen=True)
class Run:
    """One execution of the flow; `run.json` holds it, and the report is rendered from it.

    Attributes:
        run_id: `YYYYMMDDTHHMMSSZ-xxxxxx`, so that names sort by time.
        started: In UTC, ISO 8601, to the second.
        seconds: Wall time from the start of the flow to the start of the report.
        source: Where the reviews came from.
        is_sample: Whether the reviews are the built-in sample corpus.
        notice: A warning at the top of the report, or None.
        parameters: The flow's parameters, to show and compare them. Read values from `known`.
        versions: Of Python and of the libraries, by name.
        datasets: By step.
        trainings: The finished trainings of the variants.
        failures: The failed trainings, including those of the baselines.
        report: The page; None until it is written.
        step_seconds: Wall time of "archive", "split", "pad", "profile" and "train".
        baselines: The finished trainings of the baselines, for comparison only.
        evidence: The content of the report as data; None until it is computed.
        code: The version of the project's code.
        cpu: The processor's name, and how many CPUs the process could use.
        test_set: The test reviews that the scores and the verdict are about: "imdb", "sample" or "own".
        stopped: Why the run was stopped before it trained, a sentence for each reason; empty if it trained.
        gone_files: Names of own source files that the last run read and that are no longer there.
        decision: The gate's decision as data; None if the gate did not look at the run.
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
    test_set: str = "imdb"
    stopped: tuple[str, ...] = ()
    gone_files: tuple[str, ...] = ()
    decision: StoredFile | None = None
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
    """Return the name of a training in folders, logs and the report: `lstm-seed42`."""
    return f"{variant}-seed{seed}"
