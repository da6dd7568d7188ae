"""Render the list of all nights as one page."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence import Night
from reports.page.language import Language
from reports.page.rendering import render


def render_index(nights: Sequence[tuple[Night, bool]], damaged: Sequence[str], language: str) -> str:
    """Return the page: one line a night, the newest first.

    Args:
        nights: Each with whether its reviews were the sample corpus, the oldest first.
        damaged: Ids of runs whose record cannot be read.
        language: "en" or "ko".
    """
    variants = list(dict.fromkeys(name for night, _ in reversed(nights) for name in night.figures))
    return render(
        "index.html.j2", Language(language), nights=list(reversed(nights)), damaged=damaged, variants=variants
    )
