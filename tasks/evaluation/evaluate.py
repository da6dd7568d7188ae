"""Read the predictions of a run from the store, and compute the evidence; without Prefect and TensorFlow."""

from __future__ import annotations

from dataclasses import replace

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
from reports.analysis.history import build_history
from reports.analysis.measurements import Measurements
from reports.evidence import Evidence
from reports.sections.comparison_section import BAG_OF_WORDS, MAJORITY
from reports.sections.data_section import Data, PartFacts
from reports.sections.pairs_section import Pairs
from storage.datasets import read_json
from storage.records import Run
from storage.schemas import HISTORY_SCHEMA, padded_schema
from storage.store import Store
from tasks.data.pad import tokens_of
from tasks.data.profile import LENGTH_EDGES
from tasks.evaluation.baselines import predict_bag_of_words, predict_majority
from tasks.evaluation.earlier_runs import read_earlier_runs, read_promotions
from tasks.evaluation.own_facts import read_own_facts
from tasks.evaluation.own_summary import describe_own_reviews
from tasks.evaluation.pair_results import read_minimal_pairs
from tasks.evaluation.predictions import read_predictions
from tasks.evaluation.review_facts import read_input_sizes, read_review_facts
from tasks.evaluation.test_sets import list_test_sets, read_join_facts, view_set


def evaluate_run(run: Run, store: Store) -> Evidence:
    """Return the evidence of a run whose trainings are done, from its files and the earlier runs in the store.

    Raises:
        DamagedFileError: A file of the run differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    own = describe_own_reviews(run, store)
    if run.stopped:
        pairs = Pairs(planned=0, rows=(), withdrawn=(), reviews=0)
        history = build_history(run, [], {})
        return Evidence((), (), pairs, (), None, None, None, history, test_set=run.test_set, own_reviews=own)
    whole = measure_run(run, store)
    sets = list_test_sets(run, store)
    if len(sets) == 1:
        return replace(evaluate_set(whole, sets[0], store), own_reviews=own)
    main, other = (evaluate_set(view_set(whole, name), name, store) for name in sets)
    return replace(main, other=other, own_reviews=own)


def choose_test_set(run: Run, store: Store) -> Run:
    """Return the run with the scores of its trainings on the verdict's test set."""
    sets = list_test_sets(run, store)
    if run.stopped or len(sets) == 1 or not (run.trainings or run.baselines):
        return replace(run, test_set=sets[0])
    # The baselines without epochs have no scores in the run's record, so they are not predicted for this.
    validation, test = (read_predictions(run, part, store) for part in ("validation", "test"))
    return view_set(Measurements(run, validation, test, {}), sets[0]).run


def evaluate_set(measured: Measurements, name: str, store: Store) -> Evidence:
    """Return the evidence on one test set.

    Args:
        measured: The run and its predictions there.
        name: "own", "imdb" or "sample".
        store: The store that has the run.
    """
    run = measured.run
    facts = read_set_facts(run, name, store) if run.trainings else None
    trainings = measured.best_training_by_variant()
    return Evidence(
        test_set=name,
        comparison=compare_variants(measured),
        baseline_checks=check_baselines(measured),
        trainings=list_trainings(measured),
        pairs=compare_pairs(measured, measured.test),
        curves=list_curves(measured),
        errors=find_errors(measured, facts),
        minimal_pairs=read_minimal_pairs(run, trainings, store) if _has_profile(run) else None,
        data=_read_data(measured, trainings, name, facts, store) if _has_profile(run) else None,
        history=replace(build_history(run, *read_earlier_runs(run, store, measured)), promoted=read_promotions(store)),
    )


def _has_profile(run: Run) -> bool:
    return "profile" in run.datasets or "join" in run.datasets


def read_set_facts(run: Run, name: str, store: Store) -> ReviewFacts | None:
    """Return the properties of the test reviews of one set; None for a run that has none."""
    profile = run.datasets.get("profile")
    if name == "own":
        facts = read_own_facts(run, store)
    elif profile is None:
        return None
    else:
        facts = read_review_facts(run, profile, store)
    # Whoever keeps the texts out of the report keeps out those of all reviews.
    return facts if run.known.texts else replace(facts, decode=None)


def measure_run(run: Run, store: Store) -> Measurements:
    """Read the predictions and the history of every training, and predict with the baselines without epochs.

    Raises:
        DamagedFileError: A file differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    parts = {part: read_predictions(run, part, store) for part in ("validation", "test")}
    histories = {}
    for training in (*run.trainings, *run.baselines):
        history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
        histories[training.name] = {name: history[name].to_pylist() for name in HISTORY_SCHEMA.names}
    if run.known.baselines and run.trainings:
        for name, predicted in _predict_untrained_baselines(run, store).items():
            for part, probabilities in predicted.items():
                parts[part].probabilities[name] = probabilities
    return Measurements(run, parts["validation"], parts["test"], histories)


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
    measured: Measurements, trainings: dict[str, str], name: str, facts: ReviewFacts | None, store: Store
) -> Data | None:
    joined = read_join_facts(measured.run, store) if name == "own" else None
    if joined is not None:
        parts = joined.parts
    elif "profile" in measured.run.datasets:
        file = measured.run.datasets["profile"].files["facts"]
        parts = read_json(store, file, dict[str, PartFacts], "counts")
    else:
        return None
    repeated = facts.is_in_training if facts else np.zeros(0, bool)
    without = accuracy_where(measured.test, trainings, ~repeated) if trainings else {}
    near = facts.is_near_duplicate if facts and facts.is_near_duplicate is not None else np.zeros(0, bool)
    without_near = accuracy_where(measured.test, trainings, ~near) if trainings and near.any() else {}
    return Data(parts, LENGTH_EDGES, int(repeated.sum()), without, int(near.sum()), without_near)
