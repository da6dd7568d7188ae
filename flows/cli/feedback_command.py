"""`retrain feedback`: what later labels say of the champion's answers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from flows.cli.exit_codes import ALL_WELL
from reports.analysis.statistics import wilson_interval
from storage.champion_log import ChampionLog
from storage.champion_records import ChampionModel
from storage.feedback_records import Feedback, record_feedback
from storage.store import Store
from storage.store_address import choose_store
from tasks.prediction.feedback import Matched, match_labels


def run_feedback_command(options: argparse.Namespace) -> int:
    """Match labels with scored reviews, print the champion's accuracy by week, and keep it for the next report.

    Returns:
        The exit code.

    Raises:
        ValueError: The files do not fit together, or were scored by a model that never was the champion.
        OSError: A file or the store cannot be read.
    """
    store = Store(choose_store(options.store))
    store.check_readable()
    log = ChampionLog(store, options.champion)
    matched = match_labels(Path(options.labels), Path(options.scored), options.label_map)
    model = _find_model(log, matched.identity)
    if not matched.matched:
        raise ValueError(
            f"{options.labels} must have labels of reviews in {options.scored}. Received: {matched.labels:,} labels, "
            "none of which is of one that was scored."
        )
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    feedback = Feedback(matched.identity, model.run_id, model.training, when, matched.scored, matched.weeks)
    record_feedback(log, feedback)
    _print(matched, feedback, as_json=options.json)
    return ALL_WELL


def _find_model(log: ChampionLog, identity: str) -> ChampionModel:
    for entry in log.walk_back():
        if entry.record.champion and entry.record.champion.identity == identity:
            return entry.record.champion
    raise ValueError(
        f"The reviews must be scored by a model that is or was the champion {log.name}. Received: {identity[:12]}, "
        "which never was."
    )


def _print(matched: Matched, feedback: Feedback, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**asdict(feedback), "unmatched": matched.unmatched, "left_out": matched.left_out}))
        return
    print(
        f"{feedback.training} of {feedback.run_id}: {matched.matched:,} of {matched.scored:,} scored reviews have a "
        "label now. Late labels are a selected sample."
    )
    for week in feedback.weeks:
        one = wilson_interval(week.right, week.labelled)
        print(f"  week of {week.week}: {one.estimate:.1%} right ({one.low:.1%}–{one.high:.1%}) of {week.labelled:,}")
    if not matched.has_dates:
        print("  The files have no created_at, so the week is that in which the reviews were scored.")
    if matched.unmatched or matched.left_out:
        print(f"  {matched.unmatched:,} labels have no scored review, {matched.left_out:,} are left out by the map")
