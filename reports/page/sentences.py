"""The report's sentences: what the figures say, in words."""

from __future__ import annotations

from dataclasses import dataclass

from reports.evidence import Change, ComparisonRow, Curve, Errors, Evidence, History, PairRow, Pairs
from reports.page.language import NOTHING, Language
from storage.records import Run

# Validation loss less training loss, in nats: below the first there is hardly a gap, above the second a wide one.
SMALL_GAP, WIDE_GAP = 0.01, 0.05
# In the verdict; the section on history has all.
CHANGES_NAMED = 6
# Letters of a value that a sentence can hold.
SHORT_VALUE = 20


@dataclass(frozen=True)
class Verdict:
    """What a reader knows after ten seconds.

    Attributes:
        headline: Which variant is best tonight, or why none is.
        evidence: How that stands on the test reviews.
        failures: One sentence for each training that failed.
        since: What changed since the last night, and what got worse.
    """

    headline: str
    evidence: tuple[str, ...]
    failures: tuple[str, ...]
    since: tuple[str, ...]


def reach_verdict(run: Run, evidence: Evidence, language: Language) -> Verdict:
    """Choose the best variant on validation, and say how its lead stands on test.

    Where a variant failed none is called the best: the choice would have been one among fewer.
    """
    say = language.say
    failures = tuple(say("{name} failed: {error}", name=one.name, error=one.error) for one in run.failures)
    variants = [row for row in evidence.comparison if not row.is_baseline]
    finished = [row for row in variants if row.figures]
    if not finished:
        return Verdict(
            say("No model tonight: every training failed."), (), failures, _since(evidence.history, language)
        )
    best, failed = finished[0], [name for row in variants for name in row.failed]
    loss = language.decimal(best.figures.validation.loss.estimate if best.figures else None)
    if failed:
        headline = say("No best variant tonight, because {names} failed.", names=language.listed(failed))
        first = say(
            "Of those that finished, {name} has the lowest validation loss ({loss}); which of all is best stays open.",
            name=best.name,
            loss=loss,
        )
    else:
        headline = say("Best tonight: {name}, with the lowest validation loss ({loss}).", name=best.name, loss=loss)
        first = _standing(best, evidence.pairs, language)
    leads = _describe_leads(best.name, evidence.pairs, language)
    return Verdict(headline, (first, *leads), failures, _since(evidence.history, language))


def _standing(best: ComparisonRow, pairs: Pairs, language: Language) -> str:
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
        return language.say(
            "On the {count} test reviews its {seeds} models are right in {accuracy} on average "
            "(95% interval {low} to {high}).",
            seeds=len(best.seeds),
            **figures,
        )
    return language.say(
        "On the {count} test reviews it is right in {accuracy} (95% interval {low} to {high}).", **figures
    )


def _describe_leads(best: str, pairs: Pairs, language: Language) -> tuple[str, ...]:
    """Return what the test set says of the best variant's lead over each other one."""
    leads = [row for row in pairs.rows if best in (row.first, row.second)]
    if not leads and not pairs.withdrawn:
        return (language.say("There is no other variant to compare it with."),)

    def listed(rows: list[PairRow]) -> str:
        return language.listed([_with_interval(row, language) for row in rows])

    say, sentences = language.say, []
    if ahead := [row for row in leads if row.is_resolved and row.difference.estimate > 0]:
        sentences.append(say("Its lead in test accuracy is resolved over {others}.", others=listed(ahead)))
    if open_leads := [row for row in leads if not row.is_resolved]:
        sentences.append(
            say("Its difference from {others} is not resolved by this test set.", others=listed(open_leads))
        )
    if behind := [row for row in leads if row.is_resolved and row.difference.estimate < 0]:
        sentences.append(say("The test set contradicts the choice: it is behind {others}.", others=listed(behind)))
    return (*sentences, *_describe_recipes(leads, language))


def _describe_recipes(leads: list[PairRow], language: Language) -> list[str]:
    """Return what several seeds say of the best variant's recipe against each other one; nothing of a single seed."""
    over_seeds = {row.second: row.over_seeds for row in leads if row.over_seeds}
    if not over_seeds:
        return []
    say, sentences = language.say, []
    resolved = {row.second: over_seeds[row.second].difference.estimate for row in leads if row.is_resolved_over_seeds}
    if ahead := [name for name, lead in resolved.items() if lead > 0]:
        sentences.append(say("As a recipe, over all seeds, it is ahead of {others}.", others=language.listed(ahead)))
    if behind := [name for name, lead in resolved.items() if lead < 0]:
        sentences.append(say("As a recipe, over all seeds, it is behind {others}.", others=language.listed(behind)))
    if not resolved:
        sentences.append(say("Between the recipes, over all seeds, no difference from it is resolved."))
    return sentences


def _with_interval(row: PairRow, language: Language) -> str:
    return language.say(
        "{name} ({difference} percentage points, {low} to {high})",
        name=row.second,
        difference=language.points(row.difference.estimate),
        low=language.points(row.difference.low),
        high=language.points(row.difference.high),
    )


