"""The section on a team's own reviews in tables and sentences."""

from __future__ import annotations

from typing import NamedTuple

from reports.page.check_sentences import describe_check, name_check, name_level
from reports.page.language import Language
from reports.page.tables import Table
from reports.sections.own_reviews_section import OwnReviews
from storage.text import on_one_line

LABELS_SHOWN = 20
# A cell that begins so would run as a formula if somebody copied the table into a spreadsheet.
FORMULA_SIGNS = ("=", "+", "-", "@")


class OwnReviewsText(NamedTuple):
    """What the page shows of own reviews.

    Attributes:
        summary: Sentences on what was read and how it was split.
        checks: The checks as a table.
        files: The source files as a table.
        labels: The labels and what they mean, as a table.
        rejected: The rejected records as a table; None if there are none.
    """

    summary: tuple[str, ...]
    checks: Table
    files: Table
    labels: Table
    rejected: Table | None


def write_own_reviews(own: OwnReviews, language: Language) -> OwnReviewsText:
    """Return the section in words."""
    return OwnReviewsText(
        tuple(_summarise(own, language)),
        _tabulate_checks(own, language),
        _tabulate_files(own, language),
        _tabulate_labels(own, language),
        _tabulate_rejected(own, language) if own.rejected else None,
    )


def name_test_set(name: str, language: Language) -> str:
    """Return the name of a set of test reviews."""
    gettext = language.gettext
    names = {"imdb": gettext("the archive's reviews"), "sample": gettext("the sample reviews")}
    return names.get(name, gettext("your own reviews"))


def explain_test_set(verdict: str, own_test_reviews: int, least: int, language: Language) -> str:
    """Return on which of two test sets the verdict rests, and why."""
    gettext, count = language.gettext, language.integer(own_test_reviews)
    if verdict == "own":
        return gettext(
            "The verdict rests on your own {count} test reviews, and the choice on your own validation reviews. "
            "The figures on the archive's reviews stand under Comparison.",
            count=count,
        )
    return gettext(
        "The verdict rests on the archive's test reviews, because only {count} of your own are test reviews; from "
        "{least} on, your own decide. The figures on your own stand under Comparison.",
        count=count,
        least=language.integer(least),
    )


def shield_cell(text: str) -> str:
    """Return text of a file so that no spreadsheet runs it as a formula.

    Example:
        >>> shield_cell("=1+1"), shield_cell("good")
        ("'=1+1", 'good')
    """
    text = on_one_line(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA_SIGNS) else text


def _summarise(own: OwnReviews, language: Language) -> list[str]:
    gettext, ngettext, integer = language.gettext, language.ngettext, language.integer
    parts = {part: integer(count) for part, count in own.parts.items()}
    sentences = [
        ngettext(
            "{records} records were read from {count} file.",
            "{records} records were read from {count} files.",
            own.file_count,
            records=integer(own.records),
        ),
        gettext("{train} are for training, {validation} for validation and {test} for the test.", **parts),
        _name_method(own, language),
    ]
    counted = (
        (
            own.moved_out,
            gettext("left out because the test part has their text: {count}", count=integer(own.moved_out)),
        ),
        (own.in_archive, gettext("left out because the archive has them: {count}", count=integer(own.in_archive))),
        (own.repeats, gettext("repeat an earlier text: {count}", count=integer(own.repeats))),
        (
            own.conflicting,
            gettext("have a text that another has with the other label: {count}", count=integer(own.conflicting)),
        ),
        (
            own.leaks,
            gettext("outside the test part, with a text of the test part (leaks): {count}", count=integer(own.leaks)),
        ),
        (
            own.near_duplicates,
            gettext(
                "test reviews that nearly repeat one of another part: {count} of {compared} reviews compared",
                count=integer(own.near_duplicates),
                compared=integer(own.compared),
            ),
        ),
    )
    found = [sentence for count, sentence in counted if count]
    if found:
        sentences.append(gettext("Reviews that are special: {list}.", list="; ".join(found)))
    if own.gone:
        names = ", ".join(map(on_one_line, own.gone[:20]))
        sentences.append(
            gettext("Files of the last run that are gone, and their reviews with them: {names}.", names=names)
        )
    sentences.append(_name_encoder(own, language))
    return sentences


def _name_method(own: OwnReviews, language: Language) -> str:
    gettext = language.gettext
    if own.method == "time":
        return gettext("The newest are the test part: those from {date} on.", date=language.date(own.cutoff))
    if own.method == "given":
        return gettext("The files say in a column which part a review belongs to.")
    return gettext("The hash of its text decides for each review, so a new one moves no other.")


def _name_encoder(own: OwnReviews, language: Language) -> str:
    gettext = language.gettext
    tokens = {"words": gettext("words"), "characters": gettext("characters"), "morphemes": gettext("morphemes")}
    kind = tokens.get(own.tokens, own.tokens)
    if own.vocabulary == "imdb":
        return gettext("Texts are taken apart into {tokens}, with IMDB's word index.", tokens=kind)
    return gettext("Texts are taken apart into {tokens}, with a vocabulary of their own.", tokens=kind)


def _tabulate_checks(own: OwnReviews, language: Language) -> Table:
    gettext = language.gettext
    rows = tuple(
        (name_check(check, language), name_level(check, language), describe_check(check, language))
        for check in own.checks
    )
    return Table(
        gettext("Checks before training"), (gettext("check"), gettext("result"), gettext("what was found")), rows
    )


def _tabulate_files(own: OwnReviews, language: Language) -> Table:
    gettext, integer = language.gettext, language.integer
    header = (
        gettext("file"),
        gettext("layout"),
        gettext("records"),
        gettext("reviews"),
        gettext("rejected"),
    )
    rows = tuple(
        (shield_cell(one.name), one.layout, integer(one.records), integer(one.accepted), integer(one.rejected))
        for one in own.files
    )
    return Table(gettext("Source files, the last {count}", count=integer(len(rows))), header, rows)


def _tabulate_labels(own: OwnReviews, language: Language) -> Table:
    gettext = language.gettext
    meanings = {
        "negative": gettext("negative"),
        "positive": gettext("positive"),
        "left out": gettext("left out by the map"),
    }
    rows = tuple(
        (shield_cell(label), meanings.get(own.meaning.get(label, ""), ""), language.integer(count))
        for label, count in list(own.labels.items())[:LABELS_SHOWN]
    )
    return Table(gettext("Labels"), (gettext("label in the files"), gettext("means"), gettext("reviews")), rows)


def _tabulate_rejected(own: OwnReviews, language: Language) -> Table:
    gettext = language.gettext
    rows = tuple((shield_cell(reason), language.integer(count)) for reason, count in own.rejected.items())
    return Table(gettext("Rejected records"), (gettext("reason"), gettext("records")), rows)
