"""Tables and charts as data for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """A table; its first column holds the row headers.

    Attributes:
        caption: What the table shows.
        header: One cell for each column.
        rows: Cells as text, in each row as many as in the header.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart with its numbers.

    Attributes:
        name: Its `id` in the page.
        caption: What it shows, in a few words.
        svgs: One or more `<svg>` elements.
        remarks: Sentences that describe the chart.
        numbers: The same figures as a table.
        is_wide: Whether it is wider than a phone.
    """

    name: str
    caption: str
    svgs: tuple[Markup, ...]
    numbers: Table
    remarks: tuple[str, ...] = ()
    is_wide: bool = False
