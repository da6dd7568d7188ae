"""The policy of the gate: when a model may replace the champion, and what the run does about it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

MODES = ("off", "report_only", "propose", "automatic")
POLICIES = ("better", "refresh")
# The chance loss of a coin, in nats.
COIN_LOSS = 0.6931
# By field: the values that are allowed, from and to, both included unless the field is a level.
BOUNDS = {
    "yearly_false_promotions": (0.0, 1.0),
    "looks_per_year": (1, 100_000),
    "margin": (0.0, 1.0),
    "anchor_margin": (0.0, 1.0),
    "log_loss": (0.0, 10.0),
    "minimal_pairs": (0.0, 1.0),
    "slices": (0.0, 1.0),
    "slice_reviews": (1, 10**9),
    "calibration": (0.0, 1.0),
    "flips_factor": (0.0, 100.0),
    "flips": (0.0, 1.0),
    "least_accuracy": (0.0, 1.0),
    "most_loss": (0.0, 20.0),
}
# A level of 0 would never find anything; a factor or a share of 0 refuses every model.
NOT_ZERO = ("yearly_false_promotions", "flips_factor", "flips", "most_loss")


@dataclass(frozen=True)
class GatePolicy:
    """Policy and mode of the gate. Shares and accuracies are 0 to 1, losses in nats.

    Attributes:
        mode: "off": no gate. "report_only": the page says what the gate found. "propose": people are told too.
            "automatic": the flow promotes by itself.
        policy: "better": only a clearly better model replaces the champion. "refresh": one that was trained on newer
            reviews and is not worse does too.
        yearly_false_promotions: Under "better", the chance of a false proposal or promotion in a year of looks.
        looks_per_year: How many comparisons with the champion a year has.
        margin: Under "refresh", how much less accurate a model may be.
        anchor_margin: Under "refresh", how much less accurate than the best champion of the last 365 days.
        log_loss: How much a model's log loss may be above the champion's, if it clearly is.
        minimal_pairs: How much lower its share of passed minimal pairs may be, if it clearly is.
        slices: How much lower its accuracy on a slice may be, if it clearly is.
        slice_reviews: The fewest reviews of such a slice.
        calibration: How much higher its calibration error may be, if it clearly is.
        flips_factor: Negative flips: how many times half the reviews on which two seeds of one recipe disagree.
        flips: The share of negative flips allowed if no run has two seeds of the champion's recipe.
        least_accuracy: The lowest accuracy allowed.
        most_loss: The highest log loss allowed.
        single_writer: Whether nobody else writes to the store, so that one may be used that cannot create a record
            only if there is none.
    """

    mode: str = "report_only"
    policy: str = "better"
    yearly_false_promotions: float = 0.05
    looks_per_year: int = 365
    margin: float = 0.005
    anchor_margin: float = 0.01
    log_loss: float = 0.005
    minimal_pairs: float = 0.05
    slices: float = 0.02
    slice_reviews: int = 500
    calibration: float = 0.01
    flips_factor: float = 1.5
    flips: float = 0.075
    least_accuracy: float = 0.6
    most_loss: float = COIN_LOSS
    single_writer: bool = False

    @property
    def level(self) -> float:
        """The level of one look: the yearly budget, divided by the looks of a year (Bonferroni's union bound)."""
        return self.yearly_false_promotions / self.looks_per_year


DEFAULT_POLICY = GatePolicy()
_KINDS = {field.name: type(getattr(DEFAULT_POLICY, field.name)) for field in fields(GatePolicy)}


def parse_policy(text: str) -> GatePolicy:
    """Return the policy that a text such as "mode=propose,policy=refresh,margin=0.003" describes.

    What it does not name has its default.

    Raises:
        ValueError: A field is unknown, stands twice, or has a value that is not allowed.

    Example:
        >>> parse_policy("mode=propose,looks_per_year=52").level
        0.0009615384615384616
    """
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in _KINDS:
            raise _refuse(f"fields of {', '.join(_KINDS)}, each as NAME=VALUE", part)
        if name in values:
            raise _refuse("different fields", part)
        values[name] = _read_value(name, value)
    return GatePolicy(**values)


def write_policy(policy: GatePolicy) -> str:
    """Return the text that `parse_policy` reads: the mode, and what differs from the defaults."""
    different = {name: value for name, value in asdict(policy).items() if value != getattr(DEFAULT_POLICY, name)}
    return ",".join(f"{name}={_write_value(value)}" for name, value in ({"mode": policy.mode} | different).items())


def _write_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_value(name: str, text: str) -> Any:
    if name in ("mode", "policy"):
        choices = MODES if name == "mode" else POLICIES
        if text not in choices:
            raise _refuse(f"{name}= one of {', '.join(choices)}", f"{name}={text}")
        return text
    if _KINDS[name] is bool:
        if text not in ("true", "false"):
            raise _refuse(f"{name}=true or {name}=false", f"{name}={text}")
        return text == "true"
    low, high = BOUNDS[name]
    must = f"{name}= {'an integer' if _KINDS[name] is int else 'a number'} from {low} to {high}"
    must += ", and not 0" if name in NOT_ZERO else ""
    try:
        value = _KINDS[name](text)
    except ValueError:
        raise _refuse(must, f"{name}={text}") from None
    if not math.isfinite(value) or not low <= value <= high or (name in NOT_ZERO and value == 0):
        raise _refuse(must, f"{name}={text}")
    return value


def _refuse(must: str, received: str) -> ValueError:
    return ValueError(f"`gate` must have {must}. Received: gate has {received!r:.80}.")
