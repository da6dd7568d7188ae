"""The comparison as Markdown and as a table for terminals."""

from __future__ import annotations

from dataclasses import replace

from reports.page.plain_text import render_markdown, render_verdict, table_cells
from storage.records import FailedTraining
from tests.example_runs import ALL_FAILED, FOUR_VARIANTS, a_run, a_training, evidence_of


def test_the_markdown_begins_with_the_failure_and_ends_with_the_last_training():
    run = a_run(
        a_training("lstm", 0.43, 800),
        a_training("lstm_dropout", 0.44, 805),
        failures=[FailedTraining("gru", 42, "gone")],
    )
    evidence = evidence_of(run, plain_baselines=False)
    markdown = render_markdown(run, evidence, "/srv/reports/x.html", "en")
    assert markdown.startswith("**gru-seed42 failed: gone**\n")
    assert (
        "**✖ Broken: 1 of 3 variants failed, so no winner is named.** "
        "Mend what failed and run again; until then no variant is chosen.\n"
    ) in markdown
    assert "\nOf the variants that finished, lstm has" in markdown
    assert "Report: `/srv/reports/x.html`\n" in markdown
    test_loss = f"{evidence.trainings[1].test.loss.estimate:.4f}"
    assert markdown.splitlines()[-1] == (
        f"| lstm_dropout-seed42 | 3 | 2 | 0.4100 | 0.4400 | {test_loss} | 82.00% | 79.00% | 80.50% | 77.93%–82.84% "
        "| +0.0300 | 8,809 | 26 |"
    )


def test_the_markdown_quotes_the_notice_and_holds_the_verdict():
    run = replace(FOUR_VARIANTS, notice="These reviews are made up.")
    markdown = render_markdown(run, evidence_of(run), "x.html", "en")
    assert markdown.startswith("> These reviews are made up.\n")
    assert (
        "**● All well: No clear winner: lstm and lstm_dropout are level; gru and lstm_stacked are clearly" in markdown
    )
    assert "It gets 80.0% of 1,000 test reviews right" in markdown
    assert "This is the first run on these test reviews." in markdown


def test_the_verdict_in_plain_text_has_neither_the_failures_nor_what_changed():
    run = replace(FOUR_VARIANTS, failures=(FailedTraining("gru", 43, "gone"),))
    verdict = render_verdict(run, evidence_of(run), "en")
    assert verdict.startswith("1 of 4 variants failed, so no winner is named. Of the variants that finished, lstm has")
    assert "gone" not in verdict
    assert "first run" not in verdict
    assert render_verdict(ALL_FAILED, evidence_of(ALL_FAILED), "en") == (
        "No model: every training failed. Mend what failed and run again; until then no variant is chosen."
    )


def test_the_markdown_of_a_run_without_a_model_has_a_table_without_rows():
    lines = render_markdown(ALL_FAILED, evidence_of(ALL_FAILED), "x.html", "en").splitlines()
    assert lines[:3:2] == ["**gru-seed42 failed: no**", "**lstm-seed42 failed: no**"]
    assert lines[-1] == "|" + " --- |" * 13


def test_the_table_for_terminals_has_as_many_cells_in_each_row_as_in_its_header():
    header, *rows = table_cells(evidence_of(FOUR_VARIANTS).trainings)
    assert [len(row) for row in rows] == [13] * 5
    assert len(header) == 13
    assert [row[0] for row in rows] == [
        "lstm-seed42",
        "lstm_dropout-seed42",
        "gru-seed42",
        "lstm_stacked-seed42",
        "simple_rnn-seed42 (baseline)",
    ]
