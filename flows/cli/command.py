"""The `retrain` command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from flows.cli.exit_codes import INTERRUPTED, complain
from flows.cli.parser import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 all well, 1 a training failed, 2 bad input."""
    options = vars(build_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        return _find_command(command)(options)
    except (ValueError, OSError) as error:
        return complain(command, error)
    except KeyboardInterrupt:
        print(f"retrain {command}: interrupted; no run was published", file=sys.stderr)
        return INTERRUPTED


def _find_command(name: str) -> Callable[[dict[str, Any]], int]:
    # Imported late, for neither the help nor a mistyped option needs Arrow, NumPy or Jinja2: half a second.
    if name == "run":
        from flows.cli.run_command import run

        return run
    from flows.cli import store_commands

    return {"report": store_commands.report, "history": store_commands.history, "verify": store_commands.verify}[name]
