"""Read the predictions of a run from the store, and compute the evidence; without Prefect and TensorFlow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reports.analysis.baseline_checks import check_baselines
from reports.analysis.comparison import (
    compare_pairs,
    compare_variants,
    list_curves,
    list_trainings,
)
from reports.analysis.errors import ReviewFacts, accuracy_where, find_errors
from reports.analysis.history import archive_of, build_history
from reports.analysis.measurements import Measurements, Predictions
from reports.evidence import Evidence
from reports.sections.comparison_section import BAG_OF_WORDS, MAJORITY
from reports.sections.data_section import Data, PartFacts
from storage.decoding import decode_json
from storage.records import Dataset, Run
from storage.runs import list_runs, read_run
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, padded_schema
from storage.store import DamagedFileError, Store
from tasks.data.pad import tokens_of
from tasks.data.profile import LENGTH_EDGES
from tasks.evaluation.baselines import predict_bag_of_words, predict_majority
from tasks.evaluation.pair_results import read_minimal_pairs
from tasks.evaluation.review_facts import read_input_sizes, read_review_facts


def evaluate_run(run: Run, store: Store) -> Evidence:
    """Return the evidence of a run whose trainings are done, from its files and the earlier runs in the store.

    Raises:
        DamagedFileError: A file of the run differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    measured = measure_run(run, store)
    profile = run.datasets.get("profile")
    facts = read_review_facts(run, profile, store) if profile and run.trainings else None
    trainings = measured.best_training_by_variant()
    return Evidence(
        comparison=compare_variants(measured),
        baseline_checks=check_baselines(measured),
        trainings=list_trainings(measured),
        pairs=compare_pairs(measured, measured.test),
        curves=list_curves(measured),
        errors=find_errors(measured, facts),
        minimal_pairs=read_minimal_pairs(run, trainings, store) if profile else None,
        data=_read_data(measured, trainings, profile, facts, store) if profile else None,
        history=build_history(run, *read_earlier_runs(run, store, measured)),
    )


def measure_run(run: Run, store: Store) -> Measurements:
    """Read the predictions and the history of every training, and predict with the baselines without epochs.

    Raises:
        DamagedFileError: A file differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    parts = {part: _read_predictions(run, part, store) for part in ("validation", "test")}
    histories = {}
    for training in (*run.trainings, *run.baselines):
        history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
        histories[training.name] = {name: history[name].to_pylist() for name in HISTORY_SCHEMA.names}
    if run.known.baselines and run.trainings:
        for name, predicted in _predict_untrained_baselines(run, store).items():
            for part, probabilities in predicted.items():
                parts[part].probabilities[name] = probabilities
    return Measurements(run, parts["validation"], parts["test"], histories)


def _read_predictions(run: Run, part: str, store: Store) -> Predictions:
    labels, probabilities, first = np.zeros(0, bool), {}, None
    for training in (*run.trainings, *run.baselines):
        table = store.read_table(training.files[f"predictions-{part}.parquet"], PREDICTION_SCHEMA)
        if first is None:
            first, labels = table, table["label"].to_numpy() == 1
        if not table["review_id"].equals(first["review_id"]):
            raise ValueError(f"All trainings must be tested on the same reviews. {training.name} was tested on others.")
        probabilities[training.name] = table["probability"].to_numpy().astype(np.float64)
    return Predictions(labels, probabilities)


def _predict_untrained_baselines(run: Run, store: Store) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Return by baseline and part the probabilities that the reviews are positive: float64, shape (reviews,)."""
    num_words, maxlen = read_input_sizes(run)
    schema = padded_schema(maxlen)
    padded = run.datasets.get("join") or run.datasets["pad"]
    tables = {part: store.read_table(padded.files[part], schema) for part in ("train", "validation", "test")}
    tokens = {part: tokens_of(table) for part, table in tables.items()}
    labels = tables["train"]["label"].to_numpy() == 1
    others = [part for part in tokens if part != "train"]
    majority = {part: predict_majority(labels, len(tokens[part])) for part in others}
    if labels.all() or not labels.any():
        # A logistic regression needs two classes.
        return {MAJORITY: majority}
    predicted = predict_bag_of_words((tokens["train"], labels), [tokens[part] for part in others], num_words)
    return {MAJORITY: majority, BAG_OF_WORDS: dict(zip(others, predicted, strict=True))}


def _read_data(
    measured: Measurements, trainings: dict[str, str], profile: Dataset, facts: ReviewFacts | None, store: Store
) -> Data:
    file = profile.files["facts"]
    parts = decode_json(dict[str, PartFacts], store.read_verified(file), f"{store.locate(file.path)} must hold counts")
    repeated = facts.is_in_training if facts else np.zeros(0, bool)
    without = accuracy_where(measured.test, trainings, ~repeated) if trainings else {}
    return Data(parts, LENGTH_EDGES, int(repeated.sum()), without)


def read_earlier_runs(run: Run, store: Store, measured: Measurements) -> tuple[list[Run], dict[str, tuple[int, int]]]:
    """Return the earlier runs on the same test reviews, and how the models of the previous run differ.

    Damaged records and predictions are skipped, so that an old run cannot prevent this run's report. `retrain verify`
    names them.

    Args:
        run: This run.
        store: The store that has the earlier runs.
        measured: The predictions of this run.

    Returns:
        The earlier runs, the oldest first. And by variant that both runs have, the number of test reviews that only the
        previous run's model classifies correctly, and the number that only this run's model does.
    """
    earlier = []
    for run_id in list_runs(store):
        if run_id < run.run_id:
            try:
                one = read_run(store, run_id)
            except DamagedFileError:
                continue
            if one.is_sample == run.is_sample and archive_of(one) == archive_of(run):
                earlier.append(one)
    if not earlier:
        return [], {}
    try:
        before = _read_predictions(earlier[-1], "test", store)
    except DamagedFileError:
        return earlier, {}
    return earlier, _count_discordant(Measurements(earlier[-1], before, before, {}), measured)


def _count_discordant(before: Measurements, now: Measurements) -> dict[str, tuple[int, int]]:
    if len(before.test.labels) != len(now.test.labels):
        return {}
    trainings, discordant = before.best_training_by_variant(), {}
    for variant, training in now.best_training_by_variant().items():
        if variant in trainings:
            old, new = before.test.is_correct(trainings[variant]), now.test.is_correct(training)
            discordant[variant] = (int((old & ~new).sum()), int((new & ~old).sum()))
    return discordant
