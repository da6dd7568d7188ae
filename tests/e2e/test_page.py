"""The report and the list of runs in a real browser: requests, layout, accessibility and printing."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest

from reports.page.index_page import ListedRun, render_index
from reports.page.report_page import render_report
from tasks.sources import IMDB
from tests.e2e.files import serve
from tests.example_decisions import DECISIONS
from tests.example_runs import (
    ALL_FAILED,
    CHECKS,
    EIGHT_VARIANTS,
    FOUR_VARIANTS,
    HOSTILE,
    HOSTILE_NAMES,
    MANY_SEEDS,
    ONE_FAILED,
    THREE_SEEDS,
    TWO_OF_EIGHT_FAILED,
    UNUSABLE,
    evidence_of,
    own_reviews,
)

PREVIOUS_RUN = replace(FOUR_VARIANTS, run_id="20261122T020000Z-aaaaaa", started="2026-11-22T02:00:00Z")
RUNS = {
    "run": (FOUR_VARIANTS, {}),
    "seeds": (THREE_SEEDS, {"earlier": [PREVIOUS_RUN]}),
    "failed": (ONE_FAILED, {"earlier": [PREVIOUS_RUN]}),
    # With an address that is longer than a phone is wide.
    "empty": (replace(ALL_FAILED, notice=f"{IMDB.archive} could not be fetched."), {"described": False}),
    "hostile": (HOSTILE_NAMES, {"word": HOSTILE}),
    "many": (MANY_SEEDS, {}),
    "eight": (EIGHT_VARIANTS, {"earlier": [PREVIOUS_RUN]}),
    "two failed": (TWO_OF_EIGHT_FAILED, {}),
    "unusable": (UNUSABLE, {}),
    # With a team's own reviews, and the archive's as a second test set.
    "own": (
        replace(FOUR_VARIANTS, test_set="own"),
        {"own": own_reviews(*CHECKS[:-1]), "other": evidence_of(FOUR_VARIANTS), "earlier": [PREVIOUS_RUN]},
    ),
    # With the gate's decision.
    "proposed": (FOUR_VARIANTS, {"earlier": [PREVIOUS_RUN]}),
    "refused": (FOUR_VARIANTS, {}),
    "stopped": (
        replace(ALL_FAILED, failures=(), test_set="own", stopped=("New against old: the AUC is 0.90.",)),
        {"own": own_reviews(*CHECKS), "described": False},
    ),
}
PAGES = ["run", "seeds", "failed", "empty", "hostile", "own", "proposed", "refused", "stopped", "index"]
IN_BOTH_LANGUAGES = [
    *((name, "en") for name in PAGES),
    *((name, "ko") for name in ("seeds", "failed", "own", "proposed", "stopped", "index")),
]
SECTIONS = [
    "Look at this",
    "Comparison",
    "Pairs",
    "Errors",
    "Minimal pairs",
    "History",
    "Learning curves",
    "Data",
]
SECTIONS += ["Provenance", "Glossary"]
BEST_PRACTICE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
# A4 less the page's margins of 12 mm, in CSS pixels.
PAPER_WIDTH, PAPER_HEIGHT = 703, 1032

# Not the bars of rows, which are as high as a line of text.
DRAWINGS = "figure svg:not([preserveAspectRatio])"
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@cache
def run_of(name):
    run, options = RUNS[name]
    return run, replace(evidence_of(run, **options), decision=DECISIONS.get(name))


@cache
def source_of(name, language):
    if name == "index":
        runs = [run_of(one)[1].history.runs[-1] for one in ("run", "failed", "hostile")]
        return render_index([ListedRun(run, False, ("data",), 0.8) for run in runs], [HOSTILE], language)
    return render_report(*run_of(name), language)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Write each page once, and return its path."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name, language="en"):
        path = folder / f"{name}.{language}.html"
        if not path.exists():
            path.write_text(source_of(name, language), encoding="utf-8")
        return path

    return write


# --- requests


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opened_from_disk_asks_for_nothing_else(written, open_page, name, language):
    page = open_page(written(name, language))
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("name", ["seeds", "index"])
def test_a_page_from_a_server_asks_for_nothing_else_not_even_an_icon(written, open_page, name):
    path = written(name)
    with serve(path.parent) as (address, asked):
        page = open_page(f"{address}/{path.name}")
        page.wait_for_load_state("networkidle")
        # The server's list, because the browser's own leaves out favicons.
        assert asked == [f"/{path.name}"]
        assert page.locator("link").evaluate_all("(links) => links.map((one) => one.href)") == ["data:,"]


def test_the_pages_of_a_folder_link_to_each_other(tmp_path, open_page):
    run, evidence = run_of("seeds")
    before, evidence_before = PREVIOUS_RUN, evidence_of(PREVIOUS_RUN)
    runs = [
        ListedRun(evidence_before.history.runs[-1], True, (), None),
        ListedRun(evidence.history.runs[-1], False, (), 0.8),
    ]
    pages = {
        f"{before.run_id}.html": render_report(before, evidence_before, "en"),
        f"{run.run_id}.html": source_of("seeds", "en"),
        "latest.html": source_of("seeds", "en"),
        "index.html": render_index(runs, [], "en"),
    }
    for name, source in pages.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    paths = [tmp_path / name for name in pages]
    page = open_page(tmp_path / "index.html", also=paths)

    def follow(name, leads_to):
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url((tmp_path / leads_to).as_uri())
        return page.title()

    follow("the newest run", "latest.html")
    follow("the previous run", f"{before.run_id}.html")
    follow("all runs", "index.html")
    assert run.run_id in follow("23 November, 02:00", f"{run.run_id}.html")
    page.go_back()
    assert before.run_id in follow("22 November, 02:00", f"{before.run_id}.html")


# --- accessibility


def find_violations(page, run_only=BEST_PRACTICE, contrast=True):
    """Return the violations that axe-core finds, one line for each element."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": run_only, "resultTypes": ["violations"]}
    if not contrast:
        options["rules"] = {"color-contrast": {"enabled": False}}
    violations = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in violations for node in one["nodes"]]


