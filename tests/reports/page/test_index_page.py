"""The list of all runs, by what its page is made of."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.analysis.history import summarise_run
from reports.page.index_page import ListedRun, render_index, trace_accuracies
from tests import page_rules
from tests.example_runs import EARLIER_RUN, FOUR_VARIANTS, HOSTILE, HOSTILE_NAMES, ONE_FAILED
from tests.pages import parse


def index_of(*runs, damaged=(), samples=(), changed=(), before=None):
    listed = [ListedRun(summarise_run(run), run.run_id in samples, changed, before) for run in runs]
    return render_index(listed, damaged, "en")


def rows_of(page):
    return [row for body in page.find_all("tbody") for row in body.find_all("tr")]


def cells_of(row):
    return [" ".join(cell.text.split()) for cell in row.elements]


def test_the_newest_run_comes_first_each_with_a_link_to_its_page():
    page = parse(index_of(EARLIER_RUN, FOUR_VARIANTS, changed=("data", "code"), before=0.79))
    links = [row.find("a") for row in rows_of(page)]
    assert [(link.text, link.attributes["href"]) for link in links] == [
        ("23 November, 02:00", "./20261123T020000Z-abc123.html"),
        ("22 November, 02:00", "./20261122T020000Z-abc123.html"),
    ]
    assert page.find("header").find("a").attributes["href"] == "latest.html"
    headers = [cell.text for cell in page.find("thead").find_all("th")]
    assert headers == ["Run", "Chosen", "Test accuracy", "Changed since the run before", "Failed"]
    newest, older = map(cells_of, rows_of(page))
    assert newest[1:] == ["● lstm", "80.0% +1.0", "data, code", "–"]
    assert older[1:] == ["● lstm", "90.0% +11.0", "data, code", "–"]
    assert "20261123T020000Z-abc123" in newest[0]


def test_each_month_is_a_group():
    october = replace(EARLIER_RUN, run_id="20261030T020000Z-abc123", started="2026-10-30T02:00:00Z")
    page = parse(index_of(october, FOUR_VARIANTS))
    assert [one.text for one in page.find_all("h2")] == ["November 2026", "October 2026"]
    assert len(list(page.find_all("table"))) == 2


def test_the_accuracies_of_two_runs_make_a_line():
    listed = [ListedRun(summarise_run(run), False, (), None) for run in (EARLIER_RUN, FOUR_VARIANTS)]
    assert trace_accuracies(listed) == "6.0,6.0 94.0,94.0"
    assert trace_accuracies(listed[:1]) == ""
    assert "<polyline" in index_of(EARLIER_RUN, FOUR_VARIANTS)
    assert "<polyline" not in index_of(FOUR_VARIANTS)


def test_made_up_reviews_failures_and_damaged_runs_are_marked_in_the_list():
    failed = replace(ONE_FAILED, run_id="20261121T020000Z-abc123")
    html = index_of(failed, FOUR_VARIANTS, damaged=["20261120T020000Z-abc123"], samples=[FOUR_VARIANTS.run_id])
    sample, other = rows_of(parse(html))
    assert "made-up reviews" in sample.text
    assert "made-up reviews" not in other.text
    assert cells_of(other)[1:] == ["✖ no model chosen", "–", "–", "gru-seed42"]
    [damage] = [one.text for one in parse(html).find_all("p") if one.attributes.get("class") == "failure"]
    assert "20261120T020000Z-abc123" in damage


def test_the_list_is_a_page_under_the_same_rules():
    page = parse(index_of(EARLIER_RUN, FOUR_VARIANTS))
    page_rules.check_security_policy(page)
    page_rules.check_tables(page)
    page_rules.check_widths_of_rows(page)
    page_rules.check_attributes(page)
    page_rules.check_headings(page)
    page_rules.check_disclosures(page)


def test_hostile_names_in_the_list_are_text():
    html = index_of(replace(HOSTILE_NAMES, run_id=HOSTILE), damaged=[HOSTILE])
    page = parse(html)
    tags = [one.tag for one in page.find_all()]
    assert "img" not in tags
    assert tags.count("script") == 1
    [row] = rows_of(page)
    assert HOSTILE in row.elements[0].text
    # The id and the damaged run.
    assert page.text.count(HOSTILE) >= 2


@pytest.mark.parametrize("run_id", ["javascript:alert(1)//", "//example.org/x", "a#b", "a?b"])
def test_a_hostile_id_leads_nowhere_else_than_into_the_same_folder(run_id):
    [row] = rows_of(parse(index_of(replace(FOUR_VARIANTS, run_id=run_id))))
    assert re.fullmatch(r"\./[^:/?#]+\.html", row.find("a").attributes["href"])


def test_a_list_without_runs_is_a_page():
    assert rows_of(parse(index_of())) == []
