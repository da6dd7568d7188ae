"""Checks for every page: the report of a run and the list of all runs."""

from __future__ import annotations

import base64
import hashlib
import itertools


def check_headings(page):
    """The page has one first heading and skips no level."""
    levels = [int(one.tag[1]) for one in page.find_all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def check_tables(page):
    """Every table has a caption, and headers with a scope."""
    for table in page.find_all("table"):
        assert table.elements[0].tag == "caption"
        assert table.elements[0].text.strip()
        head, body = table.find("thead"), table.find("tbody")
        assert {cell.attributes.get("scope") for cell in head.find_all("th")} == {"col"}
        assert all(cell.text.strip() for cell in head.find_all("th"))
        for row in body.find_all("tr"):
            assert [cell.attributes.get("scope") for cell in row.find_all("th")] == ["row"]
            assert row.elements[0].tag == "th"


def check_widths_of_rows(page):
    """Every row is as wide as its table's header."""
    for table in page.find_all("table"):
        width = len(list(table.find("thead").find_all("th")))
        for row in table.find("tbody").find_all("tr"):
            assert sum(int(cell.attributes.get("colspan", 1)) for cell in row.elements) == width, row.text


def check_security_policy(page):
    """The policy lets this style and this script pass, and nothing else."""
    [policy] = [
        one.attributes["content"]
        for one in page.find_all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    [style], [script] = page.find_all("style"), page.find_all("script")
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'{fingerprint(style)}'",
        "script-src": f"'{fingerprint(script)}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def fingerprint(element):
    return f"sha256-{base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()}"


def check_attributes(page):
    """No element has a style or a script of its own."""
    for one in page.find_all():
        assert "style" not in one.attributes
        assert not [name for name in one.attributes if name.startswith("on")]


def check_disclosures(page):
    """The language is marked, and every scroller and every disclosure is whole."""
    assert page.find("html").attributes["lang"] == "en"
    for one in page.find_all("details"):
        assert one.elements[0].tag == "summary"
        assert one.elements[0].text.strip()
    for one in page.find_all("div"):
        if one.attributes.get("class") == "scroll":
            assert (one.attributes["tabindex"], one.attributes["role"]) == ("0", "region")
            assert one.attributes["aria-label"].strip()