@pytest.fixture(scope="module")
def open_for_axe(chromium, written):
    """Open a page without its policy, which would block axe, and unfold everything."""
    context = chromium.new_context(bypass_csp=True, offline=True)
    page = context.new_page()

    def open_unfolded(name, language):
        page.goto(written(name, language).as_uri())
        page.evaluate(OPEN_ALL)
        return page

    yield open_unfolded
    context.close()


@pytest.mark.parametrize(
    ("name", "language"),
    [
        *((name, "en") for name in ("run", "failed", "hostile", "own", "stopped", "index")),
        *((name, "ko") for name in ("run", "failed", "hostile", "index")),
    ],
)
def test_axe_finds_no_barrier(open_for_axe, name, language):
    page = open_for_axe(name, language)
    # Similar rows and reviews are removed, because axe takes long for each element.
    alike = page.locator(":is(figure, details, .facts) tbody tr:nth-child(n+3), .review:nth-child(n+2)")
    alike.evaluate_all("(ones) => ones.forEach((one) => one.remove())")

    def look(width, scheme, **options):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        return find_violations(page, **options)

    # Contrast takes axe most of its time and is the same at all widths; no other rule depends on colours.
    assert look(320, "light", contrast=False) == []
    assert look(1280, "dark", run_only=COLOUR_RULES) == []
    # The Korean pages have the same markup.
    if language == "en":
        assert look(1280, "light") == []


def test_axe_finds_no_barrier_before_anything_is_unfolded(open_for_axe):
    page = open_for_axe("seeds", "en")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    assert find_violations(page) == []


def focused(page):
    return page.evaluate("document.activeElement.outerHTML")


def tab_to(page, is_there, most=40):
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"(({is_there})(document.activeElement))"):
            return
    raise AssertionError(f"{most} times Tab did not reach it; the last element was {focused(page)[:200]}")


