"""Look at a run's predictions through one set of test reviews: the archive's, or the team's own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from reports.analysis.measurements import Bools, Measurements, Predictions
from reports.analysis.statistics import NORMAL_QUANTILE
from reports.evidence import LEAST_OWN_REVIEWS
from storage.datasets import read_json
from storage.records import Run, Scores, TrainingResult
from storage.store import Store
from tasks.data.shards.join import JoinFacts

OWN_PREFIX = "own-"


def read_join_facts(run: Run, store: Store) -> JoinFacts | None:
    """Return what was found while the own reviews were joined; None for a run without own reviews."""
    joined = run.datasets.get("join")
    if joined is None:
        return None
    facts: JoinFacts = read_json(store, joined.files["facts"], JoinFacts, "facts")
    return facts


def list_test_sets(run: Run, store: Store) -> tuple[str, ...]:
    """Return the names of the run's test sets, that of the verdict first: "own", and "imdb" or "sample"."""
    facts, archive = read_join_facts(run, store), run.datasets.get("archive")
    theirs = "sample" if archive is not None and archive.step == "sample" else "imdb"
    if facts is None:
        return (theirs,)
    if archive is None:
        return ("own",)
    if facts.parts["test"].reviews == 0 or facts.parts["validation"].reviews == 0:
        return (theirs,)
    return ("own", theirs) if facts.parts["test"].reviews >= LEAST_OWN_REVIEWS else (theirs, "own")


def view_set(measured: Measurements, name: str) -> Measurements:
    """Return the measurements on one test set alone. The run's trainings have its scores there."""
    return _view(measured, _is_of_set(measured.validation, name), _is_of_set(measured.test, name), name)


def _is_of_set(part: Predictions, name: str) -> Bools:
    is_own: Bools = np.char.startswith(part.review_ids.astype(str), OWN_PREFIX)
    return is_own if name == "own" else ~is_own


def _view(measured: Measurements, validation: Bools, test: Bools, name: str) -> Measurements:
    parts = measured.validation.select(validation), measured.test.select(test)

    def rescore(trainings: Collection[TrainingResult]) -> tuple[TrainingResult, ...]:
        return tuple(
            replace(one, validation=score(parts[0], one.name), test=score(parts[1], one.name)) for one in trainings
        )

    run = measured.run
    run = replace(run, trainings=rescore(run.trainings), baselines=rescore(run.baselines), test_set=name)
    return Measurements(run, *parts, measured.histories)


def rescore_test(run: Run, test: Predictions) -> Run:
    """Return a run whose trainings have their scores on some test reviews."""
    trainings = tuple(replace(one, test=score(test, one.name)) for one in run.trainings)
    return replace(run, trainings=trainings)


def score(part: Predictions, name: str) -> Scores:
    """Return the scores of one model on a part of the data, as its training computes them."""
    losses, hits = part.losses(name), part.is_correct(name)
    margin = NORMAL_QUANTILE * losses.std() / np.sqrt(len(losses))
    return Scores(float(losses.mean()), float(hits.mean()), float(margin), len(losses))
