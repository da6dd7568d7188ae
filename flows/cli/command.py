"""The `retrain` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flows.cli.exit_codes import INTERRUPTED, complain
from flows.cli.parser import build_parser, read_parameters


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `retrain`; those of this process if None.

    Returns:
        The exit code: 0 all well, 1 a training failed, 2 bad input, 130 interrupted.

    Raises:
        SystemExit: The arguments ask for help or cannot be parsed.
    """
    options = build_parser().parse_args(arguments)
    try:
        return _run_command(options)
    except (ValueError, OSError) as error:
        return complain(options.command, error)
    except KeyboardInterrupt:
        print(f"retrain {options.command}: interrupted; no run was published", file=sys.stderr)
        return INTERRUPTED


def _run_command(options: argparse.Namespace) -> int:
    # Imported late: help and parse errors do not need Arrow, NumPy or Jinja2, which take half a second to import.
    if options.command == "run":
        from flows.cli.run_command import run_nightly

        return run_nightly(read_parameters(options))
    from flows.cli import store_commands

    if options.command == "report":
        return store_commands.render_again(options.store, options.run_id, language=options.lang, target=options.out)
    if options.command == "history":
        return store_commands.print_history(options.store, as_json=options.json)
    return store_commands.verify_files(options.store)
