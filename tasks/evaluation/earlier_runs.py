"""Find the earlier runs that were tested on the same reviews as a run, and compare it with the last of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from reports.analysis.history import RUNS_SHOWN, CommonReviews, shares_reviews
from reports.analysis.measurements import Measurements
from storage.champion_log import ChampionLog, list_names
from storage.damage import DamagedFileError
from storage.records import Run
from storage.runs import list_runs, read_run
from storage.store import Store
from tasks.evaluation.predictions import read_predictions
from tasks.evaluation.test_sets import list_test_sets, rescore_test, view_set


def read_earlier_runs(
    run: Run, store: Store, measured: Measurements
) -> tuple[list[Run], dict[str, tuple[int, int]], CommonReviews | None]:
    """Return the earlier runs on the same test reviews, and how the models of the previous run differ.

    Damaged records and predictions are skipped, so that an old run cannot prevent this run's report. `retrain verify`
    names them.

    Args:
        run: This run, as it is seen on one of its test sets.
        store: The store that has the earlier runs.
        measured: The predictions of this run on that test set.

    Returns:
        The earlier runs, the oldest first, with their scores on that test set. By variant that both runs have, the
        number of test reviews that only the previous run's model classifies correctly, and the number that only this
        run's model does. And both runs on the test reviews that both have; None if all are the same.
    """
    found = [one for run_id in list_runs(store) if run_id < run.run_id and (one := _find_run(run_id, run, store))]
    # Older runs are only counted.
    shown = [_rescore(one, run.test_set, store) for one in found[1 - RUNS_SHOWN :]]
    earlier = [*found[: 1 - RUNS_SHOWN], *(one for one in shown if one is not None)]
    if not earlier:
        return [], {}, None
    try:
        test = read_predictions(earlier[-1], "test", store)
    except DamagedFileError:
        return earlier, {}, None
    if len(list_test_sets(earlier[-1], store)) > 1:
        test = view_set(Measurements(earlier[-1], test, test, {}), run.test_set).test
    ids = measured.test.review_ids
    shared, *places = np.intersect1d(test.review_ids.astype(str), ids.astype(str), return_indices=True)
    if not len(shared):
        return earlier, {}, None
    before = Measurements(earlier[-1], test, test.select(places[0]), {})
    now = replace(measured, test=measured.test.select(places[1]))
    discordant = _count_discordant(before, now)
    if len(shared) == len(ids) == len(test.review_ids):
        return earlier, discordant, None
    common = CommonReviews(rescore_test(before.run, before.test), rescore_test(now.run, now.test), len(shared))
    return earlier, discordant, common


def read_promotions(store: Store) -> dict[str, tuple[str, ...]]:
    """Return by run the trainings that were promoted. A damaged log ends the list; `retrain verify` names it."""
    found: dict[str, tuple[str, ...]] = {}
    for name in list_names(store):
        with suppress(ValueError, FileNotFoundError):
            for entry in ChampionLog(store, name).walk_back():
                record = entry.record
                if record.action == "promote":
                    found[record.run_id] = (*found.get(record.run_id, ()), record.training)
    return found


def _find_run(run_id: str, run: Run, store: Store) -> Run | None:
    """Return an earlier run if it was tested on the same reviews too, on whichever set its own verdict rests."""
    try:
        one = read_run(store, run_id)
        if one.is_sample != run.is_sample or one.stopped:
            return None
        if one.test_set != run.test_set and run.test_set not in list_test_sets(one, store):
            return None
    except DamagedFileError:
        return None
    return one if shares_reviews(replace(one, test_set=run.test_set), run) else None


def _rescore(one: Run, test_set: str, store: Store) -> Run | None:
    """Return a run with its scores on a test set; None if its predictions are damaged."""
    if one.test_set == test_set:
        return one
    try:
        validation, test = (read_predictions(one, part, store) for part in ("validation", "test"))
    except DamagedFileError:
        return None
    return view_set(Measurements(one, validation, test, {}), test_set).run


def _count_discordant(before: Measurements, now: Measurements) -> dict[str, tuple[int, int]]:
    """Return by variant of both runs how many reviews only one of its two models classifies correctly.

    Args:
        before: The previous run and its predictions on some test reviews.
        now: This run and its predictions on the same reviews, in the same order.
    """
    trainings, discordant = before.best_training_by_variant(), {}
    for variant, training in now.best_training_by_variant().items():
        if variant in trainings:
            old, new = before.test.is_correct(trainings[variant]), now.test.is_correct(training)
            discordant[variant] = (int((old & ~new).sum()), int((new & ~old).sum()))
    return discordant
