"""`retrain run`: run the flow in this process, then print the verdict, the table and the report's address."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from typing import Any

from flows.capacity import count_jobs
from flows.checks import check_parameters
from flows.cli.exit_codes import ALL_WELL, TRAINING_FAILED, complain
from flows.cli.temporary_server import ServerFailedError, TemporaryServer
from flows.parameters import NightlyParameters, choose_store
from reports.evidence import Evidence
from storage.records import Run
from storage.store import Store
from tasks.processes.children import ChildFailedError, children_of_command
from tasks.processes.imports import gc_paused
from tasks.training.training_request import TRAINING

WIDE = 160
LEFT_OUT_WHEN_NARROW = ("train loss", "test loss", "train acc", "val acc", "parameters")


def run_nightly(parameters: NightlyParameters) -> int:
    """Run the flow in this process; print the verdict, the table and the report's address.

    Args:
        parameters: As the command line gives them, not checked yet.

    Returns:
        The exit code.

    Raises:
        ValueError: A parameter is not allowed.
        OSError: The file that `source` names does not exist.
        BaseException: Whatever else ended the flow: an interrupt, or an error in the project.
    """
    # Set before Prefect is imported, because it reads them only once.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    check_parameters(parameters)
    try:
        state = _run_with_children(parameters)
    except ServerFailedError as error:
        return complain("run", error)
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, (ValueError, OSError, ChildFailedError)):
        return complain("run", outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    # Imported late: it imports Jinja2 and Babel, which a run with bad input does not need.
    from flows.cli.past_runs import read_evidence

    store = Store(choose_store(parameters.store))
    return print_outcome(outcome, read_evidence(store, outcome), store.locate(outcome.report.path))


def _run_with_children(parameters: NightlyParameters) -> Any:
    """Return the flow's final state. Children for its trainings start first, so that they import while Prefect does."""
    with children_of_command() as children:
        if parameters.placement == "local":
            jobs = parameters.jobs or count_jobs()
            parameters = replace(parameters, jobs=jobs)
            children.start_ahead(TRAINING, min(jobs, len(parameters.variants) * len(parameters.seeds)))
        return _run_flow(parameters)


def _run_flow(parameters: NightlyParameters) -> Any:
    """Return the flow's final state, on the server that Prefect's settings name or on a temporary one."""
    with gc_paused():
        from prefect.settings import PREFECT_API_URL, temporary_settings

        url = PREFECT_API_URL.value()
        server = None if url else TemporaryServer()
        from flows.cli.display import show_log_at_terminal
        from flows.nightly import nightly_retraining

    with show_log_at_terminal() as console, temporary_settings({PREFECT_API_URL: server.url if server else url}):
        where = "a temporary Prefect server" if server else url
        console.print(f"starting on {where} ...", markup=False, highlight=False)
        if server:
            server.wait()
        return nightly_retraining(**asdict(parameters), return_state=True)


def print_outcome(run: Run, evidence: Evidence, address: str) -> int:
    """Print the verdict, the table, the failures and the report's address.

    Args:
        run: The published run.
        evidence: What its report says.
        address: Where its page is.

    Returns:
        The exit code.
    """
    from reports.page.plain_text import render_verdict

    print(render_verdict(run, evidence, run.known.language))
    _print_table(evidence)
    for failure in run.failures:
        print(f"retrain run: {failure.name} failed: {failure.error}", file=sys.stderr)
    if run.notice:
        print(run.notice)
    print(f"report: {address}")
    return TRAINING_FAILED if run.failures else ALL_WELL


def _print_table(evidence: Evidence) -> None:
    from rich.console import Console
    from rich.table import Table

    from reports.page.plain_text import table_cells

    # Into a pipe or a file, the whole table is printed.
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    header, *rows = table_cells(evidence.trainings)
    shown = [place for place, name in enumerate(header) if console.width >= WIDE or name not in LEFT_OUT_WHEN_NARROW]
    table = Table(*(header[place] for place in shown), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    console.print(table)
