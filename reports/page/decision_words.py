"""Say in words what the gate decided, why, and what to do; for the page, the terminal and messages."""

from __future__ import annotations

import shlex

from reports.page.gate_tables import format_points, name_champion, name_check
from reports.page.language import Language
from reports.sections.decision_section import Decision


def name_outcome(decision: Decision, language: Language) -> str:
    """Return the outcome in a word or two."""
    gettext = language.gettext
    names = {
        "same": gettext("Keep"),
        "keep": gettext("Keep"),
        "propose": gettext("Proposed"),
        "promote": gettext("Decision: promote"),
        "refused": gettext("Refused"),
    }
    if decision.outcome == "keep" and decision.champion is None:
        return gettext("No champion")
    if decision.outcome == "same" and decision.earlier_outcome == "propose":
        return gettext("Proposed")
    return names[decision.outcome]


def headline_decision(decision: Decision, language: Language) -> str:
    """Return the decision in one sentence."""
    gettext = language.gettext
    if decision.outcome == "refused":
        return f"{explain_refusal(decision, language)}"
    challenger = decision.challenger.training if decision.challenger else ""
    champion = name_champion(decision.champion, language) if decision.champion else ""
    names = {"challenger": challenger, "champion": champion}
    if decision.outcome in ("propose", "promote"):
        return _headline_change(decision, names, language)
    if decision.champion is None:
        reason = _explain_keep(decision, names, language)
        return gettext("No champion yet: {reason}", reason=reason)
    if decision.outcome == "same" and decision.reasons[0] == "judged_before":
        return _headline_repeated(decision, names, language)
    return gettext("{champion} stays: {reason}", reason=_explain_keep(decision, names, language), **names)


def _headline_change(decision: Decision, names: dict[str, str], language: Language) -> str:
    gettext = language.gettext
    if decision.champion is None or decision.gain is None:
        return gettext("{challenger} becomes the first champion: it is better than the baselines.", **names)
    values = {**names, "gain": format_points(decision.gain.estimate, language)}
    if decision.reasons[0] == "refresh":
        return gettext(
            "{challenger} replaces {champion}: trained on newer reviews, and not worse ({gain} points).", **values
        )
    return gettext("{challenger} replaces {champion}: {gain} points, a clear difference.", **values)


def _headline_repeated(decision: Decision, names: dict[str, str], language: Language) -> str:
    gettext = language.gettext
    if decision.earlier_outcome == "propose":
        return gettext(
            "{challenger} replaces {champion}, as proposed before; nobody has decided yet.",
            **names,
        )
    return gettext("{champion} stays: the same model was judged on these reviews before.", **names)


def _explain_keep(decision: Decision, names: dict[str, str], language: Language) -> str:
    gettext, reason = language.gettext, decision.reasons[0]
    if reason == "not_better":
        is_worse = decision.gain is not None and decision.gain.high < 0
        if is_worse:
            return gettext("{challenger} is clearly worse.", **names)
        return gettext("no clear difference.")
    failed = language.format_list(
        list(dict.fromkeys(name_check(check, language) for check in decision.failed if check.kind != "must"))
    )
    sentences = {
        "is_champion": gettext("this run trained the same model again."),
        "blocked": gettext("{challenger} is blocked.", **names),
        "looks_spent": gettext("the year's comparisons are used up."),
        "not_refresh": gettext("{challenger} is not {checks}.", checks=failed, **names),
        "not_first": gettext("{challenger} is not {checks}.", checks=failed, **names),
        "guards": gettext("{challenger} fails the check of {checks}.", checks=failed, **names),
    }
    return sentences[reason]


def explain_refusal(decision: Decision, language: Language) -> str:
    """Return in one sentence what cannot be seen for sure."""
    gettext, error = language.gettext, decision.error
    sentences = {
        "failed_variant": gettext("A variant failed, so the best one is not known: {error}.", error=error),
        "no_model": gettext("The run has no model."),
        "not_finite": gettext("A figure of the best model is not a number."),
        "missing_metric": gettext("A figure of the best model is missing: {error}.", error=error),
        "no_common_reviews": gettext("The champion was trained on all test reviews of this run."),
        "challenger_unusable": gettext("The best model cannot be used without this project. {error}", error=error),
        "challenger_drifted": gettext("Today's libraries change what the best model says. {error}", error=error),
        "champion_unusable": gettext("The champion could not be loaded. {error}", error=error),
        "champion_drifted": gettext("Today's libraries change what the champion says. {error}", error=error),
        "anchor_unusable": gettext("The best champion of the year could not be loaded. {error}", error=error),
        "anchor_drifted": gettext("Today's libraries change what the year's best champion says. {error}", error=error),
    }
    return sentences.get(decision.reasons[0]) or gettext("The gate could not decide. {error}", error=error)


