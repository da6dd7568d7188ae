"""Render the list of all runs as one page."""

from __future__ import annotations

from collections.abc import Sequence

from reports.page.language import Language
from reports.page.rendering import render
from reports.sections.history_section import RunSummary


def render_index(runs: Sequence[tuple[RunSummary, bool]], damaged: Sequence[str], language_code: str) -> str:
    """Return the page: one row for each run, the newest first.

    Args:
        runs: Each run, and whether it used the sample corpus; the oldest first.
        damaged: Ids of the runs whose record cannot be read.
        language_code: "en" or "ko".
    """
    newest_first = list(reversed(runs))
    variants = list(dict.fromkeys(name for run, _ in newest_first for name in run.figures))
    return render("index.html.j2", Language(language_code), runs=newest_first, damaged=damaged, variants=variants)
