"""Gather what a challenger and a champion are compared on: the reviews, their kinds, and the minimal pairs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reports.analysis.errors import ReviewFacts, slice_masks
from reports.analysis.gate_checks import Contest, Part
from reports.analysis.measurements import Bools, Floats
from reports.evidence import Evidence
from reports.sections.errors_section import ShownReview
from storage.champion_log import ChampionLog
from storage.champion_records import ChampionModel, ChampionRecord
from storage.looks import YEAR
from storage.records import Run, TrainingResult
from storage.runs import read_run
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA
from storage.store import Store
from tasks.champion.test_reviews import read_learned, read_test_reviews
from tasks.data import minimal_pairs
from tasks.evaluation.evaluate import read_set_facts
from tasks.evaluation.test_sets import OWN_PREFIX

FLIPS_SHOWN = 5


@dataclass(frozen=True)
class ContestReviews:
    """The test reviews of a run, and what is known of both models there.

    Attributes:
        ids: All test reviews of the run's test set, in the order of its predictions.
        labels: bool, shape (reviews,): whether each is positive.
        challenger: float64, shape (reviews,): the challenger's probabilities.
        used: bool, shape (reviews,): those that are compared: each text once, none that the champion was trained on.
        repeated: How many are left out because another has the same text.
        left_out: How many are left out because the champion was trained on them.
        name: SHA-256 of the set of those that are used.
        parts: Kinds of reviews, with masks over the used ones.
        pairs: Whether each model passes each minimal pair that both know; None if there are none.
        challenger_pairs: Whether the challenger passes each pair that it knows.
        champion_pairs: The same of the champion.
        seed_disagreement: Share of reviews on which two seeds of the champion's recipe disagree; None if unknown.
        champion_milliseconds: The champion's time to predict 1,000 reviews.
        champion_curve: Validation loss of each epoch of the champion's training.
        new_reviews: Reviews that only the challenger was trained on; None if they were not counted.
        facts: Properties of all reviews.
    """

    ids: npt.NDArray[np.str_]
    labels: Bools
    challenger: Floats
    used: Bools
    repeated: int
    left_out: int
    name: str
    parts: tuple[tuple[Part, Bools], ...]
    pairs: tuple[Bools, Bools] | None
    challenger_pairs: Bools | None
    champion_pairs: Bools | None
    seed_disagreement: float | None
    champion_milliseconds: float | None
    champion_curve: tuple[float, ...]
    new_reviews: int | None
    facts: ReviewFacts | None

    def describe(self) -> dict[str, Any]:
        """Return the fields of a `Decision` that say what was compared."""
        return {
            "reviews": int(self.used.sum()),
            "repeated": self.repeated,
            "left_out": self.left_out,
            "new_reviews": self.new_reviews,
        }


def read_test_predictions(run: Run, training: TrainingResult, store: Store) -> pa.Table:
    """Return a training's predictions on the run's test set, `run.test_set`, as a table of `PREDICTION_SCHEMA`."""
    table = store.read_table(training.files["predictions-test.parquet"], PREDICTION_SCHEMA)
    ids = np.array(table["review_id"].to_pylist(), str)
    return table.filter(pa.array(np.char.startswith(ids, OWN_PREFIX) == (run.test_set == "own")))


def read_contest_reviews(
    run: Run,
    evidence: Evidence,
    challenger: TrainingResult,
    champion: ChampionModel | None,
    store: Store,
    *,
    counts_new: bool = False,
) -> ContestReviews:
    """Read the test reviews of a run for a challenger and a champion.

    Args:
        run: The run.
        evidence: Its evidence.
        challenger: Its best training.
        champion: The champion; None if there is none.
        store: The store that has both.
        counts_new: Whether to count the reviews that only the challenger was trained on.

    Raises:
        DamagedFileError: A file of the run, or of the champion's run, is missing or damaged.
        FileNotFoundError: The champion's run is gone.
    """
    table = read_test_predictions(run, challenger, store)
    ids, labels = np.array(table["review_id"].to_pylist(), str), table["label"].to_numpy() == 1
    probabilities = table["probability"].to_numpy().astype(np.float64)
    if not np.isfinite(probabilities).all():
        raise ValueError(f"{challenger.name} must predict probabilities. Received: NaN.")
    reviews = read_test_reviews(run, ids, store, champion.encoder if champion else None)
    theirs = read_run(store, champion.run_id) if champion else None
    learned = read_learned(theirs, store) if theirs else None
    known = learned.knows(reviews) if learned else np.zeros(len(ids), bool)
    used = np.zeros(len(ids), bool)
    used[np.flatnonzero(~known)[reviews.select(~known).first_of_each]] = True
    facts = read_set_facts(run, evidence.test_set, store)
    mine = _read_pairs(challenger, store)
    trained = theirs.trainings if theirs else ()
    before = next((one for one in trained if champion and one.name == champion.training), None)
    other = _read_pairs(before, store) if before else {}
    shared = sorted(set(mine) & set(other))
    return ContestReviews(
        ids=ids,
        labels=labels,
        challenger=probabilities,
        used=used,
        repeated=int((~known).sum() - used.sum()),
        left_out=int(known.sum()),
        name=reviews.select(used).name_reviews(),
        parts=_list_parts(facts, labels, used),
        pairs=(_as_marks(mine, shared), _as_marks(other, shared)) if shared else None,
        challenger_pairs=_as_marks(mine, sorted(mine)) if mine else None,
        champion_pairs=_as_marks(other, sorted(other)) if other else None,
        seed_disagreement=_find_disagreement(champion.variant, (run, theirs), store) if champion and theirs else None,
        champion_milliseconds=predict_milliseconds(before) if before else None,
        champion_curve=_read_curve(before, store) if before else (),
        new_reviews=read_learned(run, store).count_more_than(learned) if learned and counts_new else None,
        facts=facts,
    )


def predict_milliseconds(training: TrainingResult) -> float | None:
    """Return the mean time in which a training's model predicted 1,000 reviews; None if it was not recorded."""
    seconds = training.seconds.get("predict")
    return None if seconds is None else 1e6 * seconds / training.test.count


