"""docs/parameters.md, which `make docs` writes: each parameter of the nightly flow in one table."""

from __future__ import annotations

from flows.declarations import Parameter
from flows.parameters import PARAMETERS
from tests.places import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "parameters.md"
INTRODUCTION = """# Parameters of the nightly flow

Made by `make docs` from [flows/parameters.py](../flows/parameters.py); change them there.

- `retrain run` takes them as options, a list with commas between.
- A deployment takes them by name: in `prefect.yaml`, or with `prefect deployment run ... --param epochs=2`.
- A value that is not what it must be is refused before anything is started or written.

| parameter | option | type | default | must be | what it is |
|---|---|---|---|---|---|
"""


def render_page() -> str:
    """Return the page as Markdown."""
    return INTRODUCTION + "".join(map(_render_row, PARAMETERS))


def _render_row(parameter: Parameter) -> str:
    kind = f"list of {parameter.kind.__name__}" if parameter.is_list else parameter.kind.__name__
    default = _render_value(parameter, parameter.default)
    if parameter.terminal_default != parameter.default:
        default += f"; `{parameter.terminal_default}` at the terminal"
    cells = (f"`{parameter.name}`", f"`{parameter.option}`", kind, default, parameter.must_be, parameter.about.help)
    return f"| {' | '.join(cells)} |\n"


def _render_value(parameter: Parameter, value: object) -> str:
    if value is None:
        return parameter.about.when_absent or "none"
    return f"`{str(value).lower() if parameter.kind is bool else parameter.write_default(value)}`"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render_page())
