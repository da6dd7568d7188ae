"""The sentences of the report: the verdict, and what charts and tables show."""

from __future__ import annotations

from dataclasses import dataclass

from reports.evidence import Evidence
from reports.page.language import MISSING, Language
from reports.sections.comparison_section import ComparisonRow, Curve
from reports.sections.errors_section import Errors
from reports.sections.history_section import Change, History
from reports.sections.pairs_section import PairRow, Pairs
from storage.records import Run

# Validation loss minus training loss in nats: up to the first there is no sign of overfitting, above the second the
# model overfits.
SMALL_GAP, WIDE_GAP = 0.01, 0.05
# Number of changes in the verdict; the section on history lists all of them.
CHANGES_NAMED = 6
# Longest value that a sentence shows, in characters.
SHORT_VALUE = 20


@dataclass(frozen=True)
class Verdict:
    """The first section of the report, as sentences.

    Attributes:
        headline: The best variant, or why there is none.
        evidence: Its accuracy on the test reviews, and how it compares with the other variants.
        failures: One sentence for each failed training.
        since: Changes since the previous run, and figures that got worse.
    """

    headline: str
    evidence: tuple[str, ...]
    failures: tuple[str, ...]
    since: tuple[str, ...]


def write_verdict(run: Run, evidence: Evidence, language: Language) -> Verdict:
    """Name the variant with the lowest validation loss, and describe how it compares on the test reviews.

    If a training of a variant failed, no variant is called the best, because the choice is incomplete.
    """
    gettext = language.gettext
    failures = tuple(gettext("{name} failed: {error}", name=one.name, error=one.error) for one in run.failures)
    since = _describe_changes(evidence.history, language)
    variants = [row for row in evidence.comparison if not row.is_baseline]
    finished = [row for row in variants if row.figures]
    if not finished:
        return Verdict(gettext("No model tonight: every training failed."), (), failures, since)
    best, failed = finished[0], [name for row in variants for name in row.failed]
    loss = language.decimal(best.figures.validation.loss.estimate if best.figures else None)
    if failed:
        headline = gettext("No best variant tonight, because {names} failed.", names=language.format_list(failed))
        first = gettext(
            "Of the variants that finished, {name} has the lowest validation loss ({loss}). Which of all variants is "
            "best is not known.",
            name=best.name,
            loss=loss,
        )
    else:
        headline = gettext("Best tonight: {name}, with the lowest validation loss ({loss}).", name=best.name, loss=loss)
        first = _describe_accuracy(best, evidence.pairs, language)
    pairs = _describe_pairs_of(best.name, evidence.pairs, language)
    return Verdict(headline, (first, *pairs), failures, since)


def _describe_accuracy(best: ComparisonRow, pairs: Pairs, language: Language) -> str:
    accuracy = best.figures.test.accuracy if best.figures else None
    if accuracy is None:
        return ""
    figures = {
        "count": language.integer(pairs.reviews),
        "accuracy": language.percent(accuracy.estimate),
        "low": language.percent(accuracy.low),
        "high": language.percent(accuracy.high),
    }
    if len(best.seeds) > 1:
        return language.gettext(
            "On the {count} test reviews, the mean accuracy of its {seeds} models is {accuracy} "
            "(95% interval {low} to {high}).",
            seeds=len(best.seeds),
            **figures,
        )
    return language.gettext(
        "On the {count} test reviews, its accuracy is {accuracy} (95% interval {low} to {high}).", **figures
    )


