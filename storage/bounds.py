"""Constraints on the fields of records, as annotated types. pydantic checks them when a record is decoded.

They do not use pydantic's own `Field`, because every process imports the records, but few processes need pydantic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from storage.containment import join

# Limit of all numbers. Larger ones are not counts of ours, and may be too large for a float.
LARGEST = 2**63


class Constraint:
    """Constraints on a field, by pydantic's names: `ge`, `gt`, `le` and `lt` for a number, `pattern` for a text."""

    def __init__(self, **constraints: float | str) -> None:
        self.constraints = constraints

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {**handler(kind), **self.constraints}


class Check:
    """Checks a field with a function that raises a ValueError if the value is wrong; its message begins with "must"."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self.check = check

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {
            "type": "function-after",
            "function": {"type": "no-info", "function": self._pass},
            "schema": handler(kind),
        }

    def _pass(self, value: Any) -> Any:
        self.check(value)
        return value


def _check_path(path: str) -> None:
    if path in ("", "."):
        raise ValueError("must be the path of a file")
    try:
        join("", path)
    except ValueError:
        raise ValueError("must stay inside the store") from None


Whole = Annotated[int, Constraint(gt=-LARGEST, lt=LARGEST)]
Count = Annotated[int, Constraint(ge=0, lt=LARGEST)]
Positive = Annotated[int, Constraint(ge=1, lt=LARGEST)]
Real = Annotated[float, Constraint(gt=-LARGEST, lt=LARGEST)]
Share = Annotated[float, Constraint(ge=0, le=1)]
Sha256 = Annotated[str, Constraint(pattern="^[0-9a-f]{64}$")]
StorePath = Annotated[str, Check(_check_path)]
