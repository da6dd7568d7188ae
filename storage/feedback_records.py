"""What later labels say of a champion: how many of its answers were right, week by week."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated

from storage.bounds import Constraint, Count, Sha256
from storage.champion_log import ChampionLog
from storage.decoding import decode_record
from storage.manifests import seal_manifest
from storage.store import DamagedFileError

FEEDBACK_FORMAT = 1


@dataclass(frozen=True)
class FeedbackWeek:
    """The labelled reviews of one week.

    Attributes:
        week: Its first day, ISO 8601.
        labelled: Reviews with a label.
        right: Of them, how many the champion had right.
    """

    week: str
    labelled: Count
    right: Count


@dataclass(frozen=True)
class Feedback:
    """One set of later labels.

    Attributes:
        identity: Of the model that had scored the reviews.
        run_id: Its run.
        training: Its training.
        when: When the labels were matched: UTC, ISO 8601, to the second.
        scored: Reviews in the scored file.
        weeks: The labelled ones by week, the oldest first.
    """

    identity: Sha256
    run_id: str
    training: str
    when: str
    scored: Count
    weeks: tuple[FeedbackWeek, ...]
    format: Annotated[int, Constraint(ge=1, le=FEEDBACK_FORMAT)] = FEEDBACK_FORMAT


def record_feedback(log: ChampionLog, feedback: Feedback) -> str:
    """Write a set of labels beside the log; return its path. The same set is written once."""
    content = seal_manifest(asdict(feedback))
    name = hashlib.sha256(seal_manifest({**asdict(feedback), "when": ""})).hexdigest()[:12]
    path = f"{log.folder}/feedback/{name}.json"
    log.store.write_bytes(path, content)
    return path


def read_newest_feedback(log: ChampionLog, identity: str) -> Feedback | None:
    """Return the newest set of labels for a model; None if there is none. Damaged ones are passed over."""
    found = []
    for path in log.store.list_files(f"{log.folder}/feedback"):
        with suppress(DamagedFileError, FileNotFoundError):
            must = f"{log.store.locate(path)} must hold feedback"
            one = decode_record(Feedback, log.store.read_manifest(path), must)
            found += [one] if one.identity == identity else []
    return max(found, key=lambda one: one.when, default=None)
