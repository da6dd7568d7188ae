"""Declare a flow's parameters: name, type, default, bounds and help. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class About:
    """What a parameter has beside its name, type and default. The bounds of a list apply to its items.

    Attributes:
        group: Its heading in the command's help.
        help: One line for the command's help, Prefect's form and docs/parameters.md; a switch's begins with a verb.
        least: The smallest value allowed.
        most: The largest value allowed.
        above: A value must be greater than this.
        below: A value must be smaller than this.
        choices: All values allowed.
        when_absent: What is used if the value is None.
        at_terminal: The command line's default, if it differs.
        option: The name of the command's option, if it differs.
        metavar: The word for the value in the command's help.
    """

    group: str
    help: str
    least: int | None = None
    most: int | None = None
    above: int | None = None
    below: int | None = None
    choices: tuple[str, ...] = ()
    when_absent: str = ""
    at_terminal: str | None = None
    option: str | None = None
    metavar: str | None = None

    def allows(self, value: Any) -> bool:
        """Return whether a value is within the bounds."""
        return (
            (not self.choices or value in self.choices)
            and (not isinstance(value, float) or math.isfinite(value))
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Add help and bounds to the JSON schema, which Prefect uses for its form and to check a deployment.

        Pydantic itself checks no bounds, because `check_parameters` reports all errors in one line.
        """
        schema: dict[str, Any] = handler(core_schema)
        schema["description"] = f"{self.help} ({self.when_absent})" if self.when_absent else self.help
        if schema.get("type") == "array":
            schema |= {"minItems": 1, "uniqueItems": True}
        one_value = schema["anyOf"][0] if "anyOf" in schema else schema.get("items", schema)
        bounds = {
            "minimum": self.least,
            "maximum": self.most,
            "exclusiveMinimum": self.above,
            "exclusiveMaximum": self.below,
            "enum": list(self.choices) or None,
        }
        one_value |= {keyword: bound for keyword, bound in bounds.items() if bound is not None}
        return schema


class Parameter(NamedTuple):
    """One parameter of a flow.

    Attributes:
        name: Its name in the flow's signature, in prefect.yaml and in a run's record.
        kind: Type of its value, or of each item if it is a list.
        is_list: Whether it is a list.
        default: The flow's default.
        about: Bounds, help and all else.
    """

    name: str
    kind: type
    is_list: bool
    default: Any
    about: About

    @property
    def option(self) -> str:
        """Return the command line's option."""
        name = (self.about.option or self.name).replace("_", "-")
        return f"--no-{name}" if self.kind is bool else f"--{name}"

    @property
    def terminal_default(self) -> Any:
        """Return the default of the command line."""
        return self.about.at_terminal or self.default

    def write_default(self, default: Any) -> str:
        """Return a default in words; an empty text if there is none."""
        if default is None:
            return self.about.when_absent
        return ",".join(map(str, default)) if self.is_list else str(default)

    @property
    def must_be(self) -> str:
        """Return what a value must be, in words; an empty text if every value of its type is allowed.

        Example:
            >>> Parameter("jobs", int, False, 1, About("machine", "trainings at once", least=1)).must_be
            'an integer of at least 1'
        """
        about = self.about
        nouns = {int: "integers", float: "numbers"} if self.is_list else {int: "an integer", float: "a number"}
        noun = nouns.get(self.kind, "")
        if about.choices:
            return f"one of {', '.join(about.choices)}"
        if about.least is not None and about.most is not None:
            return f"{noun} from {about.least} to {about.most}"
        if about.least is not None:
            return f"{noun} of at least {about.least}"
        if about.above is not None and about.below is not None:
            return f"{noun} between {about.above} and {about.below}"
        if about.above is not None:
            return f"{noun} above {about.above}" if about.above else "a positive number"
        return ""

    def check(self, value: Any) -> None:
        """Check a value, or each item of a list.

        Raises:
            ValueError: A value is outside the bounds.
        """
        items = value if self.is_list else (value,)
        is_absent = value is None and self.default is None
        require(is_absent or all(map(self.about.allows, items)), self.name, self.must_be, value)


def require(condition: bool, name: str, must: str, received: Any) -> None:
    """Raise a `ValueError` of one line unless a condition on a parameter holds."""
    if not condition:
        raise ValueError(f"`{name}` must be {must}. Received: {name}={received}.")


def list_parameters(declaration: type) -> tuple[Parameter, ...]:
    """Return the parameters that a dataclass declares. Each field is annotated with its type and an `About`."""
    hints = get_type_hints(declaration, include_extras=True)
    return tuple(_read_parameter(field.name, hints[field.name], field.default) for field in fields(declaration))


def _read_parameter(name: str, hint: Any, default: Any) -> Parameter:
    declared, about = get_args(hint)
    is_list = get_origin(declared) is tuple
    (kind, *_) = [one for one in get_args(declared) if one not in (NoneType, ...)] or [declared]
    return Parameter(name, kind, is_list, default, about)
