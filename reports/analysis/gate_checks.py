"""The checks of the gate: the reasons to replace a champion, the guards that must hold, and the floors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from reports.analysis.measurements import Bools, Floats, Predictions
from reports.analysis.paired_tests import compare_calibration, lower_bound, mcnemar_greater, mean_greater
from reports.analysis.probabilities import calibration_error
from reports.analysis.statistics import SIGNIFICANCE, adjust_holm, mean_interval, wilson_interval
from reports.sections.comparison_section import BaselineCheck
from reports.sections.decision_section import Contender, GateCheck, Result
from reports.sections.gate_policy import GatePolicy

Part = tuple[str, float, float | None]
# How many times slower a challenger may predict before the page warns.
SLOWER = 2.0


@dataclass(frozen=True)
class Contest:
    """Two models on the same reviews, each distinct text once.

    Attributes:
        labels: bool, shape (reviews,): whether the review is positive.
        challenger: float64, shape (reviews,): the challenger's probabilities.
        champion: float64, shape (reviews,): the champion's.
        parts: Kinds of reviews: by, low, high, and a mask of shape (reviews,).
        pairs: Whether the challenger and whether the champion passes each minimal pair that both know: bool, shape
            (pairs,); None if there are none.
        seed_disagreement: Share of the reviews on which two seeds of the champion's recipe disagree; None if unknown.
    """

    labels: Bools
    challenger: Floats
    champion: Floats
    parts: tuple[tuple[Part, Bools], ...] = ()
    pairs: tuple[Bools, Bools] | None = None
    seed_disagreement: float | None = None

    @property
    def is_right(self) -> Bools:
        """Whether the challenger classifies each review correctly."""
        right: Bools = (self.challenger > 0.5) == self.labels
        return right

    @property
    def was_right(self) -> Bools:
        """Whether the champion does."""
        right: Bools = (self.champion > 0.5) == self.labels
        return right

    def count_discordant(self, mask: Bools | None = None) -> tuple[int, int]:
        """Return how many reviews only the challenger has right, and how many only the champion."""
        chosen = slice(None) if mask is None else mask
        now, before = self.is_right[chosen], self.was_right[chosen]
        return int((now & ~before).sum()), int((before & ~now).sum())


def judge(*, is_failed: bool) -> Result:
    return "failed" if is_failed else "passed"


def check_better(contest: Contest, policy: GatePolicy) -> GateCheck:
    """Return whether the challenger is clearly more accurate, at the level of one of the year's looks."""
    gained, lost = contest.count_discordant()
    p_value = mcnemar_greater(gained, lost)
    gain = (gained - lost) / len(contest.labels)
    return GateCheck("better", "reason", judge(is_failed=not p_value <= policy.level), gain, policy.level, p_value)


def check_refresh(
    contest: Contest, policy: GatePolicy, new_reviews: int, anchor_gain: float | None
) -> Iterator[GateCheck]:
    """Yield whether the challenger knows newer reviews, and is not worse than the champion and the year's best one.

    Args:
        contest: The two models.
        policy: With the margins.
        new_reviews: Reviews that only the challenger was trained on.
        anchor_gain: The challenger's accuracy minus that of the best champion of the year; None without one.
    """
    yield GateCheck("newer", "reason", judge(is_failed=new_reviews == 0), float(new_reviews), 1.0)
    low = lower_bound(contest.is_right, contest.was_right)
    yield GateCheck("not_worse", "reason", judge(is_failed=low <= -policy.margin), low, -policy.margin)
    if anchor_gain is not None:
        is_failed = anchor_gain < -policy.anchor_margin
        yield GateCheck("anchor", "reason", judge(is_failed=is_failed), anchor_gain, -policy.anchor_margin)


def check_guards(contest: Contest, policy: GatePolicy) -> Iterator[GateCheck]:
    """Yield the guards. One fails only if the challenger is clearly worse and by more than its limit.

    All of them must hold, so each is tested at 5% without a correction (intersection-union); only the slices are
    corrected among themselves.
    """
    yield _check_loss(contest, policy)
    yield _check_pairs(contest, policy)
    yield from _check_slices(contest, policy)
    worse, p_value = compare_calibration(contest.labels, contest.challenger, contest.champion)
    is_failed = worse > policy.calibration and p_value < SIGNIFICANCE
    yield GateCheck("calibration", "guard", judge(is_failed=is_failed), worse, policy.calibration, p_value)
    yield _check_flips(contest, policy)


def _check_loss(contest: Contest, policy: GatePolicy) -> GateCheck:
    both = Predictions(contest.labels, {"now": contest.challenger, "before": contest.champion})
    differences = both.losses("now") - both.losses("before")
    worse, p_value = float(differences.mean()), mean_greater(differences)
    is_failed = worse > policy.log_loss and p_value < SIGNIFICANCE
    return GateCheck("log_loss", "guard", judge(is_failed=is_failed), worse, policy.log_loss, p_value)