def _since(history: History, language: Language) -> tuple[str, ...]:
    """Return what is not as it was last night, in at most three sentences."""
    say = language.say
    if history.last is None:
        return (say("This is the first night on these test reviews."),)
    date = language.day(history.nights[-2].started)
    named = [describe_change(change, language) for change in history.changes]
    more = len(named) - CHANGES_NAMED
    if more > 0:
        named = [*named[:CHANGES_NAMED], language.say_count("{count} more", "{count} more", more)]
    if named:
        sentences = [
            say("Changed since the last night ({date}): {changes}.", date=date, changes=language.listed(named))
        ]
    else:
        sentences = [say("Nothing changed since the last night ({date}).", date=date)]
    worse = [describe_regression(one.variant, one.metric, one.before, one.now, language) for one in history.regressions]
    if worse:
        sentences.append(say("Worse than last night: {list}.", list=language.listed(worse)))
    return tuple(sentences)


def describe_change(change: Change, language: Language) -> str:
    """Return what changed in a few words, with both values where they are short."""
    say, name = language.say, change.name
    names = {
        "data": say("data ({name})", name=name),
        "code": say("code ({name})", name=name),
        "parameter": say("parameter {name}", name=name),
        "version": say("version of {name}", name=name),
        "machine": say("machine ({name})", name=name),
    }
    values = [NOTHING if value is None else value for value in (change.before, change.now)]
    if any(len(value) > SHORT_VALUE for value in values):
        return names[change.kind]
    return f"{names[change.kind]} {values[0]} → {values[1]}"


def describe_regression(variant: str, metric: str, before: float, now: float, language: Language) -> str:
    """Return one figure that got worse, with both values."""
    if metric == "accuracy":
        return language.say(
            "test accuracy of {name} ({before} to {now})",
            name=variant,
            before=language.percent(before),
            now=language.percent(now),
        )
    return language.say(
        "test loss of {name} ({before} to {now})",
        name=variant,
        before=language.decimal(before),
        now=language.decimal(now),
    )


def read_curve(curve: Curve, language: Language) -> str:
    """Return what one training's curves say of over- and underfitting, as the textbook reads its own."""
    say = language.say
    best, last = curve.best_epoch, len(curve.val_loss)
    gap = curve.val_loss[best - 1] - curve.loss[best - 1]
    figures = {"gap": language.decimal(gap, 3), "best": best, "last": last}
    if best == last:
        turn = say("Validation loss still fell in the last epoch ({last}): more epochs may help.", **figures)
    else:
        after = last - best
        fell_on = curve.loss[-1] < curve.loss[best - 1]
        turn = (
            language.say_count(
                "Training loss falls on for {count} epoch after validation turned (best epoch {best} of {last}).",
                "Training loss falls on for {count} epochs after validation turned (best epoch {best} of {last}).",
                after,
                **figures,
            )
            if fell_on
            else say("Training and validation loss both stopped falling at epoch {best} of {last}.", **figures)
        )
    if gap > WIDE_GAP:
        fit = say("Gap {gap}: it overfits.", **figures)
    elif gap > SMALL_GAP:
        fit = say("Gap {gap}: it overfits a little.", **figures)
    else:
        fit = say("Gap {gap}: no overfitting to be seen; it may still underfit.", **figures)
    return f"{turn} {fit}"


def judge_recheck(evidence: Evidence, errors: Errors, language: Language) -> str:
    """Return whether the verdict stands without the reviews whose labels are most likely wrong."""
    before, after = (
        {
            (row.first, row.second): (row.is_resolved, row.is_resolved and row.difference.estimate > 0)
            for row in pairs.rows
        }
        for pairs in (evidence.pairs, errors.without_suspects)
    )
    turned = [pair for pair in before if before[pair] != after[pair]]
    if not turned:
        return language.say_count(
            "Without that {count} review the verdict stands: the same pairs are resolved, and the same are not.",
            "Without these {count} reviews the verdict stands: the same pairs are resolved, and the same are not.",
            errors.suspect_count,
        )
    return language.say_count(
        "Without that {count} review another thing would be said of {pairs}.",
        "Without these {count} reviews another thing would be said of {pairs}.",
        errors.suspect_count,
        pairs=language.listed([f"{first} – {second}" for first, second in turned]),
    )


def describe_looks(history: History, language: Language) -> str:
    """Return how often the test set has been looked at, and what that means."""
    if history.looks == 1:
        return language.say(
            "This test set has been looked at once, tonight, for {models} models.", models=history.models
        )
    return language.say(
        "This test set has been looked at in {looks} runs, for {models} models. The more often, the more a lead on it "
        "may be one on it alone.",
        looks=language.integer(history.looks),
        models=language.integer(history.models),
    )


def withdraw(pair: tuple[str, str], run: Run, language: Language) -> str:
    """Return why nothing is said of a pair."""
    failed = [failure.name for failure in run.failures if failure.variant in pair]
    return language.say("withdrawn: {names} failed", names=language.listed(failed))
