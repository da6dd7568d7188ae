"""Read and write the gate's decision as JSON, which the page is rendered from."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reports.sections.decision_section import Decision
from storage.decoding import decode_json
from storage.records import JsonObject

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _adapter() -> TypeAdapter[Decision]:
    from pydantic import TypeAdapter

    return TypeAdapter(Decision)


def decision_to_json(decision: Decision) -> bytes:
    """Return a decision as JSON in UTF-8. All numbers in it must be finite."""
    return _adapter().dump_json(decision, indent=1)


def decision_from_json(content: bytes, name: str = "decision.json") -> Decision:
    """Return the decision that `decision_to_json` wrote.

    Raises:
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The content is not a decision.
    """
    decision: Decision = decode_json(Decision, content, f"{name} must hold a decision of the gate")
    return decision


def summarise_decision(decision: Decision) -> JsonObject:
    """Return the figures and checks of a decision, for a record of the log."""
    accuracies = {
        who: one.accuracy.estimate if one and one.accuracy else None
        for who, one in (("challenger", decision.challenger), ("champion", decision.champion))
    }
    return {
        "outcome": decision.outcome,
        "policy": decision.policy.policy,
        "test_set": decision.test_set,
        "reviews": decision.reviews,
        "accuracy": accuracies,
        "gain": decision.gain.estimate if decision.gain else None,
        "gained": decision.gained,
        "lost": decision.lost,
        "p_value": decision.p_value,
        "checks": [
            {"name": check.name, "part": list(check.part) if check.part else None, "result": check.result}
            for check in decision.checks
        ],
    }
