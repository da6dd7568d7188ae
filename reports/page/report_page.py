"""Render one run as one self-contained HTML page."""

from __future__ import annotations

from reports.evidence import Evidence
from reports.page import curve_figures, figures, run_details, sentences
from reports.page.charts import styles_of
from reports.page.language import Language
from reports.page.rendering import render
from storage.records import Run


def render_report(run: Run, evidence: Evidence, language: str) -> str:
    """Return the whole page. The same run gives the same text; everything that is not our own markup is escaped."""
    spoken = Language(language)
    styles = styles_of(run.parameters["variants"])
    errors, data, history = evidence.errors, evidence.data, evidence.history
    return render(
        "report.html.j2",
        spoken,
        run=run,
        evidence=evidence,
        verdict=sentences.reach_verdict(run, evidence, spoken),
        variants=[row for row in evidence.comparison if not row.is_baseline],
        curves=curve_figures.draw_curves(run, evidence, spoken),
        overlay=curve_figures.draw_overlay(evidence, styles, spoken),
        book=any(curve_figures.has_book_curve(run, name) for name in run.parameters["variants"]),
        pairs_chart=figures.draw_pairs(evidence.pairs, spoken),
        rate_charts=figures.draw_rates(errors, styles, spoken) if errors else [],
        lengths=figures.draw_lengths(data, spoken) if data else None,
        history_charts=figures.draw_history(history, styles, spoken),
        recheck=sentences.judge_recheck(evidence, errors, spoken) if errors else "",
        looks=sentences.describe_looks(history, spoken),
        withdrawn=[(pair, sentences.withdraw(pair, run, spoken)) for pair in evidence.pairs.withdrawn],
        fact_tables=run_details.list_facts(run, spoken),
        data_hashes=run_details.list_data_hashes(run, spoken),
        file_table=run_details.list_files(run, spoken),
        commands=(run_details.render_command(run), run_details.repeat_command(run)),
    )