def _describe_pairs_of(best: str, pairs: Pairs, language: Language) -> tuple[str, ...]:
    """Return how the best variant compares with each other variant on the test reviews."""
    rows = [row for row in pairs.rows if best in (row.first, row.second)]
    if not rows and not pairs.withdrawn:
        return (language.gettext("There is no other variant to compare it with."),)

    def names(rows: list[PairRow]) -> str:
        return language.format_list([_name_with_interval(row, language) for row in rows])

    gettext, sentences = language.gettext, []
    if higher := [row for row in rows if row.is_significant and row.difference.estimate > 0]:
        sentences.append(gettext("It has clearly higher test accuracy than {others}.", others=names(higher)))
    if unclear := [row for row in rows if not row.is_significant]:
        sentences.append(gettext("On this test set there is no clear difference from {others}.", others=names(unclear)))
    if lower := [row for row in rows if row.is_significant and row.difference.estimate < 0]:
        sentences.append(
            gettext(
                "The test set contradicts the choice by validation loss: its test accuracy is clearly lower than that "
                "of {others}.",
                others=names(lower),
            )
        )
    return (*sentences, *_describe_seed_means(rows, language))


def _describe_seed_means(rows: list[PairRow], language: Language) -> list[str]:
    """Return how the means over seeds of the best variant and of each other variant compare; empty for one seed."""
    if not any(row.over_seeds for row in rows):
        return []
    gettext, sentences = language.gettext, []
    clear = {
        row.second: row.over_seeds.difference.estimate
        for row in rows
        if row.over_seeds and row.is_significant_over_seeds
    }
    if higher := language.format_list([name for name, difference in clear.items() if difference > 0]):
        sentences.append(
            gettext("On average over all seeds, it has clearly higher test accuracy than {others}.", others=higher)
        )
    if lower := language.format_list([name for name, difference in clear.items() if difference < 0]):
        sentences.append(
            gettext("On average over all seeds, it has clearly lower test accuracy than {others}.", others=lower)
        )
    if not clear:
        sentences.append(gettext("On average over all seeds, there is no clear difference from the other variants."))
    return sentences


def _name_with_interval(row: PairRow, language: Language) -> str:
    return language.gettext(
        "{name} ({difference} percentage points, {low} to {high})",
        name=row.second,
        difference=language.percentage_points(row.difference.estimate),
        low=language.percentage_points(row.difference.low),
        high=language.percentage_points(row.difference.high),
    )


def _describe_changes(history: History, language: Language) -> tuple[str, ...]:
    """Return the changes since the previous run and the figures that got worse, in at most two sentences."""
    gettext = language.gettext
    if history.last is None:
        return (gettext("This is the first night on these test reviews."),)
    date = language.day(history.runs[-2].started)
    named = [describe_change(change, language) for change in history.changes]
    more = len(named) - CHANGES_NAMED
    if more > 0:
        named = [*named[:CHANGES_NAMED], language.ngettext("{count} more", "{count} more", more)]
    sentence = (
        gettext("Changed since the last night ({date}): {changes}.", date=date, changes=language.format_list(named))
        if named
        else gettext("Nothing changed since the last night ({date}).", date=date)
    )
    worse = [describe_regression(one.variant, one.metric, one.before, one.now, language) for one in history.regressions]
    if not worse:
        return (sentence,)
    return (sentence, gettext("Worse than last night: {list}.", list=language.format_list(worse)))


def describe_change(change: Change, language: Language) -> str:
    """Return the name of a change, with the old and the new value if both are short.

    Example:
        >>> describe_change(Change("parameter", "maxlen", "100", "200"), Language("en"))
        'parameter maxlen 100 → 200'
    """
    gettext, name = language.gettext, change.name
    names = {
        "data": gettext("data ({name})", name=name),
        "code": gettext("code ({name})", name=name),
        "parameter": gettext("parameter {name}", name=name),
        "version": gettext("version of {name}", name=name),
        "machine": gettext("machine ({name})", name=name),
    }
    values = [MISSING if value is None else value for value in (change.before, change.now)]
    if any(len(value) > SHORT_VALUE for value in values):
        return names[change.kind]
    return f"{names[change.kind]} {values[0]} → {values[1]}"


