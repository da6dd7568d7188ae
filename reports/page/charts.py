"""Draw with Matplotlib, and embed the drawing as inline `<svg>` in the page's font, for a light and a dark page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from reports.page.palette import Style

# Matplotlib cannot write `currentColor`. This colour stands for it in the drawing and is replaced in the SVG.
INK = "#010203"
# In inches, of which the page shows 96 pixels each. Four small charts stand side by side; one is as wide as a phone.
SMALL, WIDE = (3.0, 2.1), (6.4, 2.9)
# In points, of which an inch has 72: 12 pixels on the page.
TEXT = 9.0
SETTINGS: Any = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
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
    "svg.fonttype": "none",
}
# Without these the file would hold the date and Matplotlib's version.
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
LONGEST_NAME = 24
SVG = "http://www.w3.org/2000/svg"


@dataclass
class Drawing:
    """Axes to draw on; `svg` is filled when the block of `draw` ends."""

    axes: Axes
    svg: Markup = field(default_factory=Markup)


@contextmanager
def draw(
    name: str, title: str, description: str, *, size: tuple[float, float] = SMALL, right: float = 0.1
) -> Iterator[Drawing]:
    """Yield axes to draw on, and store the drawing's `<svg>` in `Drawing.svg` at the end of the block.

    The same drawing gives the same text. The vertical axis has its title above it, as the title of the axes.

    Args:
        name: Letters, digits and hyphens: the start of the ids of title and description. It also salts the other ids,
            so that drawings with different names share no id.
        title: For screen readers.
        description: For screen readers.
        size: Width and height in inches.
        right: Inches to the right of the axes, for labels of lines.
    """
    width, height = size
    room = {"left": 0.48 / width, "right": 1 - right / width, "top": 1 - 0.27 / height, "bottom": 0.42 / height}
    settings = {**SETTINGS, "svg.hashsalt": name} | {f"figure.subplot.{side}": share for side, share in room.items()}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser draws the text in the page's font, so Matplotlib's own font need not have all characters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size)
        drawing = Drawing(figure.add_subplot())
        figure.patch.set_visible(False)
        drawing.axes.patch.set_visible(False)
        yield drawing
        # The vertical axis' title starts where its numbers start.
        drawing.axes.title.set_x(-0.44 / (width - 0.48 - right))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    drawing.svg = _inline(buffer.getvalue(), name, title, description)


class LineEnd(NamedTuple):
    """The label of a line: where it would stand, its text, and the style of its line; None for a line in ink."""

    value: float
    text: str
    style: Style | None


def label_ends(axes: Axes, ends: Sequence[LineEnd]) -> None:
    """Write labels to the right of the axes, each as near to the end of its line as the others let it.

    Args:
        axes: With their final limits and size.
        ends: The labels; their values are in the unit of the vertical axis.
    """
    if not ends:
        return
    low, high = axes.get_ylim()
    figure: Any = axes.get_figure()
    step = 1.25 * TEXT / 72 / (figure.get_size_inches()[1] * axes.get_position().height)
    ordered = sorted(ends, key=lambda end: end.value)
    wanted = [min(max((end.value - low) / (high - low), 0.0), 1.0) for end in ordered]
    for end, place in zip(ordered, spread(wanted, step), strict=True):
        # Text in the colours of lines would be hard to read, so a marker in the line's colour stands before it.
        if end.style:
            place_of_marker = axes.transAxes + ScaledTranslation(6 / 72, 0, figure.dpi_scale_trans)
            look: Any = {"color": end.style.colour, "markersize": 4, "clip_on": False}
            axes.plot(1, place, end.style.marker, transform=place_of_marker, **look)
        offset: Any = {
            "xycoords": "axes fraction",
            "xytext": (12 if end.style else 3, 0),
            "textcoords": "offset points",
        }
        axes.annotate(legend_name(end.text), (1, place), color=INK, va="center", **offset)


def spread(wanted: Sequence[float], step: float) -> list[float]:
    """Return places from 0 to 1 with at least `step` between neighbours, as near to the wanted places as possible.

    Neighbours that are too close become a block, which stands around the mean of its wanted places.

    Args:
        wanted: In ascending order.
        step: At least 0.

    Example:
        >>> spread([0.0, 0.5, 0.5, 1.0], 0.25)
        [0.0, 0.375, 0.625, 1.0]
    """
    blocks: list[list[float]] = []
    for place in wanted:
        blocks.append([place])
        while len(blocks) > 1 and _start(blocks[-1], step) < _start(blocks[-2], step) + step * len(blocks[-2]):
            blocks[-2:] = [[*blocks[-2], *blocks[-1]]]
    places = [_start(block, step) + step * index for block in blocks for index in range(len(block))]
    # The blocks at the ends are pushed back into the axes, if there is room.
    for index in reversed(range(len(places))):
        places[index] = min(places[index], 1 - step * (len(places) - 1 - index))
    return [max(place, step * index) for index, place in enumerate(places)]


def _start(block: Sequence[float], step: float) -> float:
    return sum(block) / len(block) - step * (len(block) - 1) / 2


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
