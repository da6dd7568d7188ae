"""The `retrain` command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.capacity import count_jobs
from flows.checks import check_parameters
from flows.cli.exit_codes import BAD_INPUT
from flows.cli.parser import build_parser
from flows.cli.past_runs import (
    choose_run,
    language_of,
    read_evidence,
    read_history,
    render_stored_run,
    restore_report,
    tabulate,
)
from flows.cli.temporary_server import ServerFailedError, TemporaryServer
from flows.parameters import choose_store
from storage.runs import read_run, verify_store
from storage.store import Store
from tasks.processes.imports import gc_paused
from tasks.processes.supervisor import ChildFailedError, end_prepared_children
from tasks.processes.training_process import prepare_trainings

ALL_WELL, TRAINING_FAILED, INTERRUPTED = 0, 1, 130

WIDE = 160
LEFT_OUT_WHEN_NARROW = ("train loss", "test loss", "train acc", "val acc", "parameters")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 all well, 1 a training failed, 2 bad input."""
    options = vars(build_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        return {"run": run, "report": report, "history": history, "verify": verify}[command](options)
    except (ValueError, OSError) as error:
        return _complain(command, error)
    except KeyboardInterrupt:
        print(f"retrain {command}: interrupted; no run was published", file=sys.stderr)
        return INTERRUPTED


def run(options: dict[str, Any]) -> int:
    """Run the flow in this process, print the comparison and the report's path."""
    # Before Prefect is imported, which reads them once.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    check_parameters(options)
    try:
        if options["placement"] == "local":
            options["jobs"] = options["jobs"] or count_jobs()
            prepare_trainings(min(options["jobs"], len(options["variants"]) * len(options["seeds"])))
        state = _run_flow(options)
    except ServerFailedError as error:
        return _complain("run", error)
    finally:
        end_prepared_children()
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, (ValueError, OSError, ChildFailedError)):
        return _complain("run", outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    return _summarise(outcome, Store(choose_store(options["store"])))


def _run_flow(options: dict[str, Any]) -> Any:
    """Return the final state of the nightly flow, on the server that Prefect's settings name or on a temporary one."""
    with gc_paused():
        from prefect.settings import PREFECT_API_URL, temporary_settings

        url = PREFECT_API_URL.value()
        server = None if url else TemporaryServer()
        from flows.cli.display import terminal_log
        from flows.nightly import nightly_retraining

    with terminal_log() as console, temporary_settings({PREFECT_API_URL: server.url if server else url}):
        where = "a temporary Prefect server" if server else url
        console.print(f"starting on {where} ...", markup=False, highlight=False)
        if server:
            server.wait()
        return nightly_retraining(**options, return_state=True)


def _summarise(outcome: Any, store: Store) -> int:
    from rich.console import Console
    from rich.table import Table

    from reports.page.plain_text import table_cells

    # A pipe or a file is as wide as the whole table needs.
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    header, *rows = table_cells(read_evidence(store, outcome).trainings)
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


def report(options: dict[str, Any]) -> int:
    """Render a stored run again, and print where its page is."""
    store = _open_store(options)
    run = read_run(store, choose_run(store, options["run_id"]))
    language = options["lang"] or language_of(run)
    page = render_stored_run(store, run, language)
    if options["out"]:
        Path(options["out"]).write_bytes(page)
    print(f"report: {options['out'] or restore_report(store, run, page, language)}")
    return ALL_WELL


def history(options: dict[str, Any]) -> int:
    """Print the runs of the store."""
    nights, damaged = read_history(_open_store(options))
    for line in map(json.dumps, nights) if options["json"] else tabulate(nights):
        print(line)
    for sentence in damaged:
        print(f"retrain history: {sentence}", file=sys.stderr)
    return BAD_INPUT if damaged else ALL_WELL


def verify(options: dict[str, Any]) -> int:
    """Print what is damaged or missing in the store."""
    store = _open_store(options)
    found = verify_store(store)
    for sentence in found.damaged:
        print(sentence, file=sys.stderr)
    for path in found.unfinished:
        reason = "belongs to a checkpoint" if "/checkpoints/" in path else "is named by no manifest"
        print(f"{path} {reason}: a run was interrupted here, or is still at work.")
    for path in found.quarantined:
        print(f"{path} was found damaged earlier and put aside; it may be deleted.")
    print(f"{store.locate('')}: {found.sound} files sound, {len(found.damaged)} damaged or missing")
    return BAD_INPUT if found.damaged else ALL_WELL


def _open_store(options: dict[str, Any]) -> Store:
    store = Store(choose_store(options["store"]))
    store.check_readable()
    return store


def _complain(command: str, error: Exception) -> int:
    print(f"retrain {command}: {' '.join(str(error).split())}", file=sys.stderr)
    return BAD_INPUT