def _check_pairs(contest: Contest, policy: GatePolicy) -> GateCheck:
    if contest.pairs is None or not len(contest.pairs[0]):
        return GateCheck("minimal_pairs", "guard", "not applicable", limit=policy.minimal_pairs)
    now, before = contest.pairs
    worse = float(before.mean() - now.mean())
    p_value = mcnemar_greater(int((before & ~now).sum()), int((now & ~before).sum()))
    is_failed = worse > policy.minimal_pairs and p_value < SIGNIFICANCE
    return GateCheck("minimal_pairs", "guard", judge(is_failed=is_failed), worse, policy.minimal_pairs, p_value)


def _check_slices(contest: Contest, policy: GatePolicy) -> Iterator[GateCheck]:
    tested = [(part, mask) for part, mask in contest.parts if mask.sum() >= policy.slice_reviews]
    if not tested:
        yield GateCheck("slice", "guard", "not applicable", limit=policy.slices)
        return
    counts = [contest.count_discordant(mask) for _, mask in tested]
    adjusted = adjust_holm([mcnemar_greater(lost, gained) for gained, lost in counts])
    for (part, mask), (gained, lost), p_value in zip(tested, counts, adjusted, strict=True):
        worse = (lost - gained) / int(mask.sum())
        is_failed = worse > policy.slices and p_value < SIGNIFICANCE
        yield GateCheck("slice", "guard", judge(is_failed=is_failed), worse, policy.slices, p_value, part)


def _check_flips(contest: Contest, policy: GatePolicy) -> GateCheck:
    """Return whether few enough reviews flip from right to wrong.

    An equal model of another seed flips about half of the reviews on which two seeds disagree, so that is the measure.
    Source: Yan et al., "Positive-congruent training: towards regression-free model updates", CVPR (2021).
    """
    _, lost = contest.count_discordant()
    by_seeds = contest.seed_disagreement
    limit = policy.flips if by_seeds is None else policy.flips_factor * by_seeds / 2
    share = lost / len(contest.labels)
    return GateCheck("flips", "guard", judge(is_failed=share > limit), share, limit)


def check_floors(labels: Bools, probabilities: Floats, policy: GatePolicy) -> Iterator[GateCheck]:
    """Yield whether a model reaches the lowest accuracy and the highest loss that the policy allows."""
    one = Predictions(labels, {"now": probabilities})
    accuracy, loss = float(one.is_correct("now").mean()), float(one.losses("now").mean())
    is_low = accuracy < policy.least_accuracy
    yield GateCheck("least_accuracy", "floor", judge(is_failed=is_low), accuracy, policy.least_accuracy)
    yield GateCheck("most_loss", "floor", judge(is_failed=loss > policy.most_loss), loss, policy.most_loss)


def check_first(labels: Bools, probabilities: Floats, words: BaselineCheck | None) -> Iterator[GateCheck]:
    """Yield what the first champion must show: clearly better than the majority class, not clearly worse than words.

    Args:
        labels: bool, shape (reviews,): whether the review is positive.
        probabilities: float64, shape (reviews,): the challenger's.
        words: The challenger beside the bag of words; None if the run has none.
    """
    correct, majority = (probabilities > 0.5) == labels, labels == (labels.mean() > 0.5)
    p_value = mcnemar_greater(int((correct & ~majority).sum()), int((majority & ~correct).sum()))
    gain = float(correct.mean() - majority.mean())
    yield GateCheck("majority", "reason", judge(is_failed=p_value >= SIGNIFICANCE), gain, 0.0, p_value)
    if words is None:
        yield GateCheck("bag_of_words", "reason", "not applicable")
        return
    is_worse = words.difference.estimate < 0 and words.adjusted_p < SIGNIFICANCE
    gain = words.difference.estimate
    yield GateCheck("bag_of_words", "reason", judge(is_failed=is_worse), gain, 0.0, words.adjusted_p)


def check_latency(challenger: float | None, champion: float | None) -> GateCheck:
    """Return a warning if the challenger predicts far more slowly; both in ms for 1,000 reviews."""
    if not challenger or not champion:
        return GateCheck("latency", "warning", "not applicable", limit=SLOWER)
    times = challenger / champion
    return GateCheck("latency", "warning", "warned" if times > SLOWER else "passed", times, SLOWER)


def describe_contender(
    one: Contender, labels: Bools, probabilities: Floats, parts: tuple[tuple[Part, Bools], ...], pairs: Bools | None
) -> Contender:
    """Return a contender with its figures on some reviews."""
    scored = Predictions(labels, {"now": probabilities})
    right = scored.is_correct("now")
    return replace(
        one,
        accuracy=wilson_interval(int(right.sum()), len(right)),
        loss=mean_interval(scored.losses("now")) if len(right) > 1 else None,
        calibration=calibration_error(labels, probabilities),
        pairs=None if pairs is None else (int(pairs.sum()), len(pairs)),
        slices=tuple((*part, int(mask.sum()), float(right[mask].mean())) for part, mask in parts if mask.any()),
    )


def is_same(first: Floats, second: Floats, tolerance: float) -> bool:
    """Return whether two models' probabilities differ by less than a tolerance on every review."""
    return bool(len(first) and np.all(np.abs(first - second) < tolerance))
