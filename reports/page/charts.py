"""Draw with Matplotlib, and embed the drawing as inline `<svg>` in the page's font, for a light and a dark page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Each has a contrast of at least 3:1 with the light and the dark page, and colour-blind readers can tell them apart.
# Lines and markers differ as well, so that no information depends on colour.
COLOURS = ("#2a78c2", "#c9541c", "#1f8a66", "#9a5fb5", "#8a7a1e", "#6b7a8a")
LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# Matplotlib cannot write `currentColor`. This colour stands for it in the drawing and is replaced in the SVG.
INK = "#010203"
# 72 points are an inch. The drawing is small, so that its text is readable on a phone; on wider screens it is enlarged.
SETTINGS: Any = {
    "figure.figsize": (4.0, 2.7),
    "figure.subplot.right": 0.97,
    "figure.subplot.top": 0.96,
    "figure.subplot.bottom": 0.18,
    "font.size": 10.0,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "legend.handlelength": 2.6,
    "svg.fonttype": "none",
}
# Without these the file would hold the date and Matplotlib's version.
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
LONGEST_NAME = 24
SVG = "http://www.w3.org/2000/svg"


@dataclass(frozen=True)
class Style:
    """Colour, line and marker of one variant, the same in all charts."""

    colour: str
    line: Any
    marker: str


def assign_styles(names: Sequence[str]) -> dict[str, Style]:
    """Return a style for each name, by its index."""
    return {
        name: Style(COLOURS[index % len(COLOURS)], LINES[index % len(LINES)], MARKERS[index % len(MARKERS)])
        for index, name in enumerate(names)
    }


@dataclass
class Drawing:
    """Axes to draw on; `svg` is filled when the block of `draw` ends."""

    axes: Axes
    svg: Markup = field(default_factory=Markup)


@contextmanager
def draw(name: str, title: str, description: str, *, left: float = 0.15) -> Iterator[Drawing]:
    """Yield axes to draw on, and store the drawing's `<svg>` in `Drawing.svg` at the end of the block.

    The same drawing gives the same text.

    Args:
        name: Letters, digits and hyphens: the start of the ids of title and description. It also salts the other ids,
            so that drawings with different names share no id.
        title: For screen readers.
        description: For screen readers.
        left: Share of the width for the labels of the vertical axis, 0 to 1.
    """
    settings = {**SETTINGS, "svg.hashsalt": name, "figure.subplot.left": left}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser draws the text in the page's font, so Matplotlib's own font need not have all characters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure()
        drawing = Drawing(figure.add_subplot())
        figure.patch.set_visible(False)
        drawing.axes.patch.set_visible(False)
        yield drawing
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    drawing.svg = _inline(buffer.getvalue(), name, title, description)


def _inline(svg: str, name: str, title: str, description: str) -> Markup:
    """Return the `<svg>` element without what the page's security policy blocks, and with a label for screen readers.

    The policy blocks `<style>` and `style=`, which Matplotlib always writes: styles become presentation attributes.
    """
    ET.register_namespace("", SVG)
    # Matplotlib's own output, in which all text is escaped.
    root = ET.fromstring(svg)  # noqa: S314
    for styled in root.findall(f"./{{{SVG}}}defs[{{{SVG}}}style]"):
        root.remove(styled)
    for element in root.iter():
        element.attrib = _presentation_attributes(element)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-t {name}-d"}
    root.attrib |= {"stroke-linejoin": "round", "font-family": "sans-serif"}
    for tag, text in (("desc", description), ("title", title)):
        label = ET.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{tag[0]}"})
        label.text = text
        root.insert(0, label)
    inline = ET.tostring(root, encoding="unicode").replace(INK, "currentColor")
    return Markup(re.sub(r">\s+<", "><", inline))


def _presentation_attributes(element: ET.Element) -> dict[str, str]:
    """Return an element's attributes with each declaration of its `style` as an attribute, and with short coordinates.

    Left out are font families, because the text is in the page's font; ids of groups, which are the same in every
    drawing; and rotations by 0, which only take space.
    """
    attributes = {name.rpartition("}")[2]: _shorten(value) for name, value in element.items() if name != "style"}
    attributes |= dict(one.split(": ", 1) for one in element.get("style", "").split("; ") if one)
    unused = {"font-family"} | ({"id"} if element.tag == f"{{{SVG}}}g" else set())
    return {
        name: value for name, value in attributes.items() if name not in unused and not value.startswith("rotate(-0 ")
    }


def _shorten(numbers: str) -> str:
    """Return coordinates with one digit after the point, which is a fifteenth of a millimetre.

    Example:
        >>> _shorten("M 12.345678 0.96  L 7.04 8")
        'M 12.3 1L7 8'
    """
    rounded = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers)
    return rounded.replace("  L ", "L")


def legend_name(name: str) -> str:
    r"""Return a name that fits into a legend: control characters become "?", and a long name is cut.

    Example:
        >>> legend_name("lstm\x00"), legend_name("a_variant_with_a_very_long_name")
        ('lstm?', 'a_variant_with_a_very_l…')
    """
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in short)
