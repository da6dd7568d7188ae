"""Drawings: colours that everybody can tell apart, text that stays text, and the same bytes every time."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from reports.page.charts import INK, WIDE, LineEnd, draw, label_ends, legend_name, spread
from reports.page.palette import COLOURS, DARK_GREY, GREY, LINES, MARKERS, assign_styles
from tests.example_runs import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
LIGHT_PAGE, DARK_PAGE = "#ffffff", "#14171a"


def luminance(colour):
    """Relative luminance: Web Content Accessibility Guidelines 2.2, W3C (2023)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def draw_lines(label="lstm", name="chart", title="Loss by epoch", description="It falls."):
    with draw(name, title, description) as drawing:
        for place, style in enumerate(assign_styles(["a", "b", "c"]).values()):
            values = [1 / (place + epoch + 1) for epoch in range(5)]
            drawing.axes.plot(values, color=style.colour, linestyle=style.line, marker=style.marker, label=label)
        drawing.axes.set(xlabel=label, title="loss")
        drawing.axes.text(0.5, 0.5, label, color=INK)
    return drawing.svg


def texts_of(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("page", [LIGHT_PAGE, DARK_PAGE])
@pytest.mark.parametrize("colour", [*COLOURS, GREY, DARK_GREY])
def test_every_colour_stands_out_on_the_light_and_on_the_dark_page(colour, page):
    assert contrast(colour, page) >= 3


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    # The guidelines' own example of a grey that just passes for text.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_the_colours_of_the_page_are_those_that_the_contrast_is_tested_against():
    stylesheet = (files("reports.page") / "templates" / "report.css").read_text()
    assert re.findall(r"--paper: (#\w+);", stylesheet) == ["#fff", DARK_PAGE]


# What readers see who lack one kind of cone, as factors of linear RGB. Source: Machado, Oliveira and Fernandes, "A
# physiologically-based model for simulation of color vision deficiency", IEEE Transactions on Visualization and
# Computer Graphics 15 (2009), severity 1.0.
SIGHT = {
    "all colours": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
WHITE = [0.95047, 1.0, 1.08883]


def lab_of(colour, sight):
    """CIE L*a*b* of a colour of sRGB, as somebody sees it."""
    shares = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    xyz = np.array(TO_XYZ) @ np.clip(np.array(sight) @ linear, 0, 1) / np.array(WHITE)
    scaled = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * scaled[1] - 16, 500 * (scaled[0] - scaled[1]), 200 * (scaled[1] - scaled[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_readers_who_see_no_red_or_no_green_can_tell_any_two_colours_apart(sight):
    seen = [lab_of(colour, SIGHT[sight]) for colour in COLOURS]
    assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) >= 25


def test_the_distance_of_colours_is_the_known_one():
    white, black = (lab_of(colour, SIGHT["all colours"]) for colour in ("#ffffff", "#000000"))
    assert np.linalg.norm(white - black) == pytest.approx(100, abs=0.1)
    # Readers without red confuse red and green.
    apart = [np.linalg.norm(lab_of("#cc3333", sight) - lab_of("#668800", sight)) for sight in SIGHT.values()]
    assert apart[1] < 0.5 * apart[0]


def test_no_two_of_six_variants_share_a_colour_a_line_or_a_marker():
    assert (len(set(COLOURS)), len(set(LINES)), len(set(MARKERS))) == (6, 6, 6)
    styles = list(assign_styles([f"variant {number}" for number in range(6)]).values())
    for one, other in combinations(styles, 2):
        assert len({one.colour, other.colour}) == len({one.line, other.line}) == len({one.marker, other.marker}) == 2


def test_of_more_variants_than_colours_only_the_emphasized_ones_have_a_colour():
    names = [f"variant {number}" for number in range(8)]
    styles = assign_styles(names, {"variant 7", "variant 3"})
    assert {name for name, style in styles.items() if style.colour != GREY} == {"variant 3", "variant 7"}
    assert styles["variant 3"] != styles["variant 7"]


def test_a_variant_keeps_its_style_whichever_others_are_drawn():
    assert assign_styles(["lstm", "gru"])["lstm"] == assign_styles(["lstm"])["lstm"]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([0.5], [0.5]),
        ([0.1, 0.9], [0.1, 0.9]),
        ([0.5, 0.5], [0.4, 0.6]),
        ([0.2, 0.5, 0.5, 0.55], [0.1375, 0.3375, 0.5375, 0.7375]),
        ([0.0, 0.5, 0.5, 0.6], [0.0, 0.333, 0.533, 0.733]),
        ([0.0, 0.0, 1.0, 1.0], [0.0, 0.2, 0.8, 1.0]),
        # Too many for the axes.
        ([0.5] * 7, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]),
    ],
)
def test_labels_that_would_touch_are_spread_around_their_places(wanted, places):
    assert spread(wanted, 0.2) == pytest.approx(places, abs=0.001)