def _read_curve(training: TrainingResult, store: Store) -> tuple[float, ...]:
    history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
    return tuple(history["val_loss"].to_pylist())


def _list_parts(facts: ReviewFacts | None, labels: Bools, used: Bools) -> tuple[tuple[Part, Bools], ...]:
    parts: list[tuple[Part, Bools]] = [(("label", float(label), None), labels == bool(label)) for label in (0, 1)]
    parts += [((by, low, high), mask) for by, low, high, mask in (slice_masks(facts) if facts else ())]
    return tuple((part, mask[used]) for part, mask in parts if mask[used].any())


def _read_pairs(training: TrainingResult, store: Store) -> dict[str, bool]:
    """Return by minimal pair whether a model passes it; empty if it was not asked any."""
    file = training.files.get("predictions-minimal_pairs.parquet")
    if file is None:
        return {}
    table = store.read_table(file, PREDICTION_SCHEMA)
    said = dict(zip(table["review_id"].to_pylist(), table["probability"].to_pylist(), strict=True))
    categories = {pair.identifier: pair.category for pair in minimal_pairs.PAIRS}
    names = dict.fromkeys(name.rpartition("/")[0] for name in said)
    return {
        name: minimal_pairs.has_passed(categories[name], said[f"{name}/first"], said[f"{name}/second"])
        for name in names
        if name in categories
    }


def _as_marks(passed: dict[str, bool], names: list[str]) -> Bools:
    return np.array([passed[name] for name in names], bool)


def _find_disagreement(variant: str, runs: tuple[Run, Run], store: Store) -> float | None:
    """Return the mean share of test reviews on which two seeds of a variant disagree, from the first run that tells."""
    for run in runs:
        trainings = [one for one in run.trainings if one.variant == variant]
        if len(trainings) > 1:
            tables = [store.read_table(one.files["predictions-test.parquet"], PREDICTION_SCHEMA) for one in trainings]
            classes = [table["probability"].to_numpy() > 0.5 for table in tables]
            return float(np.mean([(one != other).mean() for one, other in combinations(classes, 2)]))
    return None


def show_flips(reviews: ContestReviews, contest: Contest) -> tuple[ShownReview, ...]:
    """Return the negative flips whose probability of the right label fell most, as readable reviews."""
    if reviews.facts is None or reviews.facts.decode is None:
        return ()
    lost = contest.was_right & ~contest.is_right
    fall = np.where(lost, np.abs(contest.challenger - contest.champion), -1.0)
    order = np.argsort(-fall, kind="stable")[:FLIPS_SHOWN]
    places = np.flatnonzero(reviews.used)
    return tuple(
        ShownReview(
            str(reviews.ids[places[index]]),
            bool(contest.labels[index]),
            {"champion": float(contest.champion[index]), "challenger": float(contest.challenger[index])},
            *reviews.facts.decode(int(places[index])),
        )
        for index in order.tolist()
        if lost[index]
    )


def find_anchor(log: ChampionLog, record: ChampionRecord) -> tuple[int, ChampionModel] | None:
    """Return the best champion of the last 365 days by its test accuracy, and the number of its record.

    Returns:
        None if that is the current one. Blocked models are passed over: they were left for a reason.
    """
    since = (datetime.now(UTC) - YEAR).strftime("%Y-%m-%dT%H:%M:%SZ")
    best = (record.number, record.champion)
    for entry in log.walk_back(record.number):
        model = entry.record.champion
        is_better = model and (best[1] is None or model.test_accuracy > best[1].test_accuracy)
        if model and is_better and not record.is_blocked(model.identity):
            best = (entry.record.number, model)
        if entry.record.when < since:
            # It was in use when the year began.
            break
    number, model = best
    if model is None or record.champion is None or model.identity == record.champion.identity:
        return None
    return number, model


def find_number(log: ChampionLog, record: ChampionRecord) -> int:
    """Return the number of the record since which the current champion is in use."""
    number = record.number
    for entry in log.walk_back(record.number):
        champion = entry.record.champion
        if champion is None or record.champion is None or champion.identity != record.champion.identity:
            break
        number = entry.record.number
    return number
