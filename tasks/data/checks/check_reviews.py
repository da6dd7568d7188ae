"""Check a team's reviews before anything is trained on them. Runs in a child process, which frees its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.sections.own_reviews_section import CheckResult, Level
from storage.datasets import read_json
from storage.records import Dataset, StoredFile
from storage.schemas import ASSIGNMENT_SCHEMA, SAMPLE_SCHEMA
from storage.store import Store
from tasks.data.checks.drift import (
    LEAST_REVIEWS,
    MOST_REVIEWS,
    count_in_bins,
    critical_stability,
    population_stability,
    tell_apart,
)
from tasks.data.parts.assignment import LEFT_OUT, TRAIN
from tasks.data.shards.assign import AssignmentSummary
from tasks.data.shards.join import read_counts
from tasks.data.shards.shard import Shard
from tasks.processes.messages import Event, Job, get_adapter

# Raise it when the same reviews give other results than before.
VERSION = 1
Thresholds = tuple[float, float]
SIDES = ("negative", "positive")


@dataclass(frozen=True)
class CheckThresholds:
    """When to warn and when to stop, a pair for each check.

    Attributes:
        rejected: Share of rejected records; both are the same: more stops the run.
        balance: Share of the rarer label; below.
        duplicates: Share of reviews whose text an earlier one has.
        fewer: Share of the last run's reviews by which there are fewer.
        drift: Population stability index of lengths and of labels.
        unknown_words: Rise of the share of unknown words.
        new_against_old: Area under the ROC curve of a classifier of new against old.
    """

    rejected: Thresholds
    balance: Thresholds
    duplicates: Thresholds
    fewer: Thresholds
    drift: Thresholds
    unknown_words: Thresholds
    new_against_old: Thresholds


@dataclass(frozen=True)
class CheckRequest:
    """The request to check the reviews.

    Attributes:
        shards: The shards of the source.
        encoded: The same, encoded.
        assigned: The dataset of their parts.
        before: The dataset of the parts in the last run that trained on this source; None for the first.
        thresholds: When to warn and when to stop.
        texts: Whether words of the reviews may be shown.
        store: URI of the store.
        folder: For the new file, in the store.
    """

    shards: tuple[Shard, ...]
    encoded: tuple[Dataset, ...]
    assigned: Dataset
    before: Dataset | None
    thresholds: CheckThresholds
    texts: bool
    store: str
    folder: str


def read_summary(store: Store, assigned: Dataset) -> AssignmentSummary:
    """Return what became of the records of all source files."""
    summary: AssignmentSummary = read_json(store, assigned.files["summary"], AssignmentSummary, "a summary")
    return summary


def read_checks(store: Store, dataset: Dataset) -> tuple[CheckResult, ...]:
    """Return the results that the checks left."""
    checks: tuple[CheckResult, ...] = read_json(store, dataset.files["checks"], tuple[CheckResult, ...], "checks")
    return checks


def rate(value: float, limits: Thresholds, *, below: bool = False, critical: float = 0.0) -> Level:
    """Return the level of a value.

    Args:
        value: What was measured.
        limits: When to warn, and when to stop.
        below: Whether small values are bad.
        critical: Smaller values may be chance.

    Example:
        >>> rate(0.3, (0.1, 0.5)), rate(0.01, (0.2, 0.02), below=True)
        ('warning', 'stop')
    """
    warn, stop = limits
    if below:
        return "stop" if value < stop else "warning" if value < warn else "ok"
    if value <= critical:
        return "ok"
    return "stop" if value > stop else "warning" if value > warn else "ok"


def check_counts(
    now: AssignmentSummary, before: AssignmentSummary | None, limits: CheckThresholds
) -> list[CheckResult]:
    """Return the checks that need counts alone: rejected records, schema, balance, duplicates, number."""
    rejected = sum(now.rejected.values()) / max(1, now.records)
    # A rare label is judged by the reviews that have it, whatever part they are in.
    sides = [sum(now.labels[label] for label, side in now.meaning.items() if side == name) for name in SIDES]
    reviews, rarer = sum(sides), min(sides) / max(1, sum(sides))
    repeats = now.parts.repeats / max(1, reviews)
    results = [
        CheckResult("rejected", rate(rejected, limits.rejected), rejected, *limits.rejected, now=now.records),
        _check_schema(now, before),
        CheckResult(
            "balance",
            "stop" if not rarer else rate(rarer, limits.balance, below=True),
            rarer,
            *limits.balance,
            now=reviews,
        ),
        CheckResult("duplicates", rate(repeats, limits.duplicates), repeats, *limits.duplicates, now=reviews),
    ]
    if before is None:
        return [*results, CheckResult("fewer", "not checked", None, *limits.fewer, now=now.records)]
    missing = max(0.0, 1 - now.records / max(1, before.records))
    level = rate(missing, limits.fewer)
    return [*results, CheckResult("fewer", level, missing, *limits.fewer, now=now.records, before=before.records)]


def _check_schema(now: AssignmentSummary, before: AssignmentSummary | None) -> CheckResult:
    """Return whether the files have the columns that they had in the last run."""
    if before is None:
        return CheckResult("schema", "not checked")
    old, new = (sorted({column for file in one.files for column in file.columns}) for one in (before, now))
    return CheckResult("schema", "ok" if old == new else "warning", words=() if old == new else (*old, "→", *new))


def check_drift(request: CheckRequest, store: Store, assignment: pa.Table) -> list[CheckResult]:
    """Return the checks of the reviews that were added since the last run against those that it trained on."""
    limits, before = request.thresholds, request.before
    limits_by_check = {
        "lengths": limits.drift,
        "labels": limits.drift,
        "unknown words": limits.unknown_words,
        "new against old": limits.new_against_old,
    }
    unchecked = [CheckResult(name, "not checked", None, *pair) for name, pair in limits_by_check.items()]
    if before is None:
        return unchecked
    known = store.read_table(before.files["assignment"], ASSIGNMENT_SCHEMA)
    keys, known_keys = (table["key"].cast(pa.binary()).combine_chunks() for table in (assignment, known))
    trained = known_keys.filter(pa.array(known["part"].to_numpy() == TRAIN))
    is_new = ~pc.is_in(keys, known_keys).to_numpy(zero_copy_only=False) & (assignment["part"].to_numpy() != LEFT_OUT)
    is_old = pc.is_in(keys, trained).to_numpy(zero_copy_only=False)
    new, old = int(is_new.sum()), int(is_old.sum())
    results = unchecked if min(new, old) < LEAST_REVIEWS else _compare(request, store, assignment, is_old, is_new)
    return [replace(result, now=new, before=old) for result in results]


def _compare(
    request: CheckRequest,
    store: Store,
    assignment: pa.Table,
    is_old: npt.NDArray[np.bool_],
    is_new: npt.NDArray[np.bool_],
) -> list[CheckResult]:
    """Return what tells the new reviews from the old ones: lengths, labels, unknown words, and all their words.

    Args:
        request: The request.
        store: The store that has the shards.
        assignment: Of `ASSIGNMENT_SCHEMA`.
        is_old: Whether each of its reviews was trained on before.
        is_new: Whether each of them was added since.
    """
    limits, counts = request.thresholds, read_counts(store, request.encoded, assignment)
    words, labels = counts["words"].to_numpy(), assignment["label"].to_numpy().astype(np.int64)
    unknown = counts["unknown"].to_numpy()
    binned = count_in_bins(words[is_old], words[is_new])
    sides = np.bincount(labels[is_old], minlength=2), np.bincount(labels[is_new], minlength=2)
    shares = [unknown[mask].sum() / max(1, words[mask].sum()) for mask in (is_old, is_new)]
    rise = float(shares[1] - shares[0])
    keys = assignment["key"].cast(pa.binary()).combine_chunks()
    auc, telling = tell_apart(*_sample_texts(store, request.shards, keys, is_old, is_new))
    return [
        _judge_stability("lengths", binned, limits.drift),
        _judge_stability("labels", sides, limits.drift),
        CheckResult("unknown words", rate(rise, limits.unknown_words), rise, *limits.unknown_words),
        CheckResult(
            "new against old",
            rate(auc, limits.new_against_old),
            auc,
            *limits.new_against_old,
            words=telling if request.texts else (),
        ),
    ]


def _judge_stability(
    name: str, binned: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], limits: Thresholds
) -> CheckResult:
    value = population_stability(*binned)
    critical = critical_stability(int(binned[0].sum()), int(binned[1].sum()), max(2, len(binned[0])))
    return CheckResult(name, rate(value, limits, critical=critical), value, *limits, critical=critical)


def _sample_texts(
    store: Store,
    shards: Sequence[Shard],
    keys: pa.Array,
    is_old: npt.NDArray[np.bool_],
    is_new: npt.NDArray[np.bool_],
) -> tuple[list[str], list[str]]:
    """Return some of the old and some of the new texts: those with the lowest keys, which are a random sample."""
    old, new = keys.filter(pa.array(is_old)), keys.filter(pa.array(is_new))
    found: tuple[list[pa.Table], list[pa.Table]] = ([], [])
    for shard in shards:
        sample = store.read_table(shard.dataset.files["sample"], SAMPLE_SCHEMA).select(["key", "text"])
        names = sample["key"].cast(pa.binary())
        for tables, wanted in zip(found, (old, new), strict=True):
            tables.append(sample.filter(pc.is_in(names, wanted)).slice(0, MOST_REVIEWS))
    texts = []
    for tables in found:
        table = pa.concat_tables(tables)
        lowest = pc.sort_indices(table["key"].cast(pa.binary()))[:MOST_REVIEWS]
        texts.append(table["text"].take(lowest).to_pylist())
    return texts[0], texts[1]


def main(request: CheckRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Publish the "checks" as JSON."""
    store = Store(request.store)
    assignment = store.read_table(request.assigned.files["assignment"], ASSIGNMENT_SCHEMA)
    before = read_summary(store, request.before) if request.before else None
    results = check_counts(read_summary(store, request.assigned), before, request.thresholds)
    results += check_drift(request, store, assignment)
    written: bytes = get_adapter(tuple[CheckResult, ...]).dump_json(tuple(results))
    return {"checks": store.write_bytes_by_hash(f"{request.folder}/checks-{{sha}}.json", written)}


# The classifier needs scikit-learn, which others leave out.
JOB = Job(__name__, CheckRequest, dict[str, StoredFile], leaves_out=("pandas", "matplotlib"))
