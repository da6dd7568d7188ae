"""Drawings: colours that everybody can tell apart, text that stays text, and the same bytes every time."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from reports.page.charts import COLOURS, INK, LINES, MARKERS, assign_styles, draw, legend_name
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
        drawing.axes.set(xlabel=label, ylabel="loss")
        drawing.axes.legend()
    return drawing.svg


def texts_of(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("page", [LIGHT_PAGE, DARK_PAGE])
@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_stands_out_on_the_light_and_on_the_dark_page(colour, page):
    assert contrast(colour, page) >= 3


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    # The guidelines' own example of a grey that just passes for text.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_the_colours_of_the_page_are_those_that_the_contrast_is_tested_against():
    stylesheet = (files("reports.page") / "templates" / "report.css").read_text()
    assert re.findall(r"--paper: (#\w+);", stylesheet) == ["#fff", DARK_PAGE]


def test_no_two_of_six_variants_share_a_colour_or_a_marker_and_no_two_of_five_a_line():
    assert (len(set(COLOURS)), len(set(LINES)), len(set(MARKERS))) == (6, 5, 6)
    styles = list(assign_styles([f"variant {number}" for number in range(6)]).values())
    for one, other in combinations(styles, 2):
        assert one.colour != other.colour
        assert one.marker != other.marker
    for one, other in combinations(styles[:5], 2):
        assert one.line != other.line


def test_thirty_variants_have_a_style_each_and_then_the_styles_begin_again():
    styles = list(assign_styles([f"variant {number}" for number in range(31)]).values())
    assert len({(style.colour, style.line) for style in styles[:30]}) == 30
    assert styles[30] == styles[0]


def test_a_variant_keeps_its_style_whichever_others_are_drawn():
    assert assign_styles(["lstm", "gru"])["lstm"] == assign_styles(["lstm"])["lstm"]


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
