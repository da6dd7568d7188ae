"""The section on the gate's decision: its checks as tables, and the two models side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from reports.analysis.statistics import wilson_interval
from reports.page.language import MISSING, Language
from reports.page.sentences import name_slice
from reports.page.tables import Table
from reports.sections.decision_section import Contender, Decision, GateCheck
from reports.sections.errors_section import Slice


class DecisionText(NamedTuple):
    """What the page shows of a decision.

    Attributes:
        sentences: What was compared, and how sure it is.
        failed: The failed checks as a table; None if there are none.
        passed: All other checks as a table.
        passed_title: How many checks passed.
        sides: The two models side by side; None if there is no champion.
        feedback: What later labels say of the champion, by week; None if nobody gave any.
    """

    sentences: tuple[str, ...]
    failed: Table | None
    passed: Table
    passed_title: str
    sides: Table | None
    feedback: Table | None


def write_decision(decision: Decision, sentences: tuple[str, ...], language: Language) -> DecisionText:
    """Return the section on the decision; `sentences` are from `reports.page.decision_words`."""
    gettext = language.gettext
    failed = [check for check in decision.checks if check.result in ("failed", "warned")]
    rest = [check for check in decision.checks if check not in failed]
    count = sum(check.result == "passed" for check in rest)
    return DecisionText(
        sentences,
        _tabulate(failed, gettext("Checks that did not pass"), language) if failed else None,
        _tabulate(rest, gettext("Checks that passed, and checks that do not apply"), language),
        language.ngettext("{count} check passed", "{count} checks passed", count),
        _compare_sides(decision, language) if decision.champion and decision.champion.accuracy else None,
        _tabulate_feedback(decision, language) if decision.feedback else None,
    )


def _tabulate_feedback(decision: Decision, language: Language) -> Table:
    gettext = language.gettext
    labelled = sum(count for _, count, _ in decision.feedback)
    caption = gettext(
        "The champion on reviews that were labelled later: {labelled} of {scored} scored ones, a selected sample",
        labelled=language.integer(labelled),
        scored=language.integer(decision.feedback_scored),
    )
    rows = []
    for week, count, right in decision.feedback:
        one = wilson_interval(right, count)
        interval = language.interval(language.percent(one.low), language.percent(one.high))
        shown = week if week == "unknown" else language.day(f"{week}T00:00:00+00:00")
        rows.append((shown, language.integer(count), f"{language.percent(one.estimate)} ({interval})"))
    return Table(caption, (gettext("Week"), gettext("Labelled"), gettext("Accuracy")), tuple(rows))


def name_champion(one: Contender, language: Language) -> str:
    """Return a champion's name with the day of its run: "gru-seed42 of November 12, 2026"."""
    found = re.match(r"(\d{4})(\d\d)(\d\d)T", one.run_id)
    if not found:
        return one.training
    day = language.day(f"{found[1]}-{found[2]}-{found[3]}T00:00:00+00:00")
    return language.gettext("{name} of {day}", name=one.training, day=day)


def name_check(check: GateCheck, language: Language) -> str:
    """Return the name of a check."""
    gettext = language.gettext
    names = {
        "variants": gettext("every variant finished"),
        "models": gettext("the run has a model"),
        "finite": gettext("all figures are numbers"),
        "metrics": gettext("no figure is missing"),
        "common": gettext("reviews to compare on"),
        "challenger_loads": gettext("the new model loads without this project"),
        "challenger_references": gettext("the new model repeats its outputs"),
        "champion_loads": gettext("the champion loads without this project"),
        "champion_references": gettext("the champion repeats its outputs"),
        "anchor_loads": gettext("the year's best champion loads"),
        "anchor_references": gettext("the year's best champion repeats its outputs"),
        "better": gettext("clearly more accurate"),
        "newer": gettext("trained on newer reviews"),
        "not_worse": gettext("as accurate as the champion"),
        "anchor": gettext("as accurate as the year's best champion"),
        "majority": gettext("clearly better than the majority class"),
        "bag_of_words": gettext("as good as the bag of words"),
        "log_loss": gettext("log loss"),
        "minimal_pairs": gettext("minimal pairs"),
        "calibration": gettext("calibration error"),
        "flips": gettext("reviews that are wrong now and were right"),
        "least_accuracy": gettext("lowest accuracy allowed"),
        "most_loss": gettext("highest log loss allowed"),
        "latency": gettext("time to predict"),
    }
    if check.name == "slice":
        if check.part is None:
            return gettext("kinds of reviews")
        return gettext("reviews, {kind}", kind=name_part(check.part, language))
    return names[check.name]


