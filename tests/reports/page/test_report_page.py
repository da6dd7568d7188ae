"""The page, by what it is made of; its sentences, figures and drawings have tests of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from reports.evidence import from_json, to_json
from reports.page.language import isolate
from reports.page.report_page import render_report
from reports.sections.minimal_pairs_section import PairCategory, PairOutcome
from storage.records import FailedTraining
from tasks.data.minimal_pairs import EXPECTATIONS, PAIRS
from tests import page_rules
from tests.example_runs import (
    ALL_FAILED,
    COUNT,
    EARLIER_RUN,
    FOUR_VARIANTS,
    HOSTILE,
    HOSTILE_NAMES,
    MANY_SEEDS,
    ONE_FAILED,
    THREE_SEEDS,
    a_run,
    a_training,
    evidence_of,
    measure,
    measure_as_recorded,
    review_facts,
)
from tests.pages import parse

SECTIONS = [
    "summary",
    "comparison",
    "pairs-evidence",
    "errors",
    "minimal-pairs",
    "history",
    "curves",
    "data",
    "provenance",
    "glossary",
]


def render(run, **options):
    return render_report(run, evidence_of(run, **options), "en")


def section(page, name):
    return next(one for one in page.find_all("section") if one.attributes["id"] == name)


NO_REVIEW_IS_SHOWN = "No reviews are shown: the models made no errors, or the source has no word index."
TWO_VARIANTS = a_run(a_training("lstm", 0.43, 800), a_training("gru", 0.45, 790))
TWO_SEEDS = a_run(
    *(a_training(variant, 0.43, 800 + seed, seed) for variant in ("lstm", "gru") for seed in (42, 43)),
    failures=[FailedTraining("lstm_stacked", 42, "no")],
)
RUNS = {
    "a run": (FOUR_VARIANTS, {}),
    "seeds": (THREE_SEEDS, {}),
    "a failure": (ONE_FAILED, {}),
    "a failure over seeds": (TWO_SEEDS, {}),
    "no model": (ALL_FAILED, {}),
    "one variant": (a_run(a_training("lstm", 0.43, 800)), {}),
    "a previous run": (TWO_VARIANTS, {"earlier": [EARLIER_RUN], "discordant": {"lstm": (100, 0)}}),
    "no description": (TWO_VARIANTS, {"described": False, "plain_baselines": False}),
    "no word index": (TWO_VARIANTS, {"facts": replace(review_facts(), decode=None, has_negation=None)}),
    "hostile": (HOSTILE_NAMES, {"word": HOSTILE}),
}


@cache
def compute(name):
    """The evidence of one of these runs, as it was before it was stored."""
    run, options = RUNS[name]
    return evidence_of(run, stored=False, **options)


class Pages(dict):
    """The page of each kind of run, as text; rendered when first asked for."""

    def __missing__(self, name):
        self[name] = render_report(RUNS[name][0], from_json(to_json(compute(name))), "en")
        return self[name]


@pytest.fixture(scope="module")
def pages():
    return Pages()


@pytest.fixture(scope="module", params=RUNS)
def page(request, pages):
    """Each of them, as a browser reads it."""
    return parse(pages[request.param])


def test_the_page_has_one_first_heading_and_skips_no_level(page):
    page_rules.check_headings(page)


def test_the_page_has_its_ten_sections_in_order_each_with_a_heading_that_links_to_it(page):
    sections = list(page.find_all("section"))
    assert [one.attributes["id"] for one in sections] == SECTIONS
    for one in sections:
        headings = list(one.find_all("h2"))
        assert [heading.attributes["id"] for heading in headings] == [one.attributes["aria-labelledby"]]
        assert headings[0].find("a").attributes["href"] == f"#{one.attributes['id']}"
    assert [one.attributes["href"] for one in page.find("nav").find_all("a")] == [f"#{name}" for name in SECTIONS]


def test_every_table_has_a_caption_and_headers_with_a_scope(page):
    page_rules.check_tables(page)


def test_every_row_is_as_wide_as_its_table_s_header(page):
    page_rules.check_widths_of_rows(page)


def test_every_drawing_has_a_title_and_a_description_that_it_is_labelled_by(page):
    for svg in page.find_all("svg"):
        if svg.attributes.get("aria-hidden"):
            # The figures of a bar stand beside it as text.
            continue
        title, description = svg.elements[:2]
        assert (title.tag, description.tag) == ("title", "desc")
        assert title.text.strip()
        assert description.text.strip()
        assert svg.attributes["role"] == "img"
        assert svg.attributes["aria-labelledby"].split() == [title.attributes["id"], description.attributes["id"]]


def test_every_figure_has_a_caption_and_its_numbers_in_a_table(page):
    for figure in page.find_all("figure"):
        assert figure.find("figcaption").find("a").attributes["href"] == f"#{figure.attributes['id']}"
        assert list(figure.find_all("svg"))
        assert list(figure.find("details").find("tbody").find_all("tr"))


def test_ids_are_unique_and_every_reference_leads_to_one(page):
    ids = [one.attributes["id"] for one in page.find_all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-zA-Z][\w-]*", one) for one in ids)
    referred = [name for one in page.find_all() for name in one.attributes.get("aria-labelledby", "").split()]
    links = [one.attributes["href"] for one in page.find_all() if one.attributes.get("href", "").startswith("#")]
    assert {*referred, *(link[1:] for link in links)} <= set(ids)


def test_the_page_is_whole_by_itself_and_leads_only_to_pages_beside_it(page):
    attributes = [(name, value) for one in page.find_all() for name, value in one.attributes.items()]
    assert not [name for name, _ in attributes if name in ("src", "srcset", "action", "data", "xlink:href", "ping")]
    for value in (value for name, value in attributes if name == "href"):
        assert re.fullmatch(r"#[\w-]+|data:,|index\.html|\./\d{8}T\d{6}Z-[0-9a-f]{6}\.html", value), value
    tags = {one.tag for one in page.find_all()}
    assert not tags & {"img", "iframe", "object", "embed", "form", "base", "audio", "video"}
    assert not [value for name, value in attributes if name != "xmlns" and "//" in (value or "")]
    assert not re.search(r"@import|url\(", page.find("style").text)


def test_the_security_policy_lets_this_style_and_this_script_pass_and_nothing_else(page):
    page_rules.check_security_policy(page)


def test_the_policy_comes_before_all_that_it_is_for(page):
    names = [one.attributes.get("http-equiv", one.tag) for one in page.find("head").elements]
    assert names[0] == "meta"
    assert names[1] == "Content-Security-Policy"


def test_no_element_has_a_style_or_a_script_of_its_own(page):
    page_rules.check_attributes(page)


def test_every_marked_language_scroller_and_disclosure_is_whole(page):
    page_rules.check_disclosures(page)


def test_no_template_shows_what_python_calls_nothing(page):
    assert not re.findall(r"\b(?:None|nan|inf|undefined)\b|\{\{|\}\}|\{%", text_of(page))


def test_the_same_run_gives_the_same_text_twice(pages):
    assert render(ONE_FAILED) == pages["a failure"]


@pytest.mark.parametrize("name", RUNS)
def test_the_evidence_comes_back_from_its_file_as_it_was(name):
    evidence = compute(name)
    read_back = from_json(to_json(evidence))
    assert read_back == evidence
    assert to_json(read_back) == to_json(evidence)


def test_the_page_of_what_was_read_back_is_the_page_of_what_was_computed(pages):
    run = RUNS["a previous run"][0]
    assert render_report(run, compute("a previous run"), "en") == pages["a previous run"]


def test_what_is_no_evidence_is_refused():
    with pytest.raises(ValueError, match="comparison"):
        from_json(b"{}")


def text_of(page):
    """What a reader reads, without the style and the script."""
    hidden = {"style", "script"}

    def read(element):
        return "".join(
            child if isinstance(child, str) else read(child)
            for child in element.children
            if isinstance(child, str) or child.tag not in hidden
        )

    return read(page)


@pytest.fixture(scope="module")
def hostile_page():
    """A page on which every name that somebody could have chosen is hostile."""
    run = replace(
        HOSTILE_NAMES,
        parameters={**HOSTILE_NAMES.parameters, HOSTILE: HOSTILE, "source": HOSTILE},
        step_seconds={"train": 1.0},
        cpu=HOSTILE,
        code=replace(HOSTILE_NAMES.code, commit=HOSTILE),
    )
    before = replace(EARLIER_RUN, parameters={**EARLIER_RUN.parameters, "earlier": HOSTILE})
    facts = replace(review_facts(HOSTILE), review_ids=[HOSTILE] * COUNT)
    return render(run, word=HOSTILE, facts=facts, earlier=[before], discordant={HOSTILE: (100, 0)})


def test_hostile_text_makes_no_element_and_no_attribute(hostile_page):
    page = parse(hostile_page)
    tags = [one.tag for one in page.find_all()]
    assert "img" not in tags
    assert (tags.count("script"), tags.count("style")) == (1, 1)
    assert not [one for one in page.find_all() if {"onerror", "src"} & set(one.attributes)]
    assert "<img" not in hostile_page
    assert hostile_page.count("</script>") == 1


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("summary", 2),  # the failure and the choice
        ("comparison", 3),  # the name, its layers and its training
        ("pairs-evidence", 2),
        ("curves", 2),
        ("errors", 20),  # reviews, their ids and their words
        ("minimal-pairs", 2),
        ("data", 1),
        ("history", 2),
        ("provenance", 8),  # source, commit, processor, parameters and versions with their names
    ],
)
def test_hostile_text_can_be_read_in_every_section(hostile_page, name, least):
    assert section(parse(hostile_page), name).text.count(HOSTILE) >= least


def test_hostile_text_can_be_read_in_the_title(hostile_page):
    page = parse(render(a_run(a_training(HOSTILE, 0.43, 800))))
    assert f"{isolate(HOSTILE)} is the only variant." in page.find("title").text


def test_a_drawing_s_title_shows_hostile_text_as_text(hostile_page):
    titles = [svg.elements[0].text for svg in parse(hostile_page).find_all("svg")]
    assert f"loss of {isolate(HOSTILE)} by epoch" in titles


def test_a_name_that_turns_the_direction_of_writing_is_kept_apart_in_every_row(hostile_page):
    for row in section(parse(hostile_page), "comparison").find_all("tr"):
        for cell in row.find_all("th"):
            isolated = "".join(one.text for one in cell.find_all("bdi"))
            assert cell.text.count("\u202e") == isolated.count("\u202e")


def test_a_run_without_a_model_has_a_report_all_the_same(pages):
    page = parse(pages["no model"])
    assert "No model: every training failed." in page.find("h1").text
    assert page.find("title").text.startswith("Broken: No model: every training failed.")
    assert not list(section(page, "curves").find_all("svg"))
    rows = [row.text for row in section(page, "comparison").find("tbody").find_all("tr")]
    assert ["withdrawn: gru-seed42 failed" in rows[0], "withdrawn: lstm-seed42 failed" in rows[1]] == [True, True]
    assert "No training finished." in section(page, "curves").text
    assert "No variant finished all its trainings." in section(page, "errors").text
    assert "No minimal pairs were scored" in section(page, "minimal-pairs").text


def test_a_failed_variant_is_named_before_anything_is_said_of_the_others(pages):
    page = parse(pages["a failure"])
    assert "1 of 3 variants failed, so no winner is named." in page.find("h1").text
    [row] = section(page, "summary").find("tbody").find_all("tr")
    assert [cell.text.strip() for cell in row.elements] == [
        "gru-seed42",
        "it was killed by SIGKILL",
        "Probably too little memory: give --jobs a smaller number.",
    ]
    summary = section(page, "summary").text
    assert summary.index("it was killed by SIGKILL") < summary.index("Of the variants that finished")
    assert "By the rule" not in text_of(page)


def test_a_failed_variant_s_row_and_pairs_are_withdrawn(pages):
    page = parse(pages["a failure"])
    rows = {row.elements[0].find("bdi").text: row for row in section(page, "comparison").find("tbody").find_all("tr")}
    assert list(rows)[:3] == ["lstm", "lstm_dropout", "gru"]
    assert rows["gru"].elements[1].text.strip() == "withdrawn: gru-seed42 failed"
    assert "2 pairs are withdrawn, because a training of each failed." in section(page, "pairs-evidence").text


def badges(page):
    return [one.text for one in section(page, "comparison").find_all("span") if one.attributes["class"] == "badge"]


def test_the_chosen_variant_alone_has_a_badge(pages):
    page = parse(pages["a run"])
    assert badges(page) == ["chosen"]
    best = section(page, "comparison").find("tbody").find("tr")
    assert (best.attributes.get("class"), best.find("bdi").text) == ("best", "lstm")


@pytest.mark.parametrize("name", ["a failure", "no model", "a failure over seeds"])
def test_where_a_variant_failed_no_row_is_called_the_best(pages, name):
    assert badges(parse(pages[name])) == []
    assert 'class="best"' not in pages[name]


def test_a_failed_baseline_does_not_take_the_badge_from_the_best():
    run = replace(FOUR_VARIANTS, baselines=(), failures=(FailedTraining("simple_rnn", 42, "no"),))
    page = parse(render(run))
    assert "lstm is chosen" in section(page, "summary").text
    assert badges(page) == ["chosen"]


def test_a_notice_is_in_the_head_of_the_page():
    run = replace(FOUR_VARIANTS, notice="These reviews are made up.")
    page = parse(render_report(run, compute("a run"), "en"))
    assert "These reviews are made up." in page.find("header").text


def test_several_seeds_are_compared_over_seeds_as_well(pages):
    seeds, one_seed = (
        [cell.text for cell in section(parse(pages[name]), "pairs-evidence").find_all("th")]
        for name in ("seeds", "a run")
    )
    assert "Difference over seeds" in seeds
    assert "Difference over seeds" not in one_seed


def test_a_figure_that_got_worse_is_named_with_what_changed(pages):
    history = section(parse(pages["a previous run"]), "history").text
    assert "Worse: lstm, test accuracy 90.0% → 80.0%" in " ".join(history.split())
    assert "McNemar" in history
    changed = [row.elements[0].text for row in section(parse(pages["a previous run"]), "history").find_all("tr")]
    assert "cpu" in changed


def test_the_previous_run_is_one_link_away(pages):
    links = [one.attributes["href"] for one in parse(pages["a previous run"]).find("header").find_all("a")]
    assert links == ["index.html", "./20261122T020000Z-abc123.html"]
    assert [one.attributes["href"] for one in parse(pages["a run"]).find("header").find_all("a")] == ["index.html"]


def test_words_outside_the_vocabulary_and_cut_words_are_marked(pages):
    review = section(parse(pages["a run"]), "errors").find("li")
    marked = [one.text for one in review.find_all("span") if one.attributes["class"] == "oov"]
    assert marked == ["⟨rare⟩"]
    assert "film ⟨rare⟩ film" in review.text


def test_without_a_word_index_the_page_says_so(pages):
    assert NO_REVIEW_IS_SHOWN in pages["no word index"]
    assert NO_REVIEW_IS_SHOWN not in pages["a run"]


def test_where_no_model_is_wrong_no_review_is_shown_and_the_page_says_so():
    run = a_run(a_training("lstm", 0.1, COUNT), a_training("gru", 0.2, COUNT))
    errors = section(parse(render_report(run, evidence_of(run, measured=measure(run)), "en")), "errors")
    assert NO_REVIEW_IS_SHOWN in errors.text
    assert not list(errors.find_all("ol"))


def test_the_suspected_labels_are_counted_and_marked_in_the_one_list_of_hard_reviews(pages):
    errors = section(parse(pages["a run"]), "errors")
    assert re.search(r"The models doubt \d+ labels \(\d+\.\d%\)\. Some labels are wrong", errors.text)
    assert "All pairs without these reviews" in errors.text
    reviews = list(errors.find_all("li"))
    ids = [review.elements[1].find("bdi").text for review in reviews]
    assert len(ids) == len(set(ids)) >= 10
    assert sum("label may be wrong" in review.text for review in reviews) == 10


def test_where_no_label_is_suspected_the_reviews_are_shown_all_the_same():
    evidence = compute("a run")
    errors = replace(evidence.errors, suspects=(), suspect_count=0)
    page = parse(render_report(FOUR_VARIANTS, replace(evidence, errors=errors), "en"))
    headings = [one.text for one in section(page, "errors").find_all("h3")]
    assert NO_REVIEW_IS_SHOWN not in text_of(page)
    assert "Hard reviews" in headings
    assert not any(heading.startswith("Labels that may be wrong") for heading in headings)


def test_every_failed_pair_of_sentences_is_in_the_table(pages):
    minimal_pairs = section(parse(pages["a run"]), "minimal-pairs")
    rows = list(list(minimal_pairs.find_all("table"))[1].find("tbody").find_all("tr"))
    assert [cell.text for cell in rows[0].find_all("td")][:2] == ["this film is good", "this film is never good"]
    assert rows[0].text.count("✗") == 1


def test_a_run_on_few_reviews_of_one_kind_has_a_report_all_the_same():
    run = replace(FOUR_VARIANTS, baselines=())
    measured = measure_as_recorded(run)
    positive = measured.test.labels
    few = replace(measured, test=measured.test.select(positive & (np.arange(COUNT) < 40)))
    page = parse(render_report(run, evidence_of(run, measured=few, described=False), "en"))
    assert "–" in [cell.text.strip() for cell in section(page, "comparison").find_all("td")]


def realistic_history(place):
    """A hundred epochs as a training of the recipe has them, no two alike."""
    epochs = np.arange(1, 101)
    noise = np.random.default_rng(place).normal(0, 0.002, (4, 100))
    loss = 0.39 + 0.3 * np.exp(-epochs / 15)
    return {
        "epoch": epochs.tolist(),
        "loss": (loss + noise[0]).tolist(),
        "val_loss": (loss + 0.04 + noise[1]).tolist(),
        "accuracy": (1.2 - loss + noise[2]).tolist(),
        "val_accuracy": (1.17 - loss + noise[3]).tolist(),
    }


@pytest.mark.parametrize(("run", "most"), [(FOUR_VARIANTS, 400_000), (MANY_SEEDS, 600_000)], ids=["one", "25"])
def test_a_long_run_fits_in_400_kilobytes_and_with_25_seeds_in_600(run, most):
    run = replace(run, trainings=tuple(replace(one, epochs=100, best_epoch=97) for one in run.trainings))
    measured = measure_as_recorded(run, plain_baselines=True)
    histories = {name: realistic_history(place) for place, name in enumerate(measured.histories)}
    # A hundred words of 5 letters, of which every fourth is outside the vocabulary.
    words = ("words",) * 100
    facts = replace(review_facts(), decode=lambda _: (words, tuple(range(0, 100, 4)), 1234))
    earlier = [
        replace(run, run_id=f"202610{day:02}T020000Z-abc123", started=f"2026-10-{day:02}T02:00:00Z")
        for day in range(1, 32)
    ]
    evidence = evidence_of(run, measured=replace(measured, histories=histories), facts=facts, earlier=earlier)
    variants = ["lstm", "lstm_dropout", "lstm_stacked", "gru"]
    said = dict.fromkeys(variants, (0.123456789, 0.987654321))
    minimal_pairs = replace(
        evidence.minimal_pairs,
        categories=tuple(
            PairCategory(name, expectation, 20, dict.fromkeys(variants, (1, 2, 3) * 8))
            for name, expectation in EXPECTATIONS.items()
        ),
        failures=tuple(
            PairOutcome(pair.category, pair.identifier, pair.first, pair.second, said, tuple(variants))
            for pair in PAIRS
        ),
    )
    page = render_report(run, replace(evidence, minimal_pairs=minimal_pairs), "en")
    assert len(page.encode()) < most
