"""Say in words what the checks of a team's reviews found; for the page, and in English for the log."""

from __future__ import annotations

from reports.page.language import Language
from reports.sections.own_reviews_section import CheckResult


def name_check(check: CheckResult, language: Language) -> str:
    """Return the name of a check."""
    gettext = language.gettext
    names = {
        "rejected": gettext("Rejected records"),
        "schema": gettext("Columns"),
        "balance": gettext("Balance of the labels"),
        "duplicates": gettext("Repeated texts"),
        "fewer": gettext("Number of records"),
        "lengths": gettext("Lengths of new reviews"),
        "labels": gettext("Labels of new reviews"),
        "unknown words": gettext("Unknown words in new reviews"),
        "new against old": gettext("Words of new reviews"),
    }
    return names[check.name]


def name_level(check: CheckResult, language: Language) -> str:
    """Return the level of a check in a word or two."""
    gettext = language.gettext
    names = {
        "ok": gettext("fine"),
        "warning": gettext("warning"),
        "stop": gettext("stopped the run"),
        "not checked": gettext("not checked"),
    }
    return names[check.level]


def describe_check(check: CheckResult, language: Language) -> str:
    """Return one sentence on what a check found, and from which value on it warns and stops."""
    if check.level == "not checked":
        return _explain_unchecked(check, language)
    return f"{_describe_value(check, language)} {_describe_limits(check, language)}".strip()


def _explain_unchecked(check: CheckResult, language: Language) -> str:
    if check.now is None or check.before is None:
        return language.gettext("There is no earlier run on these reviews to compare with.")
    return language.gettext(
        "Too few to compare: {now} new reviews and {before} old ones.",
        now=language.integer(check.now),
        before=language.integer(check.before),
    )


def _describe_value(check: CheckResult, language: Language) -> str:
    if check.name in ("lengths", "labels", "unknown words", "new against old"):
        return _describe_drift(check, language)
    return _describe_state(check, language)


def _describe_state(check: CheckResult, language: Language) -> str:
    """Return what a check of the reviews themselves found."""
    gettext = language.gettext
    share = language.percent(check.value, 1) if check.value is not None else ""
    now, before = (language.integer(count) if count is not None else "" for count in (check.now, check.before))
    sentences = {
        "rejected": gettext("{share} of {now} records were rejected.", share=share, now=now),
        "balance": gettext("The rarer label has {share} of {now} reviews.", share=share, now=now),
        "duplicates": gettext("{share} of {now} reviews repeat the text of another one.", share=share, now=now),
        "fewer": gettext("There are {now} records; the last run had {before}.", now=now, before=before),
        "schema": gettext("The columns are those of the last run."),
    }
    if check.name == "schema" and check.words:
        return gettext("The columns changed since the last run: {words}.", words=" ".join(check.words))
    if check.name == "balance" and not check.value:
        return gettext("All {now} reviews have the same label; a model needs both.", now=now)
    return sentences[check.name]


def _describe_drift(check: CheckResult, language: Language) -> str:
    """Return how new reviews differ from old ones."""
    gettext, value = language.gettext, check.value or 0.0
    number, points = language.decimal(value, 2), language.percentage_points(value)
    now, before = (language.integer(count) if count is not None else "" for count in (check.now, check.before))
    sentences = {
        "lengths": gettext(
            "The lengths of {now} new reviews and {before} old ones differ by a PSI of {number}.",
            now=now,
            before=before,
            number=number,
        ),
        "labels": gettext(
            "The labels of {now} new reviews and {before} old ones differ by a PSI of {number}.",
            now=now,
            before=before,
            number=number,
        ),
        "unknown words": gettext(
            "The share of unknown words differs by {points} points, new against old.", points=points
        ),
        "new against old": gettext(
            "A classifier tells new reviews from old ones with an AUC of {number}.", number=number
        ),
    }
    sentence = sentences[check.name]
    if check.words and check.level != "ok":
        sentence += " " + gettext("These words speak for a new one: {words}.", words=", ".join(check.words))
    return sentence


def _describe_limits(check: CheckResult, language: Language) -> str:
    if check.warn_at is None or check.stop_at is None:
        return ""
    gettext = language.gettext

    def write(value: float) -> str:
        if check.name in ("lengths", "labels", "new against old"):
            return language.decimal(value, 2)
        return language.percent(value, 0) if value >= 0.1 else language.percent(value, 1)

    if check.name == "rejected":
        return gettext("More than {stop} stops the run.", stop=write(check.stop_at))
    limits = {"warn": write(check.warn_at), "stop": write(check.stop_at)}
    if check.name == "fewer":
        return gettext("Losing more than {warn} is a warning, more than {stop} stops the run.", **limits)
    if check.name == "balance":
        return gettext("Below {warn} is a warning, below {stop} stops the run.", **limits)
    if check.critical is not None:
        critical = language.decimal(check.critical, 3)
        return gettext(
            "Above {warn} is a warning, above {stop} stops the run; chance alone gives up to {critical}.",
            critical=critical,
            **limits,
        )
    return gettext("Above {warn} is a warning, above {stop} stops the run.", **limits)
