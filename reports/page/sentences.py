"""The sentences of the report: what charts and tables show, and what changed since the previous run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from statistics import median

from reports.evidence import Evidence
from reports.page.language import MISSING, Language
from reports.sections.comparison_section import Curve
from reports.sections.errors_section import Errors, Slice
from reports.sections.history_section import Change, History
from reports.sections.pairs_section import Pairs
from storage.records import Run

# Validation loss minus training loss in nats: up to the first there is no sign of overfitting, above the second the
# model overfits.
SMALL_GAP, WIDE_GAP = 0.01, 0.05
# Number of changes in the conclusion; the section on history lists all of them.
CHANGES_NAMED = 6
# Longest value that a sentence shows, in characters.
SHORT_VALUE = 20


def describe_changes(history: History, language: Language) -> tuple[str, ...]:
    """Return the changes since the previous run and the figures that got worse, in at most two sentences."""
    gettext = language.gettext
    if history.last is None:
        return (gettext("This is the first run on these test reviews."),)
    date = language.moment(history.runs[-2].started)
    named = [describe_change(change, language) for change in history.changes]
    more = len(named) - CHANGES_NAMED
    if more > 0:
        named = [*named[:CHANGES_NAMED], language.ngettext("{count} more", "{count} more", more)]
    sentence = (
        gettext("Changed since the previous run ({date}): {changes}.", date=date, changes=language.format_list(named))
        if named
        else gettext("Nothing changed since the previous run ({date}).", date=date)
    )
    worse = [describe_regression(one.variant, one.metric, one.before, one.now, language) for one in history.regressions]
    if not worse:
        return (sentence,)
    return (sentence, gettext("Worse than in the previous run: {list}.", list=language.format_list(worse)))


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


def describe_curves(curves: Sequence[Curve], language: Language) -> str:
    """Return how the trainings of one variant ended, and whether they overfit.

    The gap between validation and training loss at the best epoch is judged by `SMALL_GAP` and `WIDE_GAP`, after
    chapter 9-3 of the textbook.
    """
    gettext = language.gettext
    gaps = [curve.val_loss[curve.best_epoch - 1] - curve.loss[curve.best_epoch - 1] for curve in curves]
    values = {
        "best": language.span([curve.best_epoch for curve in curves]),
        "last": language.span([len(curve.loss) for curve in curves]),
        "gap": language.decimal(median(gaps), 3),
    }
    still_falling = sum(curve.best_epoch == len(curve.loss) for curve in curves)
    if still_falling == len(curves):
        trend = gettext("Still improving at the last epoch ({last}): more epochs may help.", **values)
    else:
        trend = gettext("Best at epoch {best}, stopped at {last}.", **values)
    gap = median(gaps)
    if gap > WIDE_GAP:
        fit = gettext("Overfitting (gap {gap}).", **values)
    elif gap > SMALL_GAP:
        fit = gettext("Slight overfitting (gap {gap}).", **values)
    else:
        fit = gettext("No sign of overfitting (gap {gap}); it may still underfit.", **values)
    if len(curves) == 1:
        return f"{trend} {fit}"
    count = language.ngettext("{count} seed.", "{count} seeds.", len(curves))
    return f"{count} {trend} {fit}"


def compare_without_suspects(evidence: Evidence, errors: Errors, language: Language) -> str:
    """Return how many labels the models doubt, and whether leaving them out changes a result."""
    count = errors.suspect_count
    doubted = language.ngettext(
        "The models doubt {count} label ({share}). Some labels are wrong, some models are.",
        "The models doubt {count} labels ({share}). Some labels are wrong, some models are.",
        count,
        share=language.percent(count / evidence.pairs.reviews if evidence.pairs.reviews else None),
    )
    before, after = (_results_of(pairs) for pairs in (evidence.pairs, errors.without_suspects))
    changed = [f"{first} – {second}" for first, second in before if before[first, second] != after[first, second]]
    if not changed:
        return f"{doubted} {language.gettext('Leaving them out changes no verdict.')}"
    verdicts = language.gettext("Leaving them out changes the verdict on {pairs}.", pairs=language.format_list(changed))
    return f"{doubted} {verdicts}"


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
            "{models} models in this run have been judged on these reviews, for the first time.", models=history.models
        )
    return language.gettext(
        "{models} models in {runs} runs have been judged on these reviews. Each makes a lucky winner likelier; "
        "distrust small leads.",
        runs=language.integer(history.test_set_uses),
        models=language.integer(history.models),
    )


def explain_withdrawal(pair: tuple[str, str], run: Run, language: Language) -> str:
    """Return why a pair was not compared."""
    failed = [failure.name for failure in run.failures if failure.variant in pair]
    return language.gettext("withdrawn: {names} failed", names=language.format_list(failed))


def name_kind_of_pair(category: str, language: Language) -> str:
    """Return the name of a category of minimal pairs."""
    gettext = language.gettext
    names = {
        "negation": gettext("Negation"),
        "intensifiers": gettext("Intensifiers"),
        "but_turns": gettext("Contrast with “but”"),
        "last_sentence": gettext("Opinion in the last sentence"),
        "names": gettext("Swapped names"),
    }
    return names.get(category, category)


def name_slice(one: Slice, language: Language) -> str:
    """Return what the reviews of a slice have in common."""
    gettext, low = language.gettext, language.integer(one.low)
    if one.by == "length":
        if one.high is None:
            return gettext("{low} words or more", low=low)
        return gettext("{low} to {high} words", low=low, high=language.integer(one.high - 1))
    if one.by == "out_of_vocabulary":
        share = language.percent(one.low, 0)
        if one.high is None:
            return gettext("{low} or more unknown words", low=share)
        return gettext("{low} to {high} unknown words", low=share, high=language.percent(one.high, 0))
    if one.by == "week":
        return gettext("week of {day}", day=language.day(date.fromordinal(int(one.low)).isoformat()))
    if one.by == "negation":
        names = gettext("with a negation"), gettext("without a negation")
    else:
        names = gettext("beginning cut off"), gettext("shown in full")
    return names[0] if one.low else names[1]
