"""`retrain run`: run the flow in this process, then print the verdict, the table and the report's address."""

from __future__ import annotations

import shutil
import sys
import threading
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

import certifi

from flows.capacity import count_jobs
from flows.checks import check_parameters
from flows.cli.exit_codes import ALL_WELL, REFUSED, TRAINING_FAILED, complain
from flows.cli.interruption import end_process, ending_soon
from flows.cli.surroundings import prepare_process, settle_places, temporary_homes
from flows.cli.temporary_server import ServerFailedError, TemporaryServer
from flows.outcome import Outcome, expect_outcome
from flows.parameters import NightlyParameters
from reports.evidence import Evidence
from storage.proxies import hide_password, hide_proxies, is_loopback
from storage.records import Run
from storage.runs import report_path
from storage.store import Store
from storage.store_address import choose_store
from tasks.evaluation.page_address import address_page, read_reports_url
from tasks.processes.children import ChildFailedError, children_of_command
from tasks.processes.imports import gc_paused
from tasks.training.training_request import TRAINING

# How long Prefect may try to tell its server how a run ended.
TELL_SECONDS = 15.0
LONGEST_REASON = 400
WIDE, NARROWEST = 160, 20
# The columns of the table that are left out, by the width from which on that is enough.
LEFT_OUT: tuple[tuple[int, tuple[str, ...]], ...] = (
    (WIDE, ()),
    (100, (FEW := ("train loss", "test loss", "train acc", "val acc", "parameters"))),
    (60, (MORE := (*FEW, "epochs", "best", "gap", "seconds"))),
    (0, (*MORE, "val loss", "95% interval")),
)


def run_nightly(parameters: NightlyParameters) -> int:
    """Run the flow in this process; print the verdict, the table and the report's address.

    Args:
        parameters: As the command line gives them, not checked yet.

    Returns:
        The exit code.

    Raises:
        ValueError: A parameter or a setting of this machine is not allowed.
        OSError: The file that `source` names does not exist.
        BaseException: Whatever else ended the flow: an interrupt, or an error in the project.
    """
    prepare_process(parameters)
    check_parameters(parameters)
    parameters = settle_places(parameters)
    try:
        outcome, told = _run_with_children(parameters)
    except ServerFailedError as error:
        return complain("run", error)
    if isinstance(outcome, (ValueError, OSError, ChildFailedError)):
        return complain("run", outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    code = _print_published(parameters, outcome)
    if not told:
        # Prefect's threads would wait for its server at the end.
        _end_untold(code)
    return code


def _print_published(parameters: NightlyParameters, run: Run) -> int:
    # Imported late: it imports Jinja2 and Babel, which a run with bad input does not need.
    from tasks.evaluation.stored_evidence import read_evidence

    store = Store(choose_store(parameters.store))
    code = print_outcome(run, read_evidence(store, run), store.locate(report_path(run.run_id)))
    if read_reports_url():
        print(f"on the web: {address_page(store, run.run_id)}")
    return code


def _end_untold(code: int) -> None:
    print(
        "retrain run: Prefect's server could not be told how the run ended; the report is published all the same",
        file=sys.stderr,
    )
    end_process(code, remove_temporary_files)


def _run_with_children(parameters: NightlyParameters) -> tuple[Any, bool]:
    """Return the run or the error that ended it, and whether Prefect knows.

    Children for its trainings start first, so that they import while Prefect does.
    """
    with children_of_command() as children, ending_soon(remove_temporary_files):
        if parameters.placement == "local":
            jobs = parameters.jobs or count_jobs()
            parameters = replace(parameters, jobs=jobs)
            children.start_ahead(TRAINING, min(jobs, len(parameters.variants) * len(parameters.seeds)))
        return _run_flow(parameters)


def _run_flow(parameters: NightlyParameters) -> tuple[Any, bool]:
    """Run the flow on the server that Prefect's settings name or on a temporary one; return as above."""
    with gc_paused():
        try:
            from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_URL, temporary_settings

            url = PREFECT_API_URL.value()
        # pydantic's and TOML's errors name the setting or the file.
        except Exception as error:
            raise ValueError(f"Prefect must be able to read its settings. {_first_lines(error)}") from error
    if url:
        # Imported late, because a run without such a server does not need httpx yet.
        from flows.cli.prefect_server import check_server

        check_server(url)
    settings: dict[Any, Any] = {}
    if not url or is_loopback(urlsplit(url).hostname or ""):
        hide_proxies()
        # Prefect has read SSL_CERT_FILE already.
        settings[PREFECT_API_SSL_CERT_FILE] = certifi.where()
    with gc_paused():
        server = None if url else TemporaryServer()
        from flows.cli.display import show_log_at_terminal
        from flows.nightly import nightly_retraining

    settings[PREFECT_API_URL] = server.url if server else url
    with show_log_at_terminal() as console, temporary_settings(settings):
        where = "a temporary Prefect server" if server else hide_password(url)
        console.print(f"starting on {where} ...", markup=False, highlight=False)
        if server:
            server.wait()
        return _call_flow(nightly_retraining, parameters)


def _call_flow(flow: Any, parameters: NightlyParameters) -> tuple[Any, bool]:
    """Call the flow. If it has published its run, return that even if Prefect's server refuses the final state."""
    # Imported late, like all that imports Prefect.
    from tasks.artifacts import UNREACHABLE

    with expect_outcome() as outcome:
        over = threading.Event()
        threading.Thread(target=_watch_end, args=(outcome, over, parameters), daemon=True).start()
        try:
            state = flow(**asdict(parameters), return_state=True)
            result = state.result(raise_on_failure=False)
        except UNREACHABLE as error:
            if outcome.run is None:
                raise ValueError(f"Prefect's server was lost before the report was published: {error}") from error
            return outcome.run, False
        finally:
            over.set()
    # If Prefect's server fails at the end, Prefect makes the run a crashed one.
    return (outcome.run, isinstance(result, Run)) if outcome.run else (result, True)


def _watch_end(outcome: Outcome, over: threading.Event, parameters: NightlyParameters) -> None:
    """End the process if Prefect still tries to tell its server how the run ended after 15 seconds."""
    while not outcome.is_over.wait(1):
        if over.is_set():
            return
    if not over.wait(TELL_SECONDS) and outcome.run:
        _end_untold(_print_published(parameters, outcome.run))


def remove_temporary_files() -> None:
    """Remove what only this process knows of, if it is ended at once."""
    for folder in temporary_homes():
        shutil.rmtree(folder, ignore_errors=True)


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON]


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
    if evidence.trainings:
        _print_table(evidence)
    for failure in run.failures:
        print(f"retrain run: {failure.name} failed: {failure.error}", file=sys.stderr)
    if run.notice:
        print(run.notice)
    print(f"report: {address}")
    if run.failures or run.stopped:
        return TRAINING_FAILED
    return REFUSED if evidence.decision and evidence.decision.outcome == "refused" else ALL_WELL


def _print_table(evidence: Evidence) -> None:
    from rich.console import Console
    from rich.table import Table

    from reports.page.plain_text import table_cells

    # Into a pipe or a file, the whole table is printed.
    width = max(NARROWEST, shutil.get_terminal_size((WIDE, 24)).columns) if sys.stdout.isatty() else WIDE
    header, *rows = table_cells(evidence.trainings)
    left_out = next((names for least, names in LEFT_OUT if width >= least), ())
    shown = [place for place, name in enumerate(header) if name not in left_out]
    table = Table(*(header[place] for place in shown), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    Console(width=width).print(table)