@pytest.mark.parametrize("name", ["run", "stopped", "index"])
def test_the_first_tab_stop_skips_the_head_of_the_page(written, open_page, name):
    page = open_page(written(name), viewport={"width": 800, "height": 900})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    # It is visible only while it has the focus.
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_reader_without_a_mouse_can_scroll_every_wide_table(written, open_page):
    page = open_page(written("seeds"), viewport={"width": 320, "height": 700})
    page.evaluate(OPEN_ALL)
    unreachable = page.evaluate(
        """[...document.querySelectorAll("*")].filter((one) =>
          one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"
          && one.clientWidth > 0 && one.tabIndex !== 0 && !one.querySelector("a, button")
          ).map((one) => one.outerHTML.slice(0, 200))"""
    )
    assert unreachable == []
    tab_to(page, "(one) => one.matches('#comparison .scroll')")
    page.keyboard.press("ArrowRight")
    # Playwright's own waiting compiles strings, which the page's policy forbids.
    assert page.evaluate(
        """new Promise((done) => {
          setTimeout(done, 5000, false);
          document.querySelector("#comparison .scroll").addEventListener("scrollend", () => done(true));
          if (document.querySelector("#comparison .scroll").scrollLeft > 0) done(true);
        })"""
    )


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_a_page_has_a_target_and_every_id_is_unique(written, open_page, name):
    page = open_page(written(name))

    def values(attribute):
        return page.locator(f"[{attribute}]").evaluate_all(
            f"(all) => all.map((one) => one.getAttribute('{attribute}'))"
        )

    ids = values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in values("href") if link.startswith("#")} <= {*ids}
    assert {label for labels in values("aria-labelledby") for label in labels.split()} <= {*ids}


