"""Render the list of all runs as one page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from reports.page.conclusion import BROKEN, CALM, Tone
from reports.page.language import Language
from reports.page.rendering import render
from reports.page.scale import Scale
from reports.sections.history_section import RunSummary

# Of the newest runs, how many the small chart above the list shows.
SPARK_RUNS = 60


class ListedRun(NamedTuple):
    """One run of the list.

    Attributes:
        summary: Its main figures.
        is_sample: Whether it used the sample corpus.
        changed: Kinds of what changed since the run before on the same test reviews: "data", "code", ...
        before: The accuracy of that run's best variant; None if there is none.
    """

    summary: RunSummary
    is_sample: bool
    changed: tuple[str, ...]
    before: float | None

    @property
    def accuracy(self) -> float | None:
        """Return the mean test accuracy of the best variant; None if a training failed."""
        best = self.summary.best
        return self.summary.figures[best].accuracy if best else None

    @property
    def change(self) -> float | None:
        """Return the accuracy minus that of the run before."""
        return self.accuracy - self.before if self.accuracy is not None and self.before is not None else None

    @property
    def tone(self) -> Tone:
        """Return the kind of the outcome."""
        return BROKEN if self.summary.best is None else CALM


def render_index(runs: Sequence[ListedRun], damaged: Sequence[str], language_code: str) -> str:
    """Return the page: the runs in groups of a month, the newest first.

    Args:
        runs: The oldest first.
        damaged: Ids of the runs whose record cannot be read.
        language_code: "en" or "ko".
    """
    language = Language(language_code)
    months = [
        (language.month(month), list(of_month))
        for month, of_month in groupby(reversed(runs), key=lambda run: run.summary.started[:7])
    ]
    kinds = {
        "data": language.gettext("data"),
        "code": language.gettext("code"),
        "parameter": language.gettext("parameters"),
        "version": language.gettext("versions"),
        "machine": language.gettext("machine"),
    }
    return render("index.html.j2", language, months=months, damaged=damaged, kinds=kinds, spark=trace_accuracies(runs))


def trace_accuracies(runs: Sequence[ListedRun]) -> str:
    """Return the accuracies of the newest runs as the points of a line, 0 to 100 each way; "" for fewer than two."""
    known = [run.accuracy for run in runs[-SPARK_RUNS:] if run.accuracy is not None]
    if len(known) < 2:
        return ""
    across, up = Scale(0, len(known) - 1), Scale(min(known), max(known))
    points = [(across.place(index), 100 - float(up.place(value))) for index, value in enumerate(known)]
    return " ".join(f"{x},{y:.1f}" for x, y in points)
