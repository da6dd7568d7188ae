"""The page leads with the decision: its headline, what to do, the checks, and the two models side by side."""

from dataclasses import replace
from functools import cache

import pytest

from reports.page.conclusion import write_conclusion
from reports.page.decision_words import describe_decision, headline_decision
from reports.page.gate_tables import write_decision
from reports.page.language import Language
from reports.page.plain_text import render_markdown, render_verdict
from reports.page.report_page import render_report
from tests.example_decisions import CHAMPION, DECISIONS, PROPOSED
from tests.example_runs import EARLIER_RUN, FOUR_VARIANTS, ONE_FAILED, evidence_of
from tests.pages import parse

ENGLISH = Language("en")
GRU = "gru-seed42 of November 12, 2026"


@cache
def four_variants():
    return evidence_of(FOUR_VARIANTS)


def with_decision(name):
    return replace(four_variants(), decision=DECISIONS[name])


def conclude(name, run=FOUR_VARIANTS, evidence=None):
    evidence = replace(evidence or four_variants(), decision=DECISIONS[name])
    return write_conclusion(run, evidence, ENGLISH)


@cache
def page_of(name, language="en"):
    return render_report(FOUR_VARIANTS, with_decision(name), language)


@pytest.mark.parametrize(
    ("name", "glyph", "word", "headline"),
    [
        ("proposed", "▲", "Proposed", f"lstm-seed42 replaces {GRU}: +0.90 points, a clear difference."),
        ("promoted", "✔", "Decision: promote", f"lstm-seed42 replaces {GRU}: +0.90 points, a clear difference."),
        (
            "refreshed",
            "▲",
            "Proposed",
            f"lstm-seed42 replaces {GRU}: trained on newer reviews, and not worse (+0.90 points).",
        ),
        ("kept", "■", "Keep", f"{GRU} stays: no clear difference."),
        ("worse", "■", "Keep", f"{GRU} stays: lstm-seed42 is clearly worse."),
        ("guards", "■", "Keep", f"{GRU} stays: lstm-seed42 fails the check of log loss."),
        ("blocked", "■", "Keep", f"{GRU} stays: lstm-seed42 is blocked."),
        ("spent", "■", "Keep", f"{GRU} stays: the year's comparisons are used up."),
        ("same", "■", "Keep", f"{GRU} stays: this run trained the same model again."),
        ("again", "▲", "Proposed", f"lstm-seed42 replaces {GRU}, as proposed before; nobody has decided yet."),
        ("kept again", "■", "Keep", f"{GRU} stays: the same model was judged on these reviews before."),
        (
            "refused",
            "✕",
            "Refused",
            "The champion could not be loaded. runs/x/model.keras must be there and is missing.",
        ),
        ("first", "▲", "Proposed", "lstm-seed42 becomes the first champion: it is better than the baselines."),
    ],
)
def test_each_outcome_has_its_sign_its_word_and_its_sentence(name, glyph, word, headline):
    conclusion = conclude(name)
    assert (conclusion.tone.glyph, conclusion.word, conclusion.headline) == (glyph, word, headline)


PROMOTION = 'retrain champion promote 20261123T020000Z-abc123 lstm-seed42 --expect 17 --why "..."'


@pytest.mark.parametrize(
    ("name", "action", "command"),
    [
        ("proposed", "Your turn:", PROMOTION),
        ("again", "Your turn:", PROMOTION),
        ("korean", "Your turn:", PROMOTION.replace(" --why", " --champion korean --why")),
        ("promoted", "Nothing to do. This goes back:", 'retrain champion rollback --expect 18 --why "..."'),
        ("kept", "Nothing to do.", ""),
        ("refused", "Mend the cause and run again; the champion stays as it is.", ""),
    ],
)
def test_what_to_do_and_the_exact_command(name, action, command):
    conclusion = conclude(name)
    assert (conclusion.action, conclusion.command) == (action, command)


def test_a_decision_that_changes_nothing_does_not_hide_that_figures_got_worse():
    worse = evidence_of(FOUR_VARIANTS, earlier=[EARLIER_RUN], discordant={"lstm": (150, 50)})
    conclusion = conclude("kept", evidence=worse)
    assert conclusion.tone.name == "act"
    assert conclusion.headline.endswith("stays: no clear difference.")
    assert conclusion.action == "Find out why figures got worse since the previous run."


def test_a_failed_variant_leads_whatever_was_decided():
    conclusion = conclude("refused", ONE_FAILED, evidence_of(ONE_FAILED))
    assert (conclusion.tone.name, conclusion.headline[:20]) == ("broken", "1 of 3 variants fail")


def test_the_comparison_of_the_variants_follows_the_decision():
    conclusion = conclude("proposed")
    assert conclusion.evidence[0].startswith("No clear winner: lstm")


def test_the_sentences_say_what_was_compared_how_sure_it_is_and_what_is_left():
    text = " ".join(describe_decision(PROPOSED, ENGLISH))
    assert "Compared on 24,676 test reviews; 123 are left out because the champion was trained on them" in text
    assert "The new model gets +0.90 points more right (+0.60 to +1.20): 900 reviews are right now" in text
    assert "A clear difference needs p ≤ 0.00014 (one-sided, exact); here p = 1e-09." in text
    assert "A gain of +0.58 points would have been clear in this run." in text
    assert "3 of the year's 365 comparisons are used; 362 are left." in text
    assert "The champion's own figure is a little too good" in text


