"""A team's own reviews: what was read, how it was assigned, and what was checked before anything was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from storage.bounds import Count, Real, Whole

Level = Literal["ok", "warning", "stop", "not checked"]


@dataclass(frozen=True)
class CheckResult:
    """One check of the reviews.

    Attributes:
        name: "rejected", "schema", "balance", "duplicates", "fewer", "lengths", "labels", "unknown words" or
            "new against old".
        level: "stop" if the run was stopped by it; "not checked" if there was nothing to compare with.
        value: What was measured; None if nothing was.
        warn_at: The value from which on there is a warning; None if a value does not decide.
        stop_at: The value from which on the run is stopped.
        critical: With PSI, what chance alone exceeds once in 20 times.
        words: Words that tell new reviews from old ones, or columns that changed.
        now: Number of reviews that the check is about.
        before: Number of reviews that they are compared with.
    """

    name: str
    level: Level
    value: Real | None = None
    warn_at: Real | None = None
    stop_at: Real | None = None
    critical: Real | None = None
    words: tuple[str, ...] = ()
    now: Whole | None = None
    before: Whole | None = None


@dataclass(frozen=True)
class FileFacts:
    """What was read from one source file.

    Attributes:
        name: Below the source.
        fingerprint: Size and time, which stand for the content.
        sha256: Of its bytes.
        layout: Format, encoding, separator and columns in words, for people.
        columns: The columns of texts and of labels.
        records: Records read.
        accepted: Reviews.
        rejected: Records that are none.
    """

    name: str
    fingerprint: str
    sha256: str
    layout: str
    columns: tuple[str, str]
    records: Count
    accepted: Count
    rejected: Count


@dataclass(frozen=True)
class OwnReviews:
    """The section on the team's own reviews.

    Attributes:
        source: Where they are.
        files: The source files; at most some dozens are shown.
        file_count: How many files there are.
        gone: Names of the files that an earlier run read and that are no longer there.
        records: Records read from all files.
        labels: By label, as the files write it: how many reviews have it.
        meaning: By label: "negative", "positive" or "left out".
        rejected: Number of rejected records by reason.
        method: "hash", "time" or "given".
        cutoff: With "time", from when on reviews are test reviews; else "".
        parts: Number of reviews by part: "train", "validation", "test".
        repeats: Reviews whose text an earlier one has too.
        conflicting: Reviews whose text another one has with the other label.
        moved_out: Reviews left out because the test part has their text.
        leaks: With "given": reviews outside the test part whose text the test part has.
        in_archive: Reviews left out because the archive has them.
        near_duplicates: Test reviews that nearly repeat a review of another part.
        compared: How many reviews were compared for that.
        tokens: What the texts are taken apart into.
        vocabulary: "imdb" or "built".
        checks: The checks, in the order in which they were made.
    """

    source: str
    files: tuple[FileFacts, ...]
    file_count: Count
    gone: tuple[str, ...]
    records: Count
    labels: dict[str, Count]
    meaning: dict[str, str]
    rejected: dict[str, Count]
    method: str
    cutoff: str
    parts: dict[str, Count]
    repeats: Count
    conflicting: Count
    moved_out: Count
    leaks: Count
    in_archive: Count
    near_duplicates: Count
    compared: Count
    tokens: str
    vocabulary: str
    checks: tuple[CheckResult, ...]
