"""The report in a real browser."""

from __future__ import annotations

import pytest

from reports.page import render_report
from tests.test_report import HOSTILE, a_run, a_training, evaluated, replace


@pytest.fixture
def report(tmp_path):
    def write(run):
        path = tmp_path / "report.html"
        path.write_text(render_report(evaluated(run)))
        return path

    return write


A_NIGHT = a_run(a_training("lstm", 0.43, 800), a_training("lstm_dropout", 0.44, 805), a_training("gru", 0.45, 790))


@pytest.mark.parametrize("width", [320, 800, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_never_scrolls_sideways(report, open_page, width, scheme):
    page = open_page(report(A_NIGHT), viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_whole_table_is_in_view_on_a_laptop(report, open_page):
    page = open_page(report(A_NIGHT), viewport={"width": 1280, "height": 900})
    assert page.evaluate("(table => table.scrollWidth <= table.clientWidth)(document.querySelector('.scroll'))")


def test_the_page_reads_the_same_without_scripts(report, open_page):
    page = open_page(report(A_NIGHT), java_script_enabled=False)
    assert page.locator("h2").all_inner_texts() == ["Verdict", "Comparison", "Loss by epoch", "What ran"]
    assert page.locator("svg").count() == 3
    assert page.locator("svg").first.bounding_box()["height"] > 100


def test_the_curves_have_the_colour_of_the_text_in_the_dark(report, open_page):
    page = open_page(report(A_NIGHT), color_scheme="dark")
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    label = page.locator("svg text").first.evaluate("element => getComputedStyle(element).fill")
    assert label == ink != paper


def test_hostile_text_runs_nothing(report, open_page):
    run = a_run(replace(a_training("lstm", 0.43, 800), variant=HOSTILE, layers=HOSTILE), notice=HOSTILE)
    page = open_page(report(run))
    assert page.locator("img").count() == 0
    assert HOSTILE[:20] in page.locator(".headline").inner_text()