# Links, buttons and summaries smaller than 24 by 24 pixels, except those within a sentence.
SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, summary")].filter((one) => {
  const { width, height } = one.getBoundingClientRect();
  if (width === 0 || one.className === "skip") return false;
  const inSentence = getComputedStyle(one).display === "inline"
    && one.parentElement.textContent.trim().length > one.textContent.trim().length;
  return Math.min(width, height) < 23.99 && !inSentence;
}).map((one) => one.outerHTML)"""


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", ["seeds", "failed", "own", "index"])
def test_all_links_and_buttons_are_large_enough_for_a_finger(written, open_page, name, width):
    page = open_page(written(name), viewport={"width": width, "height": 900})
    page.evaluate(OPEN_ALL)
    assert page.evaluate(SMALL_TARGETS) == []


# --- sorting


def test_the_comparison_is_sorted_by_keyboard(written, open_page):
    page = open_page(written("run"))
    rows = page.locator("#comparison table").first.locator("tbody tr")
    sorted_by = page.locator("#comparison [aria-sort]")

    def names():
        return [re.split(r"\s", text)[0] for text in rows.all_inner_texts()]

    assert names() == [row.name for row in run_of("run")[1].comparison]
    # The page says by what it is sorted.
    assert (sorted_by.inner_text(), sorted_by.get_attribute("aria-sort")) == ("Validation loss", "ascending")
    tab_to(page, "(one) => one.textContent === 'Test accuracy'")
    page.keyboard.press("Enter")
    assert (sorted_by.inner_text(), sorted_by.get_attribute("aria-sort")) == ("Test accuracy", "ascending")
    assert names() == ["bag_of_words", "majority_class", "lstm_stacked", "simple_rnn", "gru", "lstm", "lstm_dropout"]
    page.keyboard.press("Space")
    assert (sorted_by.inner_text(), sorted_by.get_attribute("aria-sort")) == ("Test accuracy", "descending")
    assert names() == ["lstm_dropout", "lstm", "gru", "simple_rnn", "lstm_stacked", "majority_class", "bag_of_words"]
    tab_to(page, "(one) => one.textContent === 'Training time'")
    for order in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert (sorted_by.inner_text(), sorted_by.get_attribute("aria-sort")) == ("Training time", order)
        # They have none.
        assert set(names()[-2:]) == {"bag_of_words", "majority_class"}


# Clicks each header of each sortable table twice; returns columns with wrong order, or with empty cells not at the end.
DISORDER = """() => {
  const wrong = [];
  const read = (cell) => cell?.dataset.v ?? cell?.textContent.trim() ?? "";
  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("thead button").forEach((button, column) => {
      for (const sign of [1, -1]) {
        button.click();
        const values = [...table.tBodies[0].rows].map((row) => read(row.cells[column]));
        const figures = values.filter((value) => value !== "");
        const isDense = values.slice(0, figures.length).every((value) => value !== "");
        const steps = figures.slice(1).map((value, place) => sign * (value - figures[place]));
        const isText = figures.every(isNaN) && !figures.some((value) => ["–", "None"].includes(value));
        const isOrdered = isText || steps.every((step) => step >= 0);
        if (!isDense || !isOrdered) wrong.push([button.textContent, sign, ...values]);
      }
    });
  }
  return wrong;
}"""


@pytest.mark.parametrize("name", ["seeds", "failed", "own"])
def test_every_column_can_be_sorted_and_empty_cells_stay_last(written, open_page, name):
    page = open_page(written(name))
    assert page.evaluate(DISORDER) == []
    assert page.locator("thead button").count() > 5


# --- without scripts, without styles


def test_the_page_is_whole_without_scripts(written, open_page):
    page = open_page(written("seeds"), java_script_enabled=False)
    assert [title.removesuffix(" #") for title in page.locator("h2").all_inner_texts()] == SECTIONS
    assert page.locator("button").count() == 0
    assert page.locator("tbody tr").count() > 100
    assert min(heights(page, DRAWINGS)) > 100
    page.get_by_text("Each training", exact=True).click()
    assert page.locator("#comparison details table").last.is_visible()


def test_the_page_is_whole_without_styles(written, open_page, tmp_path):
    source = written("seeds").read_text(encoding="utf-8")
    plain = tmp_path / "plain.html"
    plain.write_text(re.sub(r"<style>.*?</style>", "", source, flags=re.DOTALL), encoding="utf-8")
    words = open_page(written("seeds")).locator("main").inner_text().split()
    page = open_page(plain)
    assert page.locator("main").inner_text().split() == words
    assert min(heights(page, DRAWINGS)) > 100
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def heights(page, selector):
    return page.locator(selector).evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")


# --- colours

# The text and background colours of the page, then the colours in its charts; not those of grid lines and bands, which
# are faint on purpose.
COLOURS = """() => {
  const { color, backgroundColor } = getComputedStyle(document.body);
  const drawn = [...document.querySelectorAll("figure svg :not(.hole)")].flatMap((one) => {
    const { fill, stroke, fillOpacity, strokeOpacity, opacity } = getComputedStyle(one);
    if (!one.closest("svg > *") || one.closest("clipPath, title, desc") || opacity < 0.5) return [];
    const used = [];
    const isFilled = one.hasAttribute("fill") || (["text", "path"].includes(one.localName) && !one.closest("defs"));
    if (isFilled && fill !== "none" && fillOpacity >= 0.5) used.push(fill);
    if (stroke !== "none" && strokeOpacity >= 0.5) used.push(stroke);
    return used.map((colour) => [one.localName, colour]);
  });
  return [color, backgroundColor, [...new Set(drawn.map(String))].map((pair) => /(\\w+),(.*)/.exec(pair).slice(1))];
}"""


def contrast(first, second):
    """Return the contrast ratio of WCAG 2 of two colours that the browser wrote as `rgb(r, g, b)`."""

    def luminance(colour):
        channels = [int(number) / 255 for number in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups()]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guideline():
    assert contrast("rgb(255, 255, 255)", "rgb(0, 0, 0)") == 21
    assert round(contrast("rgb(255, 255, 255)", "rgb(118, 118, 118)"), 2) == 4.54


PAPERS = [("screen", "light", "rgb(255, 255, 255)"), ("screen", "dark", "rgb(20, 23, 26)")]
# Print has a light background in the dark scheme too.
PAPERS += [("print", "dark", "rgb(255, 255, 255)")]


@pytest.mark.parametrize(("media", "scheme", "paper"), PAPERS, ids=["light", "dark", "print"])
@pytest.mark.parametrize("name", ["run", "seeds"])
def test_charts_have_the_colour_of_the_text_and_colours_with_enough_contrast(
    written, open_page, name, media, scheme, paper
):
    page = open_page(written(name), color_scheme=scheme)
    page.emulate_media(media=media)
    ink, background, drawn = page.evaluate(COLOURS)
    assert background == paper
    assert {colour for element, colour in drawn if element == "text"} == {ink}
    assert contrast(ink, paper) >= 7
    colours = {colour for _, colour in drawn} - {ink}
    assert len(colours) >= 4
    assert {colour: contrast(colour, paper) for colour in colours if contrast(colour, paper) < 3} == {}


# --- widths


@pytest.mark.parametrize(("name", "language"), IN_BOTH_LANGUAGES)
def test_a_page_never_scrolls_sideways(written, open_page, name, language):
    page = open_page(written(name, language))
    page.evaluate(OPEN_ALL)
    for width in (320, 800, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["run", "seeds", "failed"])
def test_the_whole_comparison_is_in_view_on_a_laptop(written, open_page, name, language):
    page = open_page(written(name, language), viewport={"width": 1280, "height": 900})
    assert page.evaluate("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('#comparison .scroll'))")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["run", "seeds", "failed", "empty", "own", "stopped"])
def test_the_conclusion_is_on_the_first_screen_of_a_telephone(written, open_page, name, language):
    page = open_page(written(name, language), viewport={"width": 320, "height": 700})
    assert bottom_of(page.locator("h1")) <= 700


def bottom_of(locator):
    box = locator.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["run", "seeds", "unusable", "many"])
def test_the_first_screen_has_the_conclusion_what_to_do_what_to_look_at_and_the_first_rows(
    written, open_page, name, language, scheme
):
    page = open_page(written(name, language), viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    for part in ("h1", ".action", ".findings", "#comparison tbody tr >> nth=0"):
        assert bottom_of(page.locator(part).first) <= 900, part
    page.set_viewport_size({"width": 380, "height": 800})
    for part in ("h1", ".action", ".findings"):
        assert bottom_of(page.locator(part).first) <= 800, part


@pytest.mark.parametrize("name", ["run", "seeds", "failed", "unusable", "own"])
def test_with_its_details_closed_the_page_is_at_most_7000_pixels_tall(written, open_page, name):
    page = open_page(written(name), viewport={"width": 1280, "height": 900})
    assert page.evaluate("document.documentElement.scrollHeight") <= 7000


# Pairs of labels in one drawing that cover each other.
OVERLAPS = """() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const texts = [...svg.querySelectorAll("text")].map((one) => [one.textContent, one.getBoundingClientRect()]);
  const pairs = texts.flatMap((one, place) => texts.slice(place + 1).map((other) => [one, other]));
  return pairs.filter(([[, a], [, b]]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2
  ).map(([one, other]) => [one[0], other[0]]);
})"""


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["run", "seeds", "eight", "two failed", "unusable", "many"])
def test_no_label_of_a_chart_covers_another(written, open_page, name, language):
    page = open_page(written(name, language), viewport={"width": 1280, "height": 900})
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERLAPS) == []


def test_the_text_of_charts_is_twelve_pixels_high_at_every_width(written, open_page):
    page = open_page(written("seeds"))
    page.evaluate(OPEN_ALL)
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        scales = page.evaluate(
            """[...document.querySelectorAll("figure svg[viewBox]:not([preserveAspectRatio])")].map((svg) =>
              9 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""
        )
        assert {round(scale, 1) for scale in scales} == {12.0}


