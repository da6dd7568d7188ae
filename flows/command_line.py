"""The `retrain` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from flows.capacity import count_jobs
from flows.checks import check_parameters, choose_store
from flows.temporary_server import TemporaryServer
from storage.runs import verify_store
from storage.store import Store
from tasks.supervisor import end_prepared_children
from tasks.training_process import prepare_trainings
from tasks.variants import VARIANTS

ALL_WELL, TRAINING_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

WIDE = 160
LEFT_OUT_WHEN_NARROW = ("train loss", "test loss", "train acc", "val acc", "parameters")

RUN_EXAMPLES = """examples:
  retrain run                                     the four variants on the IMDB reviews
  retrain run --source imdb.npz --jobs 2          on an archive of your own, two trainings at once
  retrain run --variants lstm,gru --seeds 42,43   two variants, each with two seeds
  retrain run --source sample --epochs 2          a quick look, with no network
"""
VERIFY_EXAMPLES = """examples:
  retrain verify                                  the store in RETRAIN_STORE, or output/
  retrain verify --store /srv/retraining          another one
"""


class OneLineParser(argparse.ArgumentParser):
    """Says in one line what is wrong with an argument."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 all well, 1 a training failed, 2 bad input."""
    options = vars(build_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        return {"run": run, "verify": verify}[command](options)
    except (ValueError, OSError) as error:
        return _complain(command, error)
    except KeyboardInterrupt:
        print(f"retrain {command}: interrupted; no run was published", file=sys.stderr)
        return INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="retrain", description="Retrain the sentiment models, and look after what that gave.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter
    verify_parser = commands.add_parser(
        "verify",
        help="hash every file in the store again, and name what is damaged or missing",
        description="Hash every file in the store again, and name what is damaged or missing; then exit with code 2.",
        epilog=VERIFY_EXAMPLES,
        formatter_class=raw,
    )
    run_parser = commands.add_parser(
        "run",
        help="retrain now, and write the report",
        description="Retrain now, and write the report. Exit code: 0 all well, 1 a training failed, 2 bad input.",
        epilog=RUN_EXAMPLES,
        formatter_class=raw,
    )
    _add_run_options(run_parser)
    for command_parser in (run_parser, verify_parser):
        command_parser.add_argument("--store", metavar="URI", help="folder for everything (RETRAIN_STORE, or output)")
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    names = ",".join(variant.name for variant in VARIANTS)
    add = parser.add_argument
    add(
        "--source",
        default="auto",
        help="imdb, sample, a file, an http(s) address, or auto: imdb, or sample where it cannot be reached (auto)",
    )
    add("--sha256", help="what the archive must hash to; needed with an address of your own")
    add("--variants", type=_split_names, default=names, metavar="A,B", help=f"models to train ({names})")
    add("--seeds", type=_split_integers, default="42", metavar="N,M", help="one training of each variant per seed (42)")
    add("--epochs", type=int, default=100, metavar="N", help="at most this many (100)")
    add("--batch-size", type=int, default=64, metavar="N", help="reviews per step (64)")
    add("--patience", type=int, default=3, metavar="N", help="epochs without a lower val_loss before stopping (3)")
    add("--learning-rate", type=float, default=1e-4, metavar="X", help="of RMSprop (0.0001)")
    add("--num-words", type=int, default=500, metavar="N", help="size of the vocabulary (500)")
    add("--maxlen", type=int, default=100, metavar="N", help="tokens of each review that are used, its last (100)")
    add("--embedding-dim", type=int, default=16, metavar="N", help="size of a word's vector (16)")
    add("--validation-fraction", type=float, default=0.2, metavar="X", help="share kept for validation (0.2)")
    add("--split-seed", type=int, default=42, metavar="N", help="of the draw of the validation reviews (42)")
    add("--jobs", type=int, metavar="N", help="trainings at once (as many as CPUs and memory allow)")
    add("--timeout-seconds", type=float, default=3600, metavar="S", help="after which one training is ended (3600)")
    add("--sample-reviews", type=int, default=50_000, metavar="N", help="size of the sample corpus (50000)")


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _split_integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be integers with commas between. Received: {text}.") from None


def run(options: dict[str, Any]) -> int:
    """Run the flow in this process, print the comparison and the report's path."""
    check_parameters(options)
    # Before Prefect is imported, which reads them once.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    options["jobs"] = options["jobs"] or count_jobs()
    try:
        prepare_trainings(min(options["jobs"], len(options["variants"]) * len(options["seeds"])))
        state = _run_flow(options)
    except RuntimeError as error:
        return _complain("run", error)
    finally:
        end_prepared_children()
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, (ValueError, OSError)):
        return _complain("run", outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    return _summarise(outcome, Store(choose_store(options["store"])))


def _run_flow(options: dict[str, Any]) -> Any:
    """Return the final state of the nightly flow, on the server that Prefect's settings name or on a temporary one."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    server = None if PREFECT_API_URL.value() else TemporaryServer()
    url = server.url if server else PREFECT_API_URL.value()
    from flows.nightly import nightly_retraining
    from flows.terminal import terminal_log

    with terminal_log() as console, temporary_settings({PREFECT_API_URL: url}):
        where = "a temporary Prefect server" if server else url
        console.print(f"starting on {where} ...", markup=False, highlight=False)
        if server:
            server.wait()
        return nightly_retraining(**options, return_state=True)


def _summarise(outcome: Any, store: Store) -> int:
    from rich.console import Console
    from rich.table import Table

    from reports.page import table_cells
    from reports.rows import compare_trainings

    # A pipe or a file is as wide as the whole table needs.
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    header, *rows = table_cells(compare_trainings(outcome))
    shown = [place for place, name in enumerate(header) if console.width >= WIDE or name not in LEFT_OUT_WHEN_NARROW]
    table = Table(*(header[place] for place in shown), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    console.print(table)
    for failure in outcome.failures:
        print(f"retrain run: {failure.name} failed: {failure.error}", file=sys.stderr)
    if outcome.notice:
        print(outcome.notice)
    print(f"report: {store.locate(outcome.report.path)}")
    return TRAINING_FAILED if outcome.failures else ALL_WELL


def verify(options: dict[str, Any]) -> int:
    """Print what is damaged or missing in the store."""
    store = Store(choose_store(options["store"]))
    store.check_readable()
    found = verify_store(store)
    for sentence in found.damaged:
        print(sentence, file=sys.stderr)
    for path in found.unfinished:
        print(f"{path} is named by no manifest: a run was interrupted here, or is still at work.")
    for path in found.quarantined:
        print(f"{path} was found damaged earlier and put aside; it may be deleted.")
    print(f"{store.locate('')}: {found.sound} files sound, {len(found.damaged)} damaged or missing")
    return BAD_INPUT if found.damaged else ALL_WELL


def _complain(command: str, error: Exception) -> int:
    print(f"retrain {command}: {' '.join(str(error).split())}", file=sys.stderr)
    return BAD_INPUT