def test_the_policy_refresh_says_that_no_budget_covers_it_and_how_the_anchor_did():
    text = " ".join(describe_decision(DECISIONS["refreshed"], ENGLISH))
    assert "the yearly budget of false promotions covers the policy better alone" in text
    assert "The best champion of the last 365 days (record 12) gets 81.0% here; the new model −0.10 points." in text


def test_report_only_says_that_nobody_is_told():
    assert describe_decision(DECISIONS["report only"], ENGLISH)[-1].startswith("Mode report_only: the page alone")


def test_failed_checks_are_open_and_the_passed_ones_are_counted_and_closed():
    written = write_decision(DECISIONS["guards"], (), ENGLISH)
    assert [row[:4] for row in written.failed.rows] == [
        ("log loss", "failed", "+0.0200 nats", "≤ +0.0050 nats"),
        ("time to predict", "warning", "2.4 times", "≤ 2.0 times"),
    ]
    assert written.passed_title == "8 checks passed"
    page = parse(page_of("guards"))
    (section,) = [one for one in page.find_all("section") if one.attributes["id"] == "decision"]
    closed = [one for one in section.find_all("details") if "8 checks passed" in one.find("summary").text]
    assert "open" not in closed[0].attributes
    assert "+0.0200 nats" not in closed[0].text
    assert "+0.0200 nats" in section.text


def test_a_failed_check_of_what_must_hold_shows_its_error():
    written = write_decision(DECISIONS["refused"], (), ENGLISH)
    assert written.failed.rows[0][2] == "runs/x/model.keras must be there and is missing."
    assert written.sides is None


def test_the_two_models_stand_side_by_side():
    rows = {row[0]: row[1:] for row in write_decision(PROPOSED, (), ENGLISH).sides.rows}
    assert rows["Accuracy"] == ("80.90% (80.00%–81.80%)", "80.00% (79.00%–81.00%)")
    assert rows["Minimal pairs passed"] == ("50 of 100", "50 of 100")
    assert rows["Accuracy, negative (500)"] == ("81.00%", "81.00%")
    assert "Accuracy, week of September 6, 2025 (700)" in rows or any("week of" in name for name in rows)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", DECISIONS)
def test_every_decision_has_words_in_both_languages(name, language):
    decision, spoken = DECISIONS[name], Language(language)
    conclusion = write_conclusion(FOUR_VARIANTS, with_decision(name), spoken)
    assert all((conclusion.word, conclusion.headline, conclusion.action))
    written = write_decision(decision, describe_decision(decision, spoken), spoken)
    assert len(written.passed.rows) + len(written.failed.rows if written.failed else ()) == len(decision.checks)


@pytest.mark.parametrize(("name", "language"), [("proposed", "en"), ("refused", "ko")])
def test_the_same_decision_gives_the_same_whole_page(name, language):
    page = page_of(name, language)
    assert page == render_report(FOUR_VARIANTS, with_decision(name), language)
    assert len(page.encode()) < 600_000
    parse(page)


def test_the_champion_is_a_row_of_the_comparison_and_a_line_of_the_curves():
    page = parse(page_of("proposed"))
    (section,) = [one for one in page.find_all("section") if one.attributes["id"] == "comparison"]
    rows = [row.text for row in section.find("table").find_all("tr")]
    (champion,) = [text for text in rows if CHAMPION.run_id in text]
    assert "80.0%" in champion
    assert "−0.90" in champion
    assert "The thin line is the champion's training" in page.text


def test_flips_are_shown_as_readable_reviews():
    page = page_of("proposed")
    assert "Reviews that the champion has right and the new model has wrong" in page
    assert "⟨rare⟩" in page


def test_terminal_and_prefect_get_the_decision_and_the_command():
    evidence = with_decision("proposed")
    verdict = render_verdict(FOUR_VARIANTS, evidence, "en")
    assert verdict.startswith(f"Proposed: lstm-seed42 replaces {GRU}")
    assert verdict.endswith(f"Your turn: {PROMOTION}")
    assert f"`{PROMOTION}`" in render_markdown(FOUR_VARIANTS, evidence, "page.html", "en")


def test_a_page_without_a_decision_has_no_section_for_it():
    page = parse(render_report(FOUR_VARIANTS, evidence_of(FOUR_VARIANTS), "en"))
    assert [one for one in page.find_all("section") if one.attributes["id"] == "decision"] == []


@pytest.mark.parametrize(
    "reason",
    [
        *("failed_variant", "no_model", "not_finite", "missing_metric", "no_common_reviews", "challenger_unusable"),
        *("challenger_drifted", "champion_drifted", "anchor_unusable", "anchor_drifted", "failed"),
    ],
)
def test_every_refusal_has_a_sentence(reason):
    text = headline_decision(replace(DECISIONS["refused"], reasons=(reason,)), ENGLISH)
    assert len(text) > 20
    assert reason not in text