def advise(decision: Decision, language: Language) -> tuple[str, str]:
    """Return what to do now, and the command that does it, "" if there is none."""
    gettext = language.gettext
    if decision.outcome == "refused":
        return gettext("Mend the cause and run again; the champion stays as it is."), ""
    if decision.outcome == "promote":
        return gettext("Nothing to do. This goes back:"), write_rollback(decision)
    if is_proposed(decision):
        return gettext("Your turn:"), write_promotion(decision)
    return gettext("Nothing to do."), ""


def is_proposed(decision: Decision) -> bool:
    """Return whether a person is asked to promote."""
    return decision.outcome == "propose" or (decision.outcome == "same" and decision.earlier_outcome == "propose")


def write_promotion(decision: Decision) -> str:
    """Return the command that promotes the challenger."""
    if decision.challenger is None:
        return ""
    words = ["retrain", "champion", "promote", decision.challenger.run_id, decision.challenger.training]
    return _write_command(words, decision, str(decision.number))


def write_rollback(decision: Decision) -> str:
    """Return the command that goes back to the champion before."""
    return _write_command(["retrain", "champion", "rollback"], decision, str(decision.number + 1))


def _write_command(words: list[str], decision: Decision, expect: str) -> str:
    words += ["--expect", expect]
    if decision.champion_name != "main":
        words += ["--champion", decision.champion_name]
    return f'{shlex.join(words)} --why "..."'


def describe_decision(decision: Decision, language: Language) -> tuple[str, ...]:
    """Return sentences on what was compared, how sure it is, and what is left of the year's budget."""
    gettext = language.gettext
    sentences = []
    if decision.reviews:
        sentences.append(
            gettext(
                "Compared on {count} test reviews; {left_out} are left out because the champion was trained on them, "
                "and {repeated} because their text stands twice.",
                count=language.integer(decision.reviews),
                left_out=language.integer(decision.left_out),
                repeated=language.integer(decision.repeated),
            )
        )
    if decision.gain is not None:
        sentences.append(_describe_gain(decision, language))
    sentences += _describe_budget(decision, language)
    if decision.anchor is not None:
        sentences.append(
            gettext(
                "The best champion of the last 365 days (record {number}) gets {accuracy} here; the new model {gain} "
                "points.",
                number=decision.anchor[0],
                accuracy=language.percent(decision.anchor[1]),
                gain=format_points(decision.anchor[2], language),
            )
        )
    if decision.champion and decision.gain is not None:
        sentences.append(
            gettext(
                "The champion's own figure is a little too good on reviews that it was chosen on: by about 0.3 points "
                "with 25,000 of them, 0.6 with 5,000."
            )
        )
    if decision.earlier:
        sentences.append(gettext("It was judged in run {run_id}; that outcome is repeated.", run_id=decision.earlier))
    if decision.policy.mode == "report_only":
        sentences.append(gettext("Mode report_only: the page alone says this, and nobody is told."))
    return tuple(sentences)


def _describe_gain(decision: Decision, language: Language) -> str:
    gain = decision.gain
    if gain is None:
        return ""
    return language.gettext(
        "The new model gets {gain} points more right ({low} to {high}): {gained} reviews are right now that were "
        "wrong, and {lost} are wrong that were right.",
        gain=format_points(gain.estimate, language),
        low=language.percentage_points(gain.low),
        high=language.percentage_points(gain.high),
        gained=language.integer(decision.gained),
        lost=language.integer(decision.lost),
    )


def _describe_budget(decision: Decision, language: Language) -> list[str]:
    gettext, policy = language.gettext, decision.policy
    sentences = []
    if policy.policy == "refresh" and decision.gain is not None:
        sentences.append(
            gettext("The policy is refresh; the yearly budget of false promotions covers the policy better alone.")
        )
    elif decision.p_value is not None:
        sentences.append(
            gettext(
                "A clear difference needs p ≤ {level} (one-sided, exact); here p = {p}.",
                level=f"{policy.level:.2g}",
                p=f"{decision.p_value:.2g}",
            )
        )
        if decision.least_gain is not None:
            sentences.append(
                gettext(
                    "A gain of {gain} points would have been clear in this run.",
                    gain=format_points(decision.least_gain, language),
                )
            )
        sentences.append(
            gettext(
                "{used} of the year's {all} comparisons are used; {left} are left.",
                used=language.integer(decision.looks),
                all=language.integer(policy.looks_per_year),
                left=language.integer(max(0, policy.looks_per_year - decision.looks)),
            )
        )
    return sentences