def name_part(part: tuple[str, float, float | None], language: Language) -> str:
    """Return what a kind of reviews has in common."""
    by, low, high = part
    if by == "label":
        return language.gettext("positive") if low else language.gettext("negative")
    return name_slice(Slice(by, low, high, 0, {}), language)


def _tabulate(checks: list[GateCheck], caption: str, language: Language) -> Table:
    gettext = language.gettext
    header = (gettext("Check"), gettext("Result"), gettext("Found"), gettext("Limit"), "p")
    return Table(caption, header, tuple(_row_of(check, language) for check in checks))


def _row_of(check: GateCheck, language: Language) -> tuple[str, ...]:
    gettext = language.gettext
    results = {
        "passed": gettext("passed"),
        "failed": gettext("failed"),
        "warned": gettext("warning"),
        "not applicable": gettext("does not apply"),
    }
    found = _format_value(check, check.value, language)
    if check.detail and check.result == "failed":
        found = check.detail
    return (
        name_check(check, language),
        results[check.result],
        found,
        _format_limit(check, language),
        language.p_value(check.p_value),
    )


def _format_value(check: GateCheck, value: float | None, language: Language) -> str:
    gettext = language.gettext
    if value is None:
        return MISSING
    formats: dict[str, Callable[[float], str]] = {
        "log_loss": lambda loss: gettext("{loss} nats", loss=language.decimal(loss, 4, signed=True)),
        "most_loss": lambda loss: gettext("{loss} nats", loss=language.decimal(loss, 4)),
        "newer": language.integer,
        "latency": lambda times: gettext("{times} times", times=language.decimal(times, 1)),
        "calibration": lambda error: language.decimal(error, 4, signed=True),
        "flips": lambda share: language.percent(share, 2),
        "least_accuracy": lambda share: language.percent(share, 2),
    }
    if check.name in formats:
        return formats[check.name](value)
    # Of a guard, how much worse; of a reason, how much better.
    return gettext("{points} points", points=format_points(-value if check.kind == "guard" else value, language))


def _format_limit(check: GateCheck, language: Language) -> str:
    if check.limit is None:
        return MISSING
    if check.name == "better":
        return f"p ≤ {check.limit:.2g}"
    sign = "≥" if check.kind in ("reason", "guard") or check.name == "least_accuracy" else "≤"
    if check.name in ("log_loss", "calibration", "flips", "latency", "most_loss"):
        sign = "≤"
    if check.name == "majority":
        sign = ">"
    return f"{sign} {_format_value(check, check.limit, language)}"


def _compare_sides(decision: Decision, language: Language) -> Table:
    """Return challenger and champion side by side on the same reviews."""
    gettext, now, before = language.gettext, decision.challenger, decision.champion
    if now is None or before is None:
        raise ValueError("two models must be there to be compared")
    header = (gettext("Figure"), now.training, name_champion(before, language))
    rows = [
        (gettext("Accuracy"), *(_with_interval(one, language) for one in (now, before))),
        (gettext("Log loss"), *(_format_loss(one, language) for one in (now, before))),
        (gettext("Expected calibration error"), *(language.decimal(one.calibration, 4) for one in (now, before))),
        (gettext("Minimal pairs passed"), *(_count_pairs(one, language) for one in (now, before))),
        (gettext("ms per 1,000 reviews"), *(language.decimal(one.milliseconds, 1) for one in (now, before))),
    ]
    accuracies = {one[:3]: one[4] for one in before.slices}
    for by, low, high, count, accuracy in now.slices:
        kind = name_part((by, low, high), language)
        name = gettext("Accuracy, {kind} ({count})", kind=kind, count=language.integer(count))
        before_accuracy = accuracies.get((by, low, high))
        rows.append((name, language.percent(accuracy, 2), language.percent(before_accuracy, 2)))
    return Table(gettext("The new model and the champion on the same test reviews"), header, tuple(rows))


def _with_interval(one: Contender, language: Language) -> str:
    if one.accuracy is None:
        return MISSING
    low, high = language.percent(one.accuracy.low, 2), language.percent(one.accuracy.high, 2)
    return f"{language.percent(one.accuracy.estimate, 2)} ({language.interval(low, high)})"


def _format_loss(one: Contender, language: Language) -> str:
    return language.decimal(one.loss.estimate, 4) if one.loss else MISSING


def _count_pairs(one: Contender, language: Language) -> str:
    if one.pairs is None:
        return MISSING
    passed, count = one.pairs
    return language.gettext("{passed} of {count}", passed=language.integer(passed), count=language.integer(count))


def format_points(value: float, language: Language) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return language.decimal(100 * value, 2, signed=True)