# Labels that reach beyond their chart if it hides them, else beyond the frame around it.
CUT_LABELS = """() => [...document.querySelectorAll("figure svg text")].filter((text) => {
  const svg = text.ownerSVGElement;
  const frame = getComputedStyle(svg).overflow === "visible" ? svg.closest("figure") : svg;
  const [label, space] = [text, frame].map((one) => one.getBoundingClientRect());
  return label.left < space.left || label.right > space.right || label.top < space.top || label.bottom > space.bottom;
}).map((text) => text.textContent)"""


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["seeds", "eight", "two failed", "many"])
def test_no_label_of_a_chart_is_cut_off(written, open_page, name, language):
    page = open_page(written(name, language), viewport={"width": 1280, "height": 900})
    page.evaluate(OPEN_ALL)
    assert page.evaluate(CUT_LABELS) == []


# --- on paper

# Figures that are broken over two lines, because their column is too narrow.
BROKEN_FIGURES = r"""() => [...document.querySelectorAll("td")].filter((cell) => {
  const figure = cell.firstChild;
  if (!figure || figure.nodeType !== 3 || !/^\s*[+−\d.,%–]+\s*$/.test(figure.data)) return false;
  const range = document.createRange();
  range.selectNode(figure);
  return [...range.getClientRects()].length > 1;
}).map((cell) => cell.textContent)"""


