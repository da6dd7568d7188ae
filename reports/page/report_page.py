"""Render one run as one self-contained HTML page."""

from __future__ import annotations

from reports.evidence import Evidence
from reports.page import learning_curves, report_charts, run_details, sentences
from reports.page.charts import assign_styles
from reports.page.language import Language
from reports.page.rendering import render
from storage.records import Run


def render_report(run: Run, evidence: Evidence, language_code: str) -> str:
    """Return the whole page. The same arguments give the same text.

    Args:
        run: The run's record.
        evidence: The evidence of the same run.
        language_code: "en" or "ko".
    """
    language = Language(language_code)
    styles = assign_styles(run.known.variants)
    errors, data, history = evidence.errors, evidence.data, evidence.history
    return render(
        "report.html.j2",
        language,
        run=run,
        evidence=evidence,
        verdict=sentences.write_verdict(run, evidence, language),
        curves=learning_curves.draw_curves(run, evidence, language),
        overlay=learning_curves.draw_overlay(evidence, styles, language),
        book=any(learning_curves.has_book_curve(run, name) for name in run.known.variants),
        pairs_chart=report_charts.draw_pairs(evidence.pairs, language),
        probability_charts=report_charts.draw_probability_curves(errors, styles, language) if errors else [],
        lengths=report_charts.draw_lengths(data, language) if data else None,
        history_charts=report_charts.draw_history(history, styles, language),
        without_suspects=sentences.compare_without_suspects(evidence, errors, language) if errors else "",
        test_set_uses=sentences.describe_test_set_uses(history, language),
        withdrawn=[(pair, sentences.explain_withdrawal(pair, run, language)) for pair in evidence.pairs.withdrawn],
        fact_tables=run_details.list_facts(run, language),
        data_hashes=run_details.list_data_hashes(run, language),
        file_table=run_details.list_files(run, language),
        commands=(run_details.render_command(run), run_details.repeat_command(run)),
    )
