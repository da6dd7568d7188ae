"""Render one run as one self-contained HTML page."""

from __future__ import annotations

from functools import partial
from statistics import median

from reports.analysis.statistics import Interval
from reports.evidence import LEAST_OWN_REVIEWS, Evidence
from reports.page import learning_curves, report_charts, row_charts, run_details, sentences
from reports.page.conclusion import write_conclusion
from reports.page.decision_words import describe_decision
from reports.page.failures import list_failures
from reports.page.findings import rank_findings
from reports.page.gate_tables import DecisionText, write_decision
from reports.page.hard_reviews import list_hard_reviews, make_readable
from reports.page.language import Language
from reports.page.own_section import explain_test_set, name_test_set, write_own_reviews
from reports.page.palette import assign_styles
from reports.page.rendering import render
from reports.page.scale import span_accuracies
from reports.sections.decision_section import Decision
from reports.sections.gate_policy import write_policy
from storage.records import Run


def render_report(run: Run, evidence: Evidence, language_code: str) -> str:
    """Return the whole page. The same arguments give the same text.

    Args:
        run: The run's record.
        evidence: The evidence of the same run.
        language_code: "en" or "ko".
    """
    language = Language(language_code)
    best = next((row.name for row in evidence.comparison if row.figures and not row.is_baseline), None)
    styles = assign_styles(run.known.variants, {best} if best else ())
    errors, data, history = evidence.errors, evidence.data, evidence.history
    return render(
        "report.html.j2",
        language,
        run=run,
        evidence=evidence,
        own=write_own_reviews(evidence.own_reviews, language) if evidence.own_reviews else None,
        test_set_note=_note_test_set(evidence, language),
        other_set=name_test_set(evidence.other.test_set, language) if evidence.other else "",
        name_slice=partial(sentences.name_slice, language=language),
        scale=span_accuracies(evidence.comparison),
        differences=differences_from_best(evidence, best),
        conclusion=write_conclusion(run, evidence, language),
        failures=list_failures(run, language),
        findings=rank_findings(evidence, language),
        decided=_write_decision(evidence.decision, language) if evidence.decision else None,
        policy_text=write_policy(evidence.decision.policy) if evidence.decision else "",
        flips=[make_readable(one, language) for one in evidence.decision.flips] if evidence.decision else [],
        median=median,
        name_kind_of_pair=partial(sentences.name_kind_of_pair, language=language),
        curves=learning_curves.draw_curves(run, evidence, language),
        overlay=learning_curves.draw_overlay(evidence, styles, language),
        book=any(learning_curves.has_book_curve(run, name) for name in run.known.variants),
        pairs_chart=row_charts.chart_pairs(evidence.pairs, best, language),
        slices_chart=row_charts.chart_slices(evidence, best, language),
        calibration=report_charts.draw_calibration(errors, styles, language) if errors else None,
        probability_charts=report_charts.draw_probability_curves(errors, styles, language) if errors else [],
        lengths=report_charts.draw_lengths(data, language) if data else None,
        history_chart=report_charts.draw_history(history, styles, language),
        hard_reviews=list_hard_reviews(errors, language) if errors else [],
        without_suspects=sentences.compare_without_suspects(evidence, errors, language) if errors else "",
        test_set_uses=sentences.describe_test_set_uses(history, language),
        withdrawn=[(pair, sentences.explain_withdrawal(pair, run, language)) for pair in evidence.pairs.withdrawn],
        fact_tables=run_details.list_facts(run, language),
        data_hashes=run_details.list_data_hashes(run, language),
        file_table=run_details.list_files(run, language),
        commands=(run_details.render_command(run), run_details.repeat_command(run)),
    )


def _write_decision(decision: Decision, language: Language) -> DecisionText:
    return write_decision(decision, describe_decision(decision, language), language)


def _note_test_set(evidence: Evidence, language: Language) -> str:
    """Return which of two test sets the verdict rests on; an empty text if the run has one only."""
    if evidence.other is None or evidence.own_reviews is None:
        return ""
    count = evidence.own_reviews.parts["test"]
    return explain_test_set(evidence.test_set, count, LEAST_OWN_REVIEWS, language)


def differences_from_best(evidence: Evidence, best: str | None) -> dict[str, Interval]:
    """Return by variant and baseline its test accuracy minus that of the chosen variant, with the 95% interval."""
    pairs = {row.second: row.difference for row in evidence.pairs.rows if row.first == best}
    checks = {check.baseline: check.difference for check in evidence.baseline_checks}
    return {name: Interval(-one.estimate, -one.high, -one.low) for name, one in {**pairs, **checks}.items()}
