"""Match later labels with scored reviews, and count how many of a champion's answers were right, week by week."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from storage.feedback_records import FeedbackWeek
from storage.text import on_one_line
from tasks.data.reading.columns import normalise_name
from tasks.data.reading.labels import choose_labels
from tasks.data.reading.rejects import read_dates

ID, LABEL, CREATED = "review_id", "label", "created_at"


@dataclass(frozen=True)
class Matched:
    """Labels that were matched with scored reviews.

    Attributes:
        identity: Of the model that scored them.
        scored: Reviews in the scored file.
        labels: Labels in the file of labels.
        weeks: The matched reviews by week.
        unmatched: Labels whose review is not in the scored file, or was not scored.
        left_out: Labels that the map leaves out.
        has_dates: Whether weeks are those in which the reviews were written, and not of the scored file.
    """

    identity: str
    scored: int
    labels: int
    weeks: tuple[FeedbackWeek, ...]
    unmatched: int
    left_out: int
    has_dates: bool

    @property
    def matched(self) -> int:
        return sum(week.labelled for week in self.weeks)


def match_labels(labels: Path, scored: Path, label_map: str | None) -> Matched:
    """Match two files by `review_id`.

    Args:
        labels: CSV, JSON lines or Parquet with `review_id` and `label`, perhaps `created_at`.
        scored: What `retrain predict` wrote, with `review_id`, perhaps `created_at`.
        label_map: As for a run.

    Raises:
        ValueError: A file cannot be read or lacks a column, an id stands twice, the labels need a map, or the reviews
            were scored by several models.
    """
    given = read_columns(labels, (ID, LABEL), (CREATED,))
    answers = read_columns(scored, (ID, "predicted", "model_identity"), (CREATED,))
    identities = sorted(set(answers["model_identity"]))
    if len(identities) != 1:
        raise ValueError(f"{scored.name} must be scored by one model. Received: {len(identities)} of them.")
    predicted = dict(zip(answers[ID], answers["predicted"], strict=True))
    for name, ids in ((labels.name, given[ID]), (scored.name, answers[ID])):
        _check_different(name, ids)
    codes = choose_labels(Counter(given[LABEL]), label_map)
    # The label's own date is the better one; a file without dates counts as of the week in which it was written.
    dates = _find_dates(given, answers, scored)
    counted: dict[str, list[int]] = {}
    unmatched = left_out = 0
    for identifier, label in zip(given[ID], given[LABEL], strict=True):
        said, code = predicted.get(identifier), codes[label]
        if code is None:
            left_out += 1
        elif not said:
            unmatched += 1
        else:
            week = counted.setdefault(dates(identifier), [0, 0])
            week[0] += 1
            week[1] += (said == "positive") == (code == 1)
    weeks = tuple(FeedbackWeek(week, *counts) for week, counts in sorted(counted.items()))
    has_dates = CREATED in given or CREATED in answers
    return Matched(identities[0], len(answers[ID]), len(given[ID]), weeks, unmatched, left_out, has_dates)


def _check_different(name: str, ids: list[str]) -> None:
    repeated = [one for one, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ValueError(
            f"{name} must have each review_id once. Received: {len(repeated):,} more than once, such as "
            f"{on_one_line(repr(repeated[0]))}."
        )


def _find_dates(given: dict[str, list[str]], answers: dict[str, list[str]], scored: Path) -> Callable[[str], str]:
    """Return a function that gives the first day of a review's week."""
    for columns in (given, answers):
        if CREATED in columns:
            stamps = read_dates(pa.array(columns[CREATED], pa.string())).to_pylist()
            known = {one: stamp for one, stamp in zip(columns[ID], stamps, strict=True) if stamp is not None}
            return lambda identifier: _begin_week(known[identifier]) if identifier in known else "unknown"
    written = _begin_week(datetime.fromtimestamp(scored.stat().st_mtime, UTC))
    return lambda _identifier: written


def _begin_week(moment: datetime) -> str:
    return (moment.date() - timedelta(days=moment.weekday())).isoformat()


def read_columns(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, list[str]]:
    """Return columns of a CSV, JSON lines or Parquet file as texts, "" for null, by their usual names.

    Raises:
        ValueError: The file cannot be read, or lacks a column that is needed.
    """
    try:
        table = _read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path} must be CSV, JSON lines or Parquet. Received: {on_one_line(error)}") from error
    named = {normalise_name(name): name for name in table.column_names}
    if missing := [name for name in needed if name not in named]:
        raise ValueError(
            f"{path.name} must have the columns {', '.join(needed)}. Received: none called {', '.join(missing)}, but "
            f"{on_one_line(', '.join(table.column_names))}."
        )
    found = [name for name in (*needed, *optional) if name in named]
    columns = {name: table[named[name]].to_pylist() for name in found}
    return {name: ["" if one is None else str(one).strip() for one in values] for name, values in columns.items()}


def _read_table(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.suffix in (".jsonl", ".json"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        names = dict.fromkeys(name for row in rows for name in row)
        return pa.table({name: pa.array([_as_text(row.get(name)) for row in rows], pa.string()) for name in names})
    with path.open(encoding="utf-8-sig", newline="") as lines:
        columns = next(csv.reader(lines), [])
    kinds = dict.fromkeys(columns, pa.string())
    return pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True))


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)
