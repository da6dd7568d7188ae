"""Compute the evidence of a run; publish its HTML report, `run.json` and the list of all runs; show it in Prefect."""

from __future__ import annotations

from typing import NamedTuple, cast

import prefect.runtime.deployment
import prefect.runtime.flow_run
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.events import emit_event

from storage.records import Run
from storage.store import Store
from tasks.artifacts import UNREACHABLE, brief_requests
from tasks.champion.gate_request import REPORT
from tasks.evaluation.page_address import address_page
from tasks.evaluation.report_request import EvidenceRequest, ReportRequest, WrittenReport
from tasks.processes.children import ChildFailedError, Children

TIMEOUT_SECONDS = 600
# The event that the alarms wait for.
PUBLISHED = "retraining.report.published"
# The label of the flow run with the report's address, which the alarms send.
REPORT_LABEL = "retraining.report"


class PublishedReport(NamedTuple):
    """A published run.

    Attributes:
        run: The run's record, with the records of its report and its evidence.
        verdict: The verdict as plain text.
        address: The page's address on the web server that RETRAIN_REPORTS_URL names; without one, its path or URI.
    """

    run: Run
    verdict: str
    address: str


@task(name="evidence", task_run_name="evidence {run.run_id}", cache_policy=NO_CACHE, persist_result=False)
def compute_evidence(run: Run, store: Store, children: Children, is_decided_about: bool) -> Run:
    """Compute what the report says, as data, and store it; return the run with the record of its file.

    Args:
        run: The run's record.
        store: The store that has its files.
        children: The run's child processes.
        is_decided_about: Whether the gate comes next.

    Raises:
        ChildFailedError: The report's process failed.
        BadInputError: The process refused a file of the run.
    """
    try:
        request = EvidenceRequest(run, store.absolute_uri, is_decided_about)
        return cast(Run, children.ask(REPORT, request, TIMEOUT_SECONDS))
    except ChildFailedError as error:
        raise ChildFailedError(f"report: {error}", may_pass=error.may_pass) from error


@task(name="report", task_run_name="report {run.run_id}", cache_policy=NO_CACHE, persist_result=False)
def write_report(run: Run, store: Store, children: Children) -> PublishedReport:
    """Publish the report and then `run.json`, and show them in Prefect.

    Raises:
        ChildFailedError: The report's process failed.
        BadInputError: The process refused a file of the run.
    """
    try:
        request = ReportRequest(run, store.absolute_uri)
        written = cast(WrittenReport, children.ask(REPORT, request, TIMEOUT_SECONDS))
    except ChildFailedError as error:
        raise ChildFailedError(f"report: {error}", may_pass=error.may_pass) from error
    published = PublishedReport(written.run, written.verdict, address_page(store, run.run_id))
    try:
        with brief_requests():
            show_report(published, written.markdown)
            announce(published)
    # The report is published, whatever becomes of Prefect's server.
    except UNREACHABLE as error:
        get_run_logger().warning("Prefect's server could not be told of the report: %s", error)
    return published


def show_report(published: PublishedReport, markdown: str) -> None:
    """Make the report an artifact, and its address a label of the flow run."""
    with get_client(sync_client=True) as client:
        create_markdown_artifact(markdown, key="nightly-report", description=published.run.run_id)
        client.update_flow_run_labels(prefect.runtime.flow_run.id, {REPORT_LABEL: published.address})


def announce(published: PublishedReport) -> None:
    """Emit the event that a run was published, under the name of its deployment."""
    deployment = prefect.runtime.deployment.name
    emit_event(
        PUBLISHED,
        resource={
            "prefect.resource.id": f"retraining.report.{published.run.run_id}",
            "prefect.resource.name": f"nightly-retraining/{deployment or 'by hand'}",
        },
        payload={
            "verdict": published.verdict,
            "report": published.address,
            "failures": [failure.name for failure in published.run.failures],
        },
    )