def describe_regression(variant: str, metric: str, before: float, now: float, language: Language) -> str:
    """Return the name of a figure that got worse, with the old and the new value.

    Args:
        variant: Name of the variant.
        metric: "accuracy" or "loss", on the test reviews.
        before: Value in the previous run: 0 to 1, or in nats.
        now: Value in this run, in the same unit.
        language: Language of the text.
    """
    if metric == "accuracy":
        return language.gettext(
            "test accuracy of {name} ({before} to {now})",
            name=variant,
            before=language.percent(before),
            now=language.percent(now),
        )
    return language.gettext(
        "test loss of {name} ({before} to {now})",
        name=variant,
        before=language.decimal(before),
        now=language.decimal(now),
    )


def describe_curve(curve: Curve, language: Language) -> str:
    """Return two sentences on over- and underfitting of one training.

    The first compares the epochs after the best one, as chapter 9-3 of the textbook does. The second judges the gap
    between validation and training loss at the best epoch by `SMALL_GAP` and `WIDE_GAP`.
    """
    gettext = language.gettext
    best, last = curve.best_epoch, len(curve.val_loss)
    gap = curve.val_loss[best - 1] - curve.loss[best - 1]
    figures = {"gap": language.decimal(gap, 3), "best": best, "last": last}
    if best == last:
        trend = gettext("Validation loss still fell in the last epoch ({last}): more epochs may help.", **figures)
    elif curve.loss[-1] < curve.loss[best - 1]:
        trend = language.ngettext(
            "Training loss fell for {count} more epoch after the validation minimum (best epoch {best} of {last}).",
            "Training loss fell for {count} more epochs after the validation minimum (best epoch {best} of {last}).",
            last - best,
            **figures,
        )
    else:
        trend = gettext("Training and validation loss both stopped falling at epoch {best} of {last}.", **figures)
    if gap > WIDE_GAP:
        fit = gettext("Gap {gap}: it overfits.", **figures)
    elif gap > SMALL_GAP:
        fit = gettext("Gap {gap}: it overfits a little.", **figures)
    else:
        fit = gettext("Gap {gap}: no sign of overfitting; it may still underfit.", **figures)
    return f"{trend} {fit}"


def compare_without_suspects(evidence: Evidence, errors: Errors, language: Language) -> str:
    """Return whether the results of the pairs stay the same without the reviews that may have a wrong label."""
    before, after = (_results_of(pairs) for pairs in (evidence.pairs, errors.without_suspects))
    changed = [pair for pair in before if before[pair] != after[pair]]
    if not changed:
        return language.ngettext(
            "Without that {count} review the result for every pair stays the same.",
            "Without these {count} reviews the result for every pair stays the same.",
            errors.suspect_count,
        )
    return language.ngettext(
        "Without that {count} review the result changes for {pairs}.",
        "Without these {count} reviews the result changes for {pairs}.",
        errors.suspect_count,
        pairs=language.format_list([f"{first} – {second}" for first, second in changed]),
    )


def _results_of(pairs: Pairs) -> dict[tuple[str, str], tuple[bool, bool]]:
    """Return by pair whether its difference is significant, and whether it is significant and positive."""
    return {
        (row.first, row.second): (row.is_significant, row.is_significant and row.difference.estimate > 0)
        for row in pairs.rows
    }


def describe_test_set_uses(history: History, language: Language) -> str:
    """Return how often the test set was used, and what follows from repeated use."""
    if history.test_set_uses == 1:
        return language.gettext(
            "This test set has been used once, tonight, for {models} models.", models=history.models
        )
    return language.gettext(
        "This test set has been used in {runs} runs, for {models} models. The more often it is used, the likelier a "
        "lead is luck on this set.",
        runs=language.integer(history.test_set_uses),
        models=language.integer(history.models),
    )


def explain_withdrawal(pair: tuple[str, str], run: Run, language: Language) -> str:
    """Return why a pair was not compared."""
    failed = [failure.name for failure in run.failures if failure.variant in pair]
    return language.gettext("withdrawn: {names} failed", names=language.format_list(failed))
