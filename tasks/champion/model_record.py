"""Describe a trained model for the log of champions: its identity, its encoder, its files and some of its outputs."""

from __future__ import annotations

import hashlib

import numpy as np

from storage.champion_records import REFERENCES, ChampionModel, ModelEncoder, References, identify_model
from storage.records import Run, StoredFile, TrainingResult
from storage.runs import run_folder
from storage.schemas import PREDICTION_SCHEMA, padded_schema
from storage.store import DamagedFileError, Store
from tasks.data.encoding.encoder import VERSION, Encoder, read_encoder_record
from tasks.data.pad import tokens_of


def describe_encoder(run: Run, store: Store) -> ModelEncoder:
    """Return the encoder of a run's models.

    With IMDB alone texts are not normalised, so that IMDB's own texts give the archive's tokens.

    Raises:
        DamagedFileError: A file is damaged, or the run's record lacks a size.
    """
    num_words, maxlen = run.known.num_words, run.known.maxlen
    if num_words is None or maxlen is None:
        raise DamagedFileError(f"{run.run_id} must have recorded `num_words` and `maxlen`, and has not.")
    dataset, archive = run.datasets.get("encoder"), run.datasets.get("archive")
    if dataset is not None:
        one = read_encoder_record(store, dataset)
        vocabulary = dataset.files["vocabulary"]
        return ModelEncoder(one.kind, one.normalisation, one.tokens, num_words, maxlen, vocabulary, one.version)
    index = archive.files.get("word_index") if archive else None
    kind = "imdb" if index else "ranks"
    return ModelEncoder(kind, "none", "words", num_words, maxlen, index, VERSION)  # type: ignore[arg-type]


def make_encoder(encoder: ModelEncoder, vocabulary: StoredFile) -> Encoder:
    """Return the encoder that a model's description stands for."""
    return Encoder(
        encoder.kind,  # type: ignore[arg-type]  # "ranks" has no vocabulary
        encoder.normalisation,  # type: ignore[arg-type]  # checked where texts are encoded
        encoder.tokens,  # type: ignore[arg-type]  # likewise
        encoder.num_words,
        vocabulary.sha256,
        encoder.version,
    )


def identify_training(run: Run, training: TrainingResult, store: Store) -> str:
    """Return the identity of a training's model."""
    encoder = describe_encoder(run, store)
    return identify_model(training.weights_sha256, training.layers, _embedding_dim(training), encoder)


def _embedding_dim(training: TrainingResult) -> int:
    return int(training.parameters.get("embedding_dim", 0))


def find_training(run: Run, name: str) -> TrainingResult:
    """Return a finished training of a variant of a run.

    Raises:
        ValueError: The run has no such training, or it failed, or the run's reviews are made up.
    """
    if run.is_sample:
        raise ValueError(
            f"`RUN_ID` must be a run on real reviews. {run.run_id} trained on the sample corpus, which never becomes "
            "a champion."
        )
    found = [training for training in run.trainings if training.name == name]
    if found:
        return found[0]
    if any(failure.name == name for failure in run.failures):
        raise ValueError(f"`TRAINING` must have a model. {name} of {run.run_id} failed.")
    names = ", ".join(training.name for training in run.trainings) or "none"
    raise ValueError(f"`TRAINING` must be one of {run.run_id}: {names}. Received: {name}.")


def find_padded(run: Run) -> dict[str, StoredFile]:
    """Return the padded reviews that a run's trainings read, by part."""
    dataset = run.datasets.get("join") or run.datasets["pad"]
    return {part: dataset.files[part] for part in ("train", "validation", "test")}


def describe_model(run: Run, training: TrainingResult, store: Store) -> ChampionModel:
    """Return the description of a model, whose files are verified.

    Raises:
        DamagedFileError: A file is missing or damaged.
    """
    files = {**training.files, **_name_run(run, store)}
    for file in files.values():
        store.verify(file)
    encoder = describe_encoder(run, store)
    if encoder.vocabulary:
        store.verify(encoder.vocabulary)
    return ChampionModel(
        identity=identify_training(run, training, store),
        run_id=run.run_id,
        training=training.name,
        variant=training.variant,
        layers=training.layers,
        embedding_dim=_embedding_dim(training),
        weights_sha256=training.weights_sha256,
        encoder=encoder,
        files=files,
        validation_loss=training.validation.loss,
        test_accuracy=training.test.accuracy,
        test_reviews=training.test.count,
        references=take_references(run, training, store),
    )


def _name_run(run: Run, store: Store) -> dict[str, StoredFile]:
    """Return the record of `run.json`, whose hash the log keeps; empty for a run that is not published yet."""
    path = f"{run_folder(run.run_id)}/run.json"
    if not store.exists(path):
        return {}
    content = store.read_bytes(path)
    return {"run": StoredFile(path, hashlib.sha256(content).hexdigest(), len(content))}


def take_references(run: Run, training: TrainingResult, store: Store) -> References:
    """Return inputs and outputs of a model: test reviews, evenly spread, and what its training predicted for them."""
    padded = store.read_table(find_padded(run)["test"], padded_schema(describe_encoder(run, store).maxlen))
    predicted = store.read_table(training.files["predictions-test.parquet"], PREDICTION_SCHEMA)
    if not padded["review_id"].equals(predicted["review_id"]):
        raise DamagedFileError(f"{training.name} of {run.run_id} must have predicted the run's test reviews, in order.")
    rows = np.unique(np.linspace(0, len(padded) - 1, min(REFERENCES, len(padded))).astype(int))
    tokens = tokens_of(padded)[rows]
    probabilities = predicted["probability"].to_numpy()[rows]
    return References(
        tuple(tuple(int(token) for token in row) for row in tokens.tolist()),
        tuple(float(value) for value in probabilities),
    )
