"""The test reviews that the variants get most wrong or disagree on: one list, each review once."""

from __future__ import annotations

from typing import NamedTuple

from reports.page.language import Language
from reports.sections.errors_section import Errors, ShownReview

# The archive's text has <br /> for line breaks, of which its tokens keep "br".
BREAK, PARAGRAPH = "br", "¶"


class Word(NamedTuple):
    """A word, and whether it is outside the vocabulary."""

    text: str
    is_unknown: bool


class HardReview(NamedTuple):
    """One review.

    Attributes:
        review_id: Of the archive.
        headline: Its label, and what the models say.
        is_suspect: Whether its label may be wrong.
        probabilities: By variant, that the review is positive.
        words: What the models get.
        cut_words: Number of words that were cut before them.
    """

    review_id: str
    headline: str
    is_suspect: bool
    probabilities: dict[str, float]
    words: tuple[Word, ...]
    cut_words: int


def list_hard_reviews(errors: Errors, language: Language) -> list[HardReview]:
    """Return the reviews, those first whose label gets the lowest mean probability."""
    shown = [
        *errors.suspects,
        *errors.disagreements,
        *(one for ones in errors.confidently_wrong.values() for one in ones),
    ]
    once = {one.review_id: one for one in shown}
    suspects = {one.review_id for one in errors.suspects}
    return [
        make_readable(one, language, is_suspect=one.review_id in suspects)
        for one in sorted(once.values(), key=_mean_confidence)
    ]


def make_readable(one: ShownReview, language: Language, *, is_suspect: bool = False) -> HardReview:
    """Return a review with its headline, and its line breaks as ¶."""
    words = join_breaks(one.words, one.unknown)
    headline = describe_review(one, language)
    return HardReview(one.review_id, headline, is_suspect, one.probabilities, words, one.cut_words)


def _mean_confidence(one: ShownReview) -> float:
    mean = sum(one.probabilities.values()) / len(one.probabilities)
    return mean if one.is_positive else 1 - mean


def describe_review(one: ShownReview, language: Language) -> str:
    """Return the label of a review, and how many models say otherwise and how surely."""
    gettext = language.gettext
    label = gettext("Labelled positive") if one.is_positive else gettext("Labelled negative")
    said = [1 - value if one.is_positive else value for value in one.probabilities.values()]
    wrong = [value for value in said if value > 0.5]
    if not wrong:
        return gettext("{label}; all {count} models say so", label=label, count=len(said))
    values = {
        "label": label,
        "wrong": len(wrong),
        "count": len(said),
        "other": gettext("negative") if one.is_positive else gettext("positive"),
        "share": _name_range(wrong, language),
    }
    if len(wrong) == len(said):
        return gettext("{label}; all {count} models say {other} ({share})", **values)
    return gettext("{label}; {wrong} of {count} models say {other} ({share})", **values)


def _name_range(shares: list[float], language: Language) -> str:
    low, high = (language.percent(value, 0) for value in (min(shares), max(shares)))
    return low if low == high else language.interval(low.removesuffix("%"), high)


def join_breaks(words: tuple[str, ...], unknown: tuple[int, ...]) -> tuple[Word, ...]:
    """Return the words with each run of line breaks as one ¶.

    Example:
        >>> [word.text for word in join_breaks(("fine", "br", "br", "film"), ())]
        ['fine', '¶', 'film']
    """
    joined: list[Word] = []
    for place, text in enumerate(words):
        if text != BREAK:
            joined.append(Word(text, place in unknown))
        elif not joined or joined[-1].text != PARAGRAPH:
            joined.append(Word(PARAGRAPH, is_unknown=False))
    return tuple(joined)
