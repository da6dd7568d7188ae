"""The `retrain` command."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from flows.cli.exit_codes import BAD_INPUT, INTERRUPTED, complain
from flows.cli.parser import build_parser, read_parameters
from flows.cli.streams import TolerantStream, tolerant_streams


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `retrain`; those of this process if None.

    Returns:
        The exit code: 0 all well, 1 a training failed or a check stopped the run, 2 bad input, 3 the gate refused,
        130 interrupted.

    Raises:
        SystemExit: The arguments ask for help or cannot be parsed.
    """
    # Warnings are for developers. Python's options could turn those of libraries into errors.
    with warnings.catch_warnings(), tolerant_streams() as output:
        warnings.simplefilter("ignore")
        options = build_parser().parse_args(arguments)
        return _check_output(output, options.command, _run_command(options))


def _check_output(output: TolerantStream, command: str, code: int) -> int:
    """Return the exit code of a command, which did not succeed if what it was asked for could not be written.

    A run has published its report; so there a line to standard error is enough.
    """
    output.flush()
    if output.error is None or output.lost_reader:
        return code
    complain(command, OSError(f"standard output could not be written: {output.error}"))
    return code if command == "run" else BAD_INPUT


def _run_command(options: argparse.Namespace) -> int:
    try:
        return _choose_command(options)
    except (ValueError, OSError) as error:
        return complain(options.command, error)
    except KeyboardInterrupt:
        print(f"retrain {options.command}: {_describe_interruption(options.command)}", file=sys.stderr)
        return INTERRUPTED


def _describe_interruption(command: str) -> str:
    if command != "run":
        return "interrupted"
    # Imported late: it reads the records, which help does not need.
    from flows.outcome import describe_interruption

    return describe_interruption()


def _choose_command(options: argparse.Namespace) -> int:
    # Imported late: help and parse errors do not need Arrow, NumPy or Jinja2, which take half a second to import.
    if options.command == "run":
        from flows.cli.run_command import run_nightly

        return run_nightly(read_parameters(options))
    if options.command == "doctor":
        from flows.cli.doctor import examine

        return examine(options.store, as_json=options.json)
    if options.command == "inspect":
        return _inspect(options)
    if options.command in ("champion", "predict", "feedback"):
        return _ask_champion(options)
    return _look_after_store(options)


def _ask_champion(options: argparse.Namespace) -> int:
    if options.command == "champion":
        from flows.cli.champion_commands import run_champion_command

        return run_champion_command(options)
    if options.command == "feedback":
        from flows.cli.feedback_command import run_feedback_command

        return run_feedback_command(options)
    from flows.cli.predict_command import run_predict_command

    return run_predict_command(options)


def _inspect(options: argparse.Namespace) -> int:
    from flows.cli.inspect_command import inspect
    from tasks.data.reading.readings import ReadingOptions

    return inspect(
        options.path,
        ReadingOptions.take_from(options),
        sha256=options.sha256,
        label_map=options.label_map,
        num_words=options.num_words,
        as_json=options.json,
    )


def _look_after_store(options: argparse.Namespace) -> int:
    from flows.cli import store_commands

    match options.command:
        case "report":
            return store_commands.render_again(options.store, options.run_id, language=options.lang, target=options.out)
        case "history":
            return store_commands.print_history(options.store, as_json=options.json)
        case "clean":
            return store_commands.clean(
                options.store,
                forget=options.forget,
                keep_runs=options.keep_runs,
                keep_days=options.keep_days,
                is_dry=options.dry_run,
            )
    return store_commands.verify_files(options.store)
