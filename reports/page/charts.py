"""Drawings by Matplotlib as inline SVG: in the page's font, in colours for light and dark, with no styles inside."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# At least 3:1 against both the light and the dark page, and told apart by people who see no red or no green; each has
# a line and a marker of its own beside, so that nothing hangs on colour.
COLOURS = ("#2a78c2", "#c9541c", "#1f8a66", "#9a5fb5", "#8a7a1e", "#6b7a8a")
LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# Matplotlib has no "whatever the page's text colour is": this one is replaced by it.
INK = "#010203"
SETTINGS: Any = {"svg.fonttype": "none", "font.size": 10.0, "axes.linewidth": 0.6, "text.parse_math": False}
# 72 points an inch: small enough for its text to be read on a telephone, and the page enlarges it elsewhere.
WIDTH, HEIGHT = 4.0, 2.7
LONGEST_NAME = 24
# What the `<svg>` element or SVG itself says already.
ALREADY_SO = {("stroke-linejoin", "round"), ("stroke-linecap", "butt"), ("text-anchor", "start")}
SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Style:
    """How one variant is drawn, in all charts alike."""

    colour: str
    line: Any
    marker: str


def styles_of(names: list[str]) -> dict[str, Style]:
    """Return a style for each name, by its place."""
    return {
        name: Style(COLOURS[place % len(COLOURS)], LINES[place % len(LINES)], MARKERS[place % len(MARKERS)])
        for place, name in enumerate(names)
    }


@dataclass
class Drawing:
    """Axes to draw on, and the `<svg>` once `draw` has left its block."""

    axes: Axes
    svg: Markup = field(default_factory=Markup)


@contextmanager
def draw(name: str, title: str, description: str, *, left: float = 0.15) -> Iterator[Drawing]:
    """Give axes to draw on, and leave the drawing's `<svg>` in `Drawing.svg`.

    The same drawing gives the same text.

    Args:
        name: Of letters, digits and hyphens; ids inside begin with it.
        title: What is shown, read out by screen readers.
        description: What is to be seen in it, likewise.
        left: Share of the width that is kept for the labels of the vertical axis.
    """
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's font draws the text, whether or not Matplotlib's own has its letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH, HEIGHT))
        figure.subplots_adjust(left=left, right=0.97, top=0.96, bottom=0.18)
        drawing = Drawing(figure.add_subplot())
        drawing.axes.spines[["top", "right"]].set_visible(False)
        drawing.axes.grid(color=INK, alpha=0.12, linewidth=0.5)
        yield drawing
        axes = drawing.axes
        axes.tick_params(colors=INK, width=0.6)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color(INK)
        for spine in axes.spines.values():
            spine.set_color(INK)
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    drawing.svg = _inline(buffer.getvalue(), name, title, description)


def show_legend(axes: Axes, **options: Any) -> None:
    """Name the lines, in the page's ink."""
    settings: Any = {"frameon": False, "labelcolor": INK, "fontsize": 9, "handlelength": 2.6, **options}
    axes.legend(**settings)


def _inline(svg: str, name: str, title: str, description: str) -> Markup:
    """Return the `<svg>` element alone, with attributes for styles, which the page's security policy lets pass."""
    # Matplotlib's own text, in which every label is escaped.
    root = ET.fromstring(svg)  # noqa: S314
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{SVG}metadata", f"{SVG}style") or _shows_nothing(child):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        _replace_style(element)
        if element.tag == "g":
            element.attrib.pop("id", None)
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        if XLINK in element.attrib:
            element.set("href", element.attrib.pop(XLINK))
        for attribute in ("d", "x", "y", "points", "transform", "width", "height"):
            if attribute in element.attrib:
                element.set(attribute, _shorten(element.attrib[attribute]))
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib.clear()
    inner = "".join(ET.tostring(child, encoding="unicode") for child in root)
    inner = re.sub(r">\s+<", "><", inner).replace(INK, "currentColor").replace("  L ", "L").replace(" />", "/>")
    # Groups only named what they held.
    inner = re.sub(r"<g>|</g>", "", inner) if "<g " not in inner else inner
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{0}-t {0}-d" viewBox="0 0 {1} {2}" '
        'width="{1}" height="{2}" stroke-linejoin="round" font-family="sans-serif">'
        '<title id="{0}-t">{3}</title><desc id="{0}-d">{4}</desc>{5}</svg>'
    ).format(
        name, f"{float(width):.0f}", f"{float(height):.0f}", escape(title), escape(description), Markup(inner.strip())
    )


def _shows_nothing(element: ET.Element) -> bool:
    """Return whether it holds a stylesheet alone, or is the path of a transparent background."""
    if element.tag == f"{SVG}defs":
        return len(element) == 1 and element[0].tag == f"{SVG}style"
    return element.tag == f"{SVG}path" and element.get("style") == "fill: none"


def _replace_style(element: ET.Element) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            element.set("font-size", value.split()[0])
        elif name == "font-family":
            # The page's.
            continue
        elif name and (name, value) not in ALREADY_SO:
            element.set(name, value)


def _shorten(numbers: str) -> str:
    """Return coordinates with one digit after the point, a fifteenth of a millimetre.

    Example:
        >>> _shorten("M 12.345678 0.96 L 7.04 8")
        'M 12.3 1 L 7 8'
    """
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers)


def plain(name: str) -> str:
    r"""Return a name as a drawing can hold it: XML has no control characters, and a legend has no room for a long one.

    Example:
        >>> plain("lstm\x00"), plain("a_variant_with_a_very_long_name")
        ('lstm?', 'a_variant_with_a_very_l…')
    """
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in short)
