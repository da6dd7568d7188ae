"""The conclusion of a run: what came out of it, how sure that is, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from reports.evidence import Evidence
from reports.page.check_sentences import describe_check, name_check
from reports.page.decision_words import advise, headline_decision, is_proposed, name_outcome
from reports.page.language import Language
from reports.page.sentences import describe_changes
from reports.sections.comparison_section import BAG_OF_WORDS, BaselineCheck, ComparisonRow
from reports.sections.pairs_section import PairRow, Pairs
from storage.records import Run


class Tone(NamedTuple):
    """The kind of a conclusion: it is shown as a colour, a glyph and a word, so that colour alone says nothing.

    Attributes:
        name: "act" if somebody must act, "calm" if there is nothing to do, "broken" or "done".
        glyph: One character.
    """

    name: str
    glyph: str


ACT, CALM, BROKEN, DONE = Tone("act", "▲"), Tone("calm", "●"), Tone("broken", "✖"), Tone("done", "✔")
PROPOSED, KEPT, REFUSED = Tone("act", "▲"), Tone("calm", "■"), Tone("broken", "✕")
# By the gate's outcome.
TONES = {"same": KEPT, "keep": KEPT, "propose": PROPOSED, "promote": DONE, "refused": REFUSED}


@dataclass(frozen=True)
class Conclusion:
    """The first thing that a reader sees.

    Attributes:
        tone: Its kind.
        word: Its kind in a word.
        headline: The conclusion in one sentence.
        action: What to do now.
        evidence: The choice, its accuracy, and how it compares with the other variants.
        failures: One sentence for each failed training.
        since: Changes since the previous run, and figures that got worse.
        command: What to type for the action; "" if there is nothing to type.
    """

    tone: Tone
    word: str
    headline: str
    action: str
    evidence: tuple[str, ...]
    failures: tuple[str, ...]
    since: tuple[str, ...]
    command: str = ""


def write_conclusion(run: Run, evidence: Evidence, language: Language) -> Conclusion:
    """Say what the gate decided, or without a decision how the variants compare, and what to do.

    What is broken comes first; and a decision that changes nothing must not hide that somebody has to look.
    """
    compared, decision = _compare(run, evidence, language), evidence.decision
    if decision is None or compared.tone is BROKEN:
        return compared
    tone, word, (action, command) = (
        TONES[decision.outcome],
        name_outcome(decision, language),
        advise(decision, language),
    )
    if is_proposed(decision):
        tone = PROPOSED
    elif tone is KEPT and compared.tone is ACT:
        tone, word, action, command = ACT, compared.word, compared.action, ""
    said = (compared.headline, *compared.evidence)
    headline = headline_decision(decision, language)
    return Conclusion(tone, word, headline, action, said, compared.failures, compared.since, command)


def _compare(run: Run, evidence: Evidence, language: Language) -> Conclusion:
    """Say which variant is chosen, whether its lead is more than chance, and what to do.

    The chosen variant has the lowest validation loss. It is a winner only if it is clearly more accurate than each
    other variant on the test reviews. If a training of a variant failed, or if the chosen variant does not clearly beat
    the untrained baselines, none is chosen.
    """
    gettext = language.gettext
    failures = tuple(gettext("{name} failed: {error}", name=one.name, error=one.error) for one in run.failures)
    variants = [row for row in evidence.comparison if not row.is_baseline]
    finished, failed = [row for row in variants if row.figures], [row.name for row in variants if row.failed]
    unbeaten = [check for check in evidence.baseline_checks if not check.is_beaten]
    rest: tuple[str, ...]
    if run.stopped:
        return _conclude_stopped(run, evidence, language)
    if not finished:
        tone, headline, rest = BROKEN, gettext("No model: every training failed."), ()
    elif failed:
        tone, headline = BROKEN, _count_failed(failed, len(variants), language)
        rest = (_name_lowest(finished[0], language), *_describe_pairs_of(finished[0].name, evidence.pairs, language))
    elif unbeaten:
        tone, headline = ACT, _name_unbeaten(finished[0], unbeaten, language)
        rest = (_describe_choice(finished[0], evidence, language),)
    else:
        contradicts, headline = _judge_lead(finished[0].name, evidence.pairs, language)
        tone = ACT if contradicts or evidence.history.regressions else CALM
        pairs = _describe_pairs_of(finished[0].name, evidence.pairs, language)
        rest = (_describe_choice(finished[0], evidence, language), *pairs)
    since = describe_changes(evidence.history, language)
    action = _advise(tone, evidence, language, is_unusable=bool(unbeaten))
    return Conclusion(tone, name_tone(tone, language), headline, action, rest, failures, since)


def _conclude_stopped(run: Run, evidence: Evidence, language: Language) -> Conclusion:
    """Return the conclusion of a run that a check stopped before it trained."""
    gettext = language.gettext
    checks = evidence.own_reviews.checks if evidence.own_reviews else ()
    stops = [check for check in checks if check.level == "stop"]
    reasons = tuple(f"{name_check(check, language)}: {describe_check(check, language)}" for check in stops)
    names = language.format_list([name_check(check, language) for check in stops])
    return Conclusion(
        BROKEN,
        name_tone(BROKEN, language),
        gettext("Stopped before training, because of your reviews: {names}.", names=names),
        gettext("Look at the new files, mend or remove them, and run again; or raise the limit if this is meant."),
        reasons or run.stopped,
        (),
        (),
    )


def name_tone(tone: Tone, language: Language) -> str:
    """Return the word for a kind of conclusion."""
    gettext = language.gettext
    words = {ACT: gettext("Look"), CALM: gettext("All well"), BROKEN: gettext("Broken"), DONE: gettext("Done")}
    return words[tone]


def _advise(tone: Tone, evidence: Evidence, language: Language, *, is_unusable: bool) -> str:
    gettext = language.gettext
    if tone is BROKEN:
        return gettext("Mend what failed and run again; until then no variant is chosen.")
    if is_unusable:
        return gettext("Do not use these models. Look at the learning curves and at the data.")
    if evidence.history.regressions:
        return gettext("Find out why figures got worse since the previous run.")
    if tone is ACT:
        return gettext("Decide which variant to use: validation and test reviews disagree.")
    return gettext("Nothing to do.")


def _count_failed(failed: list[str], planned: int, language: Language) -> str:
    return language.ngettext(
        "{count} of {planned} variants failed, so no winner is named.",
        "{count} of {planned} variants failed, so no winner is named.",
        len(failed),
        planned=planned,
    )


def _name_lowest(lowest: ComparisonRow, language: Language) -> str:
    loss = language.decimal(lowest.figures.validation.loss.estimate if lowest.figures else None)
    return language.gettext(
        "Of the variants that finished, {name} has the lowest validation loss ({loss}). Which of all variants is best "
        "is not known.",
        name=lowest.name,
        loss=loss,
    )


def _name_unbeaten(best: ComparisonRow, unbeaten: list[BaselineCheck], language: Language) -> str:
    strongest = max(unbeaten, key=lambda check: check.accuracy.estimate)
    return language.gettext(
        "No usable model: {name} ({accuracy}) does not beat {other} ({other_accuracy}).",
        name=best.name,
        accuracy=language.percent(best.figures.test.accuracy.estimate if best.figures else None),
        other=strongest.baseline,
        other_accuracy=language.percent(strongest.accuracy.estimate),
    )


def _judge_lead(best: str, pairs: Pairs, language: Language) -> tuple[bool, str]:
    """Return whether the test reviews contradict the choice, and the headline."""
    gettext, rows = language.gettext, [row for row in pairs.rows if best in (row.first, row.second)]
    behind = [row.second for row in rows if row.is_significant and row.difference.estimate > 0]
    ahead = [row.second for row in rows if row.is_significant and row.difference.estimate < 0]
    level = [row.second for row in rows if not row.is_significant]
    if not rows:
        return False, gettext("{name} is the only variant.", name=best)
    if ahead:
        names = language.format_list(ahead)
        return True, gettext(
            "No clear winner: {name} is chosen by the rule, but {others} did better.", name=best, others=names
        )
    if not level:
        others = language.format_list(behind)
        return False, gettext("Clear winner: {name} is clearly more accurate than {others}.", name=best, others=others)
    names = language.format_list([best, *level])
    if not behind:
        return False, gettext("No clear winner: {names} are level.", names=names)
    return False, language.ngettext(
        "No clear winner: {names} are level; {behind} is clearly behind.",
        "No clear winner: {names} are level; {behind} are clearly behind.",
        len(behind),
        names=names,
        behind=language.format_list(behind),
    )


def _describe_choice(best: ComparisonRow, evidence: Evidence, language: Language) -> str:
    """Return which variant is chosen and how many test reviews it and the bag of words get right."""
    gettext, accuracy = language.gettext, best.figures.test.accuracy if best.figures else None
    if accuracy is None:
        return ""
    values = {
        "name": best.name,
        "accuracy": language.percent(accuracy.estimate),
        "count": language.integer(evidence.pairs.reviews),
    }
    words = next((one for one in evidence.baseline_checks if one.baseline == BAG_OF_WORDS), None)
    values["others"] = f"; {words.baseline} {language.percent(words.accuracy.estimate)}" if words else ""
    if len(best.seeds) > 1:
        return gettext(
            "By the rule (lowest validation loss) {name} is chosen. On average its {seeds} models get {accuracy} of "
            "{count} test reviews right{others}.",
            seeds=len(best.seeds),
            **values,
        )
    return gettext(
        "By the rule (lowest validation loss) {name} is chosen. It gets {accuracy} of {count} test reviews right"
        "{others}.",
        **values,
    )


def _describe_pairs_of(best: str, pairs: Pairs, language: Language) -> tuple[str, ...]:
    """Return how the best variant compares with each other variant on the test reviews."""
    rows = [row for row in pairs.rows if best in (row.first, row.second)]
    gettext, sentences = language.gettext, []

    def names(rows: list[PairRow]) -> str:
        return language.format_list([_name_with_interval(row, language) for row in rows])

    if higher := [row for row in rows if row.is_significant and row.difference.estimate > 0]:
        sentences.append(gettext("It is clearly more accurate than {others}.", others=names(higher)))
    if unclear := [row for row in rows if not row.is_significant]:
        sentences.append(_describe_unclear(unclear, names(unclear), language))
    if lower := [row for row in rows if row.is_significant and row.difference.estimate < 0]:
        sentences.append(
            gettext(
                "The test reviews contradict the choice by validation loss: it is clearly less accurate than {others}.",
                others=names(lower),
            )
        )
    return (*sentences, *_describe_seed_means(rows, language))


def _describe_unclear(rows: list[PairRow], names: str, language: Language) -> str:
    gaps = [row.resolvable for row in rows if row.resolvable is not None]
    if not gaps:
        return language.gettext("No clear difference from {others}.", others=names)
    return language.gettext(
        "No clear difference from {others}; gaps under about {gap} points cannot be told from chance here.",
        others=names,
        gap=language.decimal(100 * max(gaps), 1),
    )


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
            gettext("On average over all seeds, it is clearly more accurate than {others}.", others=higher)
        )
    if lower := language.format_list([name for name, difference in clear.items() if difference < 0]):
        sentences.append(gettext("On average over all seeds, it is clearly less accurate than {others}.", others=lower))
    if not clear:
        sentences.append(gettext("On average over all seeds, there is no clear difference from the other variants."))
    return sentences


def _name_with_interval(row: PairRow, language: Language) -> str:
    return language.gettext(
        "{name} ({difference} points, {low} to {high})",
        name=row.second,
        difference=language.percentage_points(row.difference.estimate),
        low=language.percentage_points(row.difference.low),
        high=language.percentage_points(row.difference.high),
    )
