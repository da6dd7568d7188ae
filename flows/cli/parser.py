"""The options of the `retrain` command, and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NoReturn

from flows.cli.command_help import COMMANDS
from flows.cli.exit_codes import BAD_INPUT
from flows.declarations import Parameter
from flows.parameters import PARAMETERS, NightlyParameters
from storage.records import LANGUAGES
from tasks.data.reading.readings import ReadingOptions

# The parameters of the flow that `retrain inspect` takes too.
INSPECTED = ("sha256", *(field.name for field in fields(ReadingOptions)), "label_map", "num_words")
CHAMPION_ACTIONS = ("show", "log", "promote", "rollback", "block", "unblock")


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the name of the chosen command is its result's `command`."""
    parser = OneLineParser(prog="retrain", description="Retrain the sentiment models, and look after past runs.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (deed, note, examples) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=deed,
            description=f"{deed[0].upper()}{deed[1:]}. {note}",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_options(name, command)
    return parser


def read_parameters(options: argparse.Namespace) -> NightlyParameters:
    """Return the flow's parameters from the parsed options of `retrain run`. Their values are not checked yet."""
    return NightlyParameters(**{parameter.name: getattr(options, parameter.name) for parameter in PARAMETERS})


def _add_options(name: str, command: argparse.ArgumentParser) -> None:
    if name == "run":
        _add_run_options(command)
        return
    if name == "inspect":
        _add_inspect_options(command)
        return
    if name == "clean":
        _add_clean_options(command)
    if name == "champion":
        _add_champion_options(command)
    if name == "feedback":
        _add_feedback_options(command)
    if name == "predict":
        _add_predict_options(command)
    if name == "report":
        command.add_argument("run_id", nargs="?", metavar="RUN_ID", help="as `retrain history` lists it (the newest)")
        command.add_argument("--out", metavar="FILE", help="write the page to this file (the store)")
        command.add_argument("--lang", choices=LANGUAGES, help="language of the page (that of the run)")
    if name == "history":
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    if name == "doctor":
        command.add_argument("--json", action="store_true", help="one JSON object")
    _add_option(command, next(parameter for parameter in PARAMETERS if parameter.name == "store"))


def _add_clean_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keep-runs", type=int, metavar="N", help="keep the newest N runs")
    command.add_argument("--keep-days", type=float, metavar="D", help="keep the runs of the last D days")
    command.add_argument("--dry-run", action="store_true", help="remove nothing, and say what would be removed")
    command.add_argument("--forget", metavar="FILE", help="name of a source file that is gone, as the report lists it")


def _add_champion_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", nargs="?", default="show", choices=CHAMPION_ACTIONS, metavar="ACTION")
    command.add_argument("run_id", nargs="?", metavar="RUN_ID", help="as `retrain history` lists it")
    command.add_argument("training", nargs="?", metavar="TRAINING", help="such as gru-seed42")
    command.add_argument("--why", metavar="TEXT", help="the reason, which is kept in the log")
    command.add_argument("--expect", type=int, metavar="NUMBER", help="refuse if the log ends with another record")
    command.add_argument("--json", action="store_true", help="one JSON object a line, for show and log")
    command.add_argument(
        "--single-writer",
        action="store_true",
        help="nobody else writes to the store, which cannot create a file only if there is none",
    )
    _add_option(command, next(parameter for parameter in PARAMETERS if parameter.name == "champion"))


def _add_feedback_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("labels", metavar="LABELS", help="CSV, JSON lines or Parquet with review_id and label")
    command.add_argument("--scored", required=True, metavar="FILE", help="what `retrain predict` wrote of the reviews")
    command.add_argument("--json", action="store_true", help="one JSON object")
    for parameter in PARAMETERS:
        if parameter.name in ("champion", "label_map"):
            _add_option(command, parameter)


def _add_predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("texts", nargs="*", metavar="TEXT", help="always a text, never a path; - reads standard input")
    command.add_argument("--jsonl", action="store_true", help="the lines of standard input are objects with a text")
    command.add_argument("--file", metavar="PATH", help="a file, a folder, or an object-store URI of reviews")
    command.add_argument("--out", metavar="FILE", help="where the scored rows go: .csv, .jsonl or .parquet")
    command.add_argument("--overwrite", action="store_true", help="the output may exist")
    command.add_argument("--with-text", action="store_true", help="repeat the texts in the output")
    command.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    command.add_argument("--explain", action="store_true", help="show which words moved the probability most")
    command.add_argument("--run", metavar="RUN_ID", help="a run's model instead of the champion; with --training")
    command.add_argument("--training", metavar="NAME", help="such as gru-seed42")
    for parameter in PARAMETERS:
        if parameter.name == "champion" or parameter.name in (field.name for field in fields(ReadingOptions)):
            _add_option(command, parameter)


def _add_inspect_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", metavar="PATH", help="a file, a folder, an http(s) address, or an object-store URI")
    command.add_argument("--json", action="store_true", help="one JSON object")
    for parameter in PARAMETERS:
        if parameter.name in INSPECTED:
            _add_option(command, parameter)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    groups: dict[str, argparse._ArgumentGroup] = {}
    for parameter in PARAMETERS:
        heading = parameter.about.group
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _add_option(groups[heading], parameter)


def _add_option(group: argparse._ActionsContainer, parameter: Parameter) -> None:
    about, default = parameter.about, parameter.terminal_default
    if parameter.kind is bool:
        group.add_argument(parameter.option, dest=parameter.name, action="store_false", help=f"do not {about.help}")
        return
    shown = parameter.write_default(default)
    group.add_argument(
        parameter.option,
        dest=parameter.name,
        type=READERS[parameter.kind, parameter.is_list],
        default=default,
        choices=about.choices or None,
        metavar=about.metavar or METAVARS.get(parameter.kind),
        help=f"{about.help} ({shown})" if shown else about.help,
    )


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _split_integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be integers separated by commas. Received: {text}.") from None


def _split_numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers separated by commas. Received: {text}.") from None


# By the type of a parameter's value or items, and whether it is a list.
READERS: dict[tuple[type, bool], Callable[[str], Any]] = {
    (int, False): int,
    (float, False): float,
    (str, False): str,
    (str, True): _split_names,
    (int, True): _split_integers,
    (float, True): _split_numbers,
}
METAVARS = {int: "N", float: "X"}
