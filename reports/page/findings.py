"""The few findings that a reader should look at first, ranked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reports.evidence import Evidence
from reports.page.language import Language
from reports.page.sentences import WIDE_GAP, describe_regression, name_kind_of_pair, name_slice
from reports.sections.errors_section import Slice

MOST_FINDINGS = 3
# Share of minimal pairs that random guessing passes, by what a pair expects: two right classes, or a right order.
GUESSING = {"flip": 0.25, "rise": 0.5}
# How far below its accuracy on all test reviews a variant must be on a slice, and the fewest reviews of such a slice.
LARGE_DROP, FEWEST_REVIEWS = 0.03, 100


class Finding(NamedTuple):
    """One line of the list, and the section of the page that it links to."""

    text: str
    section: str


def rank_findings(evidence: Evidence, language: Language) -> list[Finding]:
    """Return at most three findings, the most important first."""
    finders = (_find_regressions, _find_failed_pairs, _find_weak_slices, _find_unfinished, _find_overfitting)
    found = [finding for finder in finders for finding in finder(evidence, language)]
    return found[:MOST_FINDINGS]


def _find_regressions(evidence: Evidence, language: Language) -> Iterator[Finding]:
    for one in evidence.history.regressions[:1]:
        text = describe_regression(one.variant, one.metric, one.before, one.now, language)
        yield Finding(language.gettext("Worse than in the previous run: {what}", what=text), "history")


def _find_failed_pairs(evidence: Evidence, language: Language) -> Iterator[Finding]:
    """Yield the kind of minimal pairs that even the best training passes less often than a guess would."""
    below = []
    for category in evidence.minimal_pairs.categories if evidence.minimal_pairs else ():
        guessed = GUESSING.get(category.expectation, 0.0) * category.pairs
        most = max((count for counts in category.passed.values() for count in counts), default=0)
        if most < guessed:
            below.append((most / category.pairs, most, guessed, category))
    for _, most, guessed, category in sorted(below, key=lambda one: one[0])[:1]:
        text = language.gettext(
            "{kind}: at best {passed} of {pairs} pairs; guessing passes {guessed}",
            kind=name_kind_of_pair(category.name, language),
            passed=most,
            pairs=category.pairs,
            guessed=language.integer(guessed),
        )
        yield Finding(text, "minimal-pairs")


def _find_weak_slices(evidence: Evidence, language: Language) -> Iterator[Finding]:
    """Yield the kind of review on which the best variant is clearly worse than on all."""
    best = next((row for row in evidence.comparison if row.figures and not row.is_baseline), None)
    if best is None or best.figures is None or evidence.errors is None:
        return
    whole = best.figures.test.accuracy.estimate
    weak: list[tuple[float, Slice]] = []
    for one in evidence.errors.slices:
        accuracy = one.accuracy.get(best.name)
        if accuracy and one.count >= FEWEST_REVIEWS and accuracy.high < whole:
            weak.append((whole - accuracy.estimate, one))
    for drop, one in sorted(weak, key=lambda pair: -pair[0])[:1]:
        if drop >= LARGE_DROP:
            yield Finding(_describe_slice(one, one.accuracy[best.name].estimate, drop, language), "errors")


def _describe_slice(one: Slice, accuracy: float, drop: float, language: Language) -> str:
    gettext, kind = language.gettext, name_slice(one, language)
    if one.by == "length":
        subject = gettext("Reviews of {kind}", kind=kind)
    elif one.by == "out_of_vocabulary":
        subject = gettext("Reviews with {kind}", kind=kind)
    else:
        subject = gettext("Reviews, {kind}", kind=kind)
    return gettext(
        "{subject}: {accuracy}, {drop} points below average",
        subject=subject,
        accuracy=language.percent(accuracy),
        drop=language.decimal(100 * drop, 1),
    )


def _find_unfinished(evidence: Evidence, language: Language) -> Iterator[Finding]:
    still = [
        row
        for row in evidence.comparison
        if row.figures and not row.is_baseline and row.figures.epochs and not row.figures.stopped_early
    ]
    if still:
        text = language.gettext(
            "Still improving at epoch {epoch}: {names}",
            epoch=max(row.figures.epochs[0] for row in still if row.figures),
            names=language.format_list([row.name for row in still]),
        )
        yield Finding(text, "curves")


def _find_overfitting(evidence: Evidence, language: Language) -> Iterator[Finding]:
    wide = [
        row.name
        for row in evidence.comparison
        if row.figures and not row.is_baseline and row.figures.gap is not None and row.figures.gap > WIDE_GAP
    ]
    if wide:
        yield Finding(language.gettext("Overfitting: {names}", names=language.format_list(wide)), "curves")
