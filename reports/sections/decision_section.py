"""The gate's decision: whether a run's best model should replace the champion, and everything that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from reports.analysis.statistics import Interval
from reports.sections.errors_section import ShownReview
from reports.sections.gate_policy import GatePolicy
from storage.bounds import Constraint, Count

# Of decision.json.
DECISION_FORMAT = 1
Outcome = Literal["same", "keep", "propose", "promote", "refused"]
Result = Literal["passed", "failed", "warned", "not applicable"]
# "must": what else nothing can be said. "reason": why a model may replace the champion. "guard": in what it must not be
# clearly worse. "floor": what every model must reach. "warning": what is only said.
Kind = Literal["must", "reason", "guard", "floor", "warning"]


@dataclass(frozen=True)
class GateCheck:
    """One check of the gate.

    Attributes:
        name: What is checked; `reports/page/decision_words.py` has the words.
        value: What was found, in the check's own unit; None if it was not computed.
        limit: What it is compared with; None if there is no limit.
        p_value: Of the test for "clearly worse", or of the reason's own test; corrected by Holm for slices.
        part: Of a slice: by what, and its range as in `errors_section.Slice`; "label" for the reviews of one label.
        detail: An error's message, or a count in words; in English.
    """

    name: str
    kind: Kind
    result: Result
    value: float | None = None
    limit: float | None = None
    p_value: float | None = None
    part: tuple[str, float, float | None] | None = None
    detail: str = ""


@dataclass(frozen=True)
class Contender:
    """One of the two models.

    Attributes:
        run_id: The run that trained it.
        training: Name of its training.
        identity: As in `storage.champion_records`.
        number: Of the record that made it the champion; None for the challenger.
        accuracy: On the common reviews, or on the run's test reviews if there are none in common.
        loss: Log loss in nats, on the same.
        calibration: Expected calibration error, on the same.
        pairs: Passed minimal pairs, and how many there are; None if they do not apply.
        slices: Accuracy by kind of review: by, low, high, reviews, accuracy.
        milliseconds: Mean time to predict 1,000 reviews, as its training measured it; None if unknown.
        val_losses: Validation loss of each epoch of its training; empty if unknown.
        validation_loss: Of its model, on its own run's validation reviews; None if unknown.
    """

    run_id: str
    training: str
    identity: str
    number: Count | None = None
    accuracy: Interval | None = None
    loss: Interval | None = None
    calibration: float | None = None
    pairs: tuple[Count, Count] | None = None
    slices: tuple[tuple[str, float, float | None, Count, float], ...] = ()
    milliseconds: float | None = None
    val_losses: tuple[float, ...] = ()
    validation_loss: float | None = None


@dataclass(frozen=True)
class Decision:
    """One decision of the gate.

    Attributes:
        outcome: What the run ends in.
        reasons: Codes of the reasons, the most important first; `reports/page/decision_words.py` has the words.
        policy: What was applied.
        champion_name: Whose log.
        number: Of the record that the decision was made against; 0 for an empty log.
        challenger: The run's best model by validation loss; None if there is none.
        champion: The model in use; None if there is none.
        checks: All checks, in the order of the page.
        test_set: The test reviews that it is about.
        reviews: Test reviews that both models were scored on, each distinct text once.
        repeated: Test reviews that were left out because another has the same text.
        left_out: Test reviews that were left out because the champion was trained on them.
        new_reviews: Reviews that the challenger was trained on and the champion was not; None if not counted.
        gain: The challenger's accuracy minus the champion's, with its 95% interval.
        gained: Reviews that only the challenger has right.
        lost: Reviews that only the champion has right: the negative flips.
        p_value: One-sided, that the challenger is not more accurate.
        least_gain: The smallest gain that would have been clear here; None if none would have been.
        looks: Looks of the last 365 days, this one included if it was one.
        is_look: Whether this decision has used one of the year's looks.
        earlier: Run whose look is repeated; None if this is a new decision.
        earlier_outcome: What came out of that look.
        anchor: The best champion of the last 365 days, under "refresh": its record's number, its accuracy on these
            reviews, and the challenger's minus that; None if there is no other.
        flips: Some negative flips as readable reviews.
        feedback: Of the champion, what later labels said: week, labelled reviews, how many it had right.
        feedback_scored: Reviews that those labels were a part of.
        error: What went wrong, in English; "" if nothing did.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    policy: GatePolicy
    champion_name: str
    number: Count
    challenger: Contender | None = None
    champion: Contender | None = None
    checks: tuple[GateCheck, ...] = ()
    test_set: str = "imdb"
    reviews: Count = 0
    repeated: Count = 0
    left_out: Count = 0
    new_reviews: Count | None = None
    gain: Interval | None = None
    gained: Count = 0
    lost: Count = 0
    p_value: float | None = None
    least_gain: float | None = None
    looks: Count = 0
    is_look: bool = False
    earlier: str | None = None
    earlier_outcome: str | None = None
    anchor: tuple[Count, float, float] | None = None
    flips: tuple[ShownReview, ...] = ()
    error: str = ""
    feedback: tuple[tuple[str, Count, Count], ...] = ()
    feedback_scored: Count = 0
    format: Annotated[int, Constraint(ge=1, le=DECISION_FORMAT)] = DECISION_FORMAT

    @property
    def champion_lead(self) -> Interval | None:
        """The champion's accuracy minus the challenger's, with its 95% interval."""
        gain = self.gain
        return Interval(-gain.estimate, -gain.high, -gain.low) if gain else None

    @property
    def failed(self) -> tuple[GateCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.result == "failed")