def test_labels_of_lines_stand_apart_and_in_the_order_of_the_lines():
    styles = assign_styles(["a", "b", "c"])
    ends = [LineEnd(0.5 + place / 100, name, style) for place, (name, style) in enumerate(styles.items())]
    with draw("ends", "Ends", "Three lines end near each other.", size=WIDE, right=1.5) as drawing:
        drawing.axes.set_ylim(0, 1)
        label_ends(drawing.axes, ends)
        heights = {text.get_text(): text.xy[1] for text in drawing.axes.texts}
    assert heights["a"] < heights["b"] < heights["c"]
    assert heights["b"] - heights["a"] > 0.06


def test_text_is_twelve_pixels_high_as_the_page_shows_it():
    root = ET.fromstring(draw_lines())
    # A point is 4/3 pixels, and the drawing is as large as its view box in points.
    assert root.get("width") == f"{root.get('viewBox').split()[2]}pt"
    assert {text.get("font-size") or text.get("font") for text in root.iter(f"{SVG}text")} == {"9px"}


def test_a_drawing_is_an_svg_with_a_title_and_a_description_that_it_is_labelled_by():
    root = ET.fromstring(draw_lines())
    assert root.tag == f"{SVG}svg"
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "chart-t chart-d")
    title, description = root[0], root[1]
    assert (title.tag, title.get("id"), title.text) == (f"{SVG}title", "chart-t", "Loss by epoch")
    assert (description.tag, description.get("id"), description.text) == (f"{SVG}desc", "chart-d", "It falls.")


def test_the_same_drawing_gives_the_same_text():
    assert draw_lines() == draw_lines()


def test_two_drawings_of_other_names_share_no_id():
    ids = [set(re.findall(r'\bid="([^"]+)"', draw_lines(name=name))) for name in ("first", "second")]
    assert min(map(len, ids)) > 2
    assert not ids[0] & ids[1]


def test_every_reference_in_a_drawing_leads_to_something_in_it():
    svg = draw_lines()
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    references = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert references
    assert set(references) <= ids
    assert not re.search(r'href="(?!#)', svg)


def test_nothing_in_a_drawing_needs_a_style_that_the_page_s_policy_would_not_let_pass():
    svg = draw_lines()
    assert "style" not in svg
    assert "xlink" not in svg
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "desc", "defs", "g", "path", "use", "clipPath", "rect", "text"}


def test_a_drawing_holds_neither_dates_nor_the_library_s_version():
    svg = draw_lines()
    assert "metadata" not in svg
    assert "atplotlib" not in svg


def test_text_stays_text_and_is_in_the_page_s_own_font_and_ink():
    svg = draw_lines(label="LSTM 손실")
    assert "LSTM 손실" in texts_of(svg)
    assert "loss" in texts_of(svg)
    assert svg.count("font-family") == 1
    assert 'font-family="sans-serif"' in svg
    assert INK not in svg
    assert {text.get("fill") for text in ET.fromstring(svg).iter(f"{SVG}text")} == {"currentColor"}


def test_a_label_between_dollar_signs_is_not_mathematics():
    assert "$x^2$" in texts_of(draw_lines(label="$x^2$"))


def test_a_label_that_is_no_mathematics_either_is_drawn_all_the_same():
    assert r"$\frac{$" in texts_of(draw_lines(label=r"$\frac{$"))


def test_hostile_text_is_text():
    svg = draw_lines(label=legend_name(HOSTILE), title=HOSTILE, description=HOSTILE)
    root = ET.fromstring(svg)
    assert not [element for element in root.iter() if element.tag.endswith(("img", "script"))]
    assert (root[0].text, root[1].text) == (HOSTILE, HOSTILE)
    assert legend_name(HOSTILE) in texts_of(svg)
    assert "</script><img" in legend_name(HOSTILE)


def test_what_cannot_be_printed_becomes_a_question_mark():
    assert legend_name("lstm\x00\x1b\u2028\u202e\ud800") == "lstm?????"
    assert legend_name("LSTM 손실 – é 😀") == "LSTM 손실 – é 😀"


def test_control_characters_do_not_break_a_drawing():
    svg = draw_lines(label=legend_name("a\x00b\x0bc"))
    assert "a?b?c" in texts_of(svg)


def test_coordinates_have_one_digit_after_the_point():
    assert not re.search(r'(?:\bd|\bx|\by|transform)="[^"]*\d\.\d\d', draw_lines())
