"""Colours, lines and markers of the variants, the same in all charts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

# Each has a contrast of at least 3:1 with the light and the dark page. Readers who see no red, no green or no blue can
# tell any two apart. Lines and markers differ as well, so that no information depends on colour.
COLOURS = ("#5588ee", "#ff5511", "#995533", "#9900ff", "#998888", "#6677aa")
LINES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# Training and validation are no variants. With more variants than colours, those without a colour are of this grey too.
GREY, DARK_GREY = "#8a9099", "#6b7178"


@dataclass(frozen=True)
class Style:
    """Colour, line and marker of one variant."""

    colour: str
    line: Any
    marker: str


def assign_styles(names: Sequence[str], emphasized: Collection[str] = ()) -> dict[str, Style]:
    """Return a style for each name, by its index. With more names than colours, only some have a colour.

    Args:
        names: The variants, in the order of the run.
        emphasized: The names that keep a colour if there are too many.
    """
    styles = {
        name: Style(COLOURS[index % len(COLOURS)], LINES[index % len(LINES)], MARKERS[index % len(MARKERS)])
        for index, name in enumerate(names)
    }
    if len(names) <= len(COLOURS):
        return styles
    chosen = [name for name in names if name in emphasized][: len(COLOURS)]
    grey = {name: Style(GREY, "-", ".") for name in names}
    return grey | {name: Style(COLOURS[index], LINES[index], MARKERS[index]) for index, name in enumerate(chosen)}
