"""Runs whose models can become champions, without Keras: a model is a file with an answer for each review."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa

from storage.champion_records import Author
from storage.datasets import publish_dataset
from storage.records import Run, Scores, StoredFile, TrainingResult
from storage.runs import publish_run
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, padded_schema
from storage.store import Store
from tasks.champion.clean_process import CleanJob, CleanProcessError
from tasks.champion.promotion import Reason
from tasks.data import pad, profile, sample, split
from tasks.data.pad import tokens_of
from tests.example_runs import HISTORY, a_run, a_training
from tests.splits import RECIPE
from tests.trainings import ignore

MAXLEN = 40
BY_ME = Author("person", "ada", "laptop")


def because(why: str = "a good reason", **changes) -> Reason:
    """Return a reason of a person at the terminal."""
    return Reason(why, BY_ME, **changes)


def prepare_datasets(store: Store, reviews: int = 400):
    """Publish the datasets of a run on made-up reviews that count as real ones: half of them are the test part."""
    root = store.uri
    archive = sample.main(sample.SampleRequest(reviews, root, "datasets/download-x"), ignore)
    whole: dict[str, StoredFile] = {}
    for part in ("train", "test"):
        whole |= split.main(split.SplitRequest(part, archive["archive"], "x", RECIPE, root, "datasets/split-x"), ignore)
    padded = pad.main(pad.PadRequest(whole, MAXLEN, root, "datasets/pad-x"), ignore)
    request = profile.ProfileRequest(
        archive["archive"], archive["word_index"], "x", whole, 500, MAXLEN, root, "datasets/profile-x"
    )
    profiled = profile.main(request, ignore)
    files = {"download": archive, "split": whole, "pad": padded, "profile": profiled}
    return {
        {"download": "archive"}.get(step, step): publish_dataset(
            store, step, {"version": 1, "x": step}, part, "imdb.npz"
        )
        for step, part in files.items()
    }


def answer(labels, accuracy: float, sureness: float = 0.8, shift: int = 0):
    """Return probabilities that are right on a share of the reviews, those first that stand at `shift`."""
    right = np.roll(np.arange(len(labels)) < round(accuracy * len(labels)), shift)
    return np.where(labels == right, sureness, 1 - sureness).astype(np.float32)


def publish_model(
    store: Store, run_id: str, datasets, name: str, seed: int, probabilities, weights: str, val_loss: float
):
    """Write a training whose model answers the test reviews as given."""
    training = a_training(name, val_loss, 0, seed=seed)
    folder = f"runs/{run_id}/{training.name}"
    table = store.read_table(datasets["pad"].files["test"], padded_schema(MAXLEN))
    said = pa.table([table["review_id"], table["label"], pa.array(probabilities)], schema=PREDICTION_SCHEMA)
    by_tokens = {row.tobytes().hex(): float(p) for row, p in zip(tokens_of(table), probabilities, strict=True)}
    history = pa.table(HISTORY | {"seconds": [1.0, 1.0, 1.0]}).select(HISTORY_SCHEMA.names).cast(HISTORY_SCHEMA)
    files = {
        "model.keras": store.write_bytes(f"{folder}/model.keras", json.dumps(by_tokens).encode()),
        "history.parquet": store.write_table(f"{folder}/history.parquet", history),
        "predictions-test.parquet": store.write_table(f"{folder}/predictions-test.parquet", said),
        "predictions-validation.parquet": store.write_table(f"{folder}/predictions-validation.parquet", said),
        "predictions-minimal_pairs.parquet": store.write_table(
            f"{folder}/pairs.parquet", _answer_pairs(store, datasets)
        ),
    }
    labels = table["label"].to_numpy() == 1
    accuracy = float(((probabilities > 0.5) == labels).mean())
    return replace(
        training,
        files=files,
        weights_sha256=weights * 64,
        parameters={"embedding_dim": 16},
        test=Scores(0.44, accuracy, 0.01, len(labels)),
        validation=Scores(val_loss, accuracy, 0.01, len(labels)),
    )


def _answer_pairs(store: Store, datasets) -> pa.Table:
    table = store.read_table(datasets["profile"].files["minimal_pairs"], padded_schema(MAXLEN))
    said = pa.array(np.full(len(table), 0.6, np.float32))
    return pa.table([table["review_id"], table["label"], said], schema=PREDICTION_SCHEMA)


def publish_champion_run(store: Store, datasets, run_id: str, *trainings: TrainingResult, **changes) -> Run:
    """Publish a run without evidence and page."""
    run = a_run(
        *trainings,
        run_id=run_id,
        started=f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T02:00:00Z",
        datasets=datasets,
        **changes,
    )
    run = replace(run, parameters={**run.parameters, "maxlen": MAXLEN})
    publish_run(store, run)
    return run


class AnsweringProcess:
    """Stands in for the clean process: it looks the answers up in the made-up model."""

    def __init__(self, jobs) -> None:
        self.jobs = jobs

    def finish(self):
        return [self._answer(job) for job in self.jobs]

    def close(self) -> None:
        pass

    def _answer(self, job: CleanJob):
        try:
            answers = json.loads(job.model)
        except ValueError as error:
            return CleanProcessError(f"{job.name} must load and predict in a process without this project: {error}")
        return np.array([answers[row.tobytes().hex()] for row in job.tokens])
