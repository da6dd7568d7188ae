"""Gather what the report says of a team's own reviews from the datasets of a run."""

from __future__ import annotations

from reports.sections.own_reviews_section import OwnReviews
from storage.records import Run
from storage.store import Store
from tasks.data.checks.check_reviews import read_checks, read_summary
from tasks.data.encoding.encoder import read_encoder_record
from tasks.evaluation.test_sets import read_join_facts

FILES_SHOWN = 40


def describe_own_reviews(run: Run, store: Store) -> OwnReviews | None:
    """Return the section on the run's own reviews; None if it has none.

    Raises:
        DamagedFileError: A file differs from what was published.
    """
    if "assign" not in run.datasets:
        return None
    assigned = run.datasets["assign"]
    summary, joined = read_summary(store, assigned), read_join_facts(run, store)
    encoder, parts = read_encoder_record(store, run.datasets["encoder"]), summary.parts
    counts = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    if joined is not None:
        counts = {part: facts.reviews for part, facts in joined.parts.items()}
    return OwnReviews(
        source=assigned.source,
        files=summary.files[-FILES_SHOWN:],
        file_count=len(summary.files),
        gone=run.gone_files,
        records=summary.records,
        labels=summary.labels,
        meaning=summary.meaning,
        rejected=summary.rejected,
        method=parts.method,
        cutoff=parts.cutoff,
        parts=counts,
        repeats=parts.repeats,
        conflicting=parts.conflicting,
        moved_out=parts.moved_out,
        leaks=parts.leaks,
        in_archive=joined.in_archive if joined else 0,
        near_duplicates=joined.near_duplicates if joined else 0,
        compared=joined.compared if joined else 0,
        tokens=encoder.tokens,
        vocabulary=encoder.kind,
        checks=read_checks(store, run.datasets["check"]) if "check" in run.datasets else (),
    )
