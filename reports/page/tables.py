"""Tables as data, for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """A table whose first column heads its rows.

    Attributes:
        caption: What it shows.
        header: One cell for each column.
        rows: Cells as text, as many as the header has.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart with its numbers.

    Attributes:
        name: Its anchor in the page.
        caption: What it shows, in a few words.
        svgs: One or more drawings.
        remarks: What is to be read in it, in sentences.
        numbers: The same in figures.
    """

    name: str
    caption: str
    svgs: tuple[Markup, ...]
    numbers: Table
    remarks: tuple[str, ...] = ()