@pytest.mark.parametrize(("name", "language"), IN_BOTH_LANGUAGES)
def test_a_page_fits_on_a4(written, open_page, name, language):
    page = open_page(written(name, language), viewport={"width": PAPER_WIDTH, "height": PAPER_HEIGHT})
    page.evaluate(OPEN_ALL)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_WIDTH
    too_wide = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.ariaLabel)"
    assert page.locator(".scroll").evaluate_all(too_wide) == []
    assert page.evaluate(BROKEN_FIGURES) == []
    sizes = "(all) => all.map((one) => parseFloat(getComputedStyle(one).fontSize))"
    # Six points, in CSS pixels.
    assert min(page.locator("p, td, small").evaluate_all(sizes)) >= 8


@pytest.mark.parametrize("name", ["run", "seeds"])
def test_no_chart_is_split_over_two_sheets(written, open_page, name):
    page = open_page(written(name), viewport={"width": PAPER_WIDTH, "height": PAPER_HEIGHT})
    page.emulate_media(media="print")
    assert max(heights(page, "figure")) < PAPER_HEIGHT
    torn = "(figures) => figures.filter((one) => getComputedStyle(one).breakInside !== 'avoid').length"
    assert page.locator("figure").evaluate_all(torn) == 0


def test_the_page_prints_with_its_sections_and_links(written, open_page):
    page = open_page(written("seeds"), color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("h2").all_inner_texts() == SECTIONS
    assert page.get_by_role("link", name="the previous run").is_visible()
    assert not page.get_by_role("navigation").is_visible()
    paper = page.pdf(prefer_css_page_size=True, tagged=True)
    assert paper.startswith(b"%PDF-")
    sheets = [tuple(map(float, size)) for size in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)", paper)]
    # A4 in points.
    assert all(size == pytest.approx((595.3, 841.9), abs=1) for size in sheets)
    assert 4 <= len(sheets) <= 12
    assert b"index.html" in paper


# --- foreign text


# Foreign text that is not isolated, and text of our own after it that runs from right to left.
LEAKS = r"""() => {
  const leaks = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, parent = text.parentElement;
    if (parent.closest("script, title, desc") || text.data.trim().length < 2) continue;
    if (text.data.includes("\u202e")) {
      const alone = parent.matches("td, th") && parent.textContent.trim() === text.data.trim();
      if (!alone && !parent.closest("bdi")) leaks.push(["not isolated", parent.outerHTML.slice(0, 200)]);
      continue;
    }
    if (parent.closest("bdi")) continue;
    const start = text.data.search(/\S\S/);
    if (start < 0) continue;
    const [first, second] = [0, 1].map((offset) => {
      const range = document.createRange();
      range.setStart(text, start + offset);
      range.setEnd(text, start + offset + 1);
      return range.getBoundingClientRect();
    });
    if (first.width && first.top === second.top && second.left < first.left)
      leaks.push(["reversed", parent.outerHTML.slice(0, 200)]);
  }
  return leaks;
}"""


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", ["hostile", "index"])
def test_foreign_text_runs_no_script_and_changes_no_direction(written, open_page, name, language):
    page = open_page(written(name, language))
    page.evaluate(OPEN_ALL)
    assert page.locator("img, iframe, object, embed, form, base").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("[onerror], [onload], [onclick]").count() == 0
    assert page.locator("bdi").filter(has_text="<img src=x onerror=alert(1)>").count() > 0
    assert page.evaluate(LEAKS) == []
    assert "\u202e" not in "".join(page.locator("svg text").all_text_contents())


def test_foreign_text_is_shown_letter_by_letter(written, open_page):
    page = open_page(written("hostile"))
    for place in (".notice", ".failures td", "#comparison tbody small", "#errors .words", "#provenance td"):
        assert HOSTILE in "".join(page.locator(place).all_text_contents())
