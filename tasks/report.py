"""Publish a run: evidence, HTML report, `run.json`, the list of all runs, and what Prefect is told of it."""

from __future__ import annotations

from typing import NamedTuple

import httpx
import prefect.runtime.deployment
import prefect.runtime.flow_run
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.exceptions import PrefectException

from storage.records import Run
from storage.runs import report_path
from storage.store import Store
from tasks.evaluation.report_request import REPORT, ReportRequest
from tasks.processes.children import ChildFailedError, Children

TIMEOUT_SECONDS = 600
# The alarms wait for it.
PUBLISHED = "retraining.report.published"
# Of the flow run; its value is the report's address, which the alarms pass on.
REPORT_LABEL = "retraining.report"


class PublishedReport(NamedTuple):
    """A run that is published.

    Attributes:
        run: With the records of its report and its evidence.
        verdict: In plain text.
        address: Where the page is.
    """

    run: Run
    verdict: str
    address: str


@task(name="report", task_run_name="report {run.run_id}", cache_policy=NO_CACHE, persist_result=False)
def write_report(run: Run, store: Store, children: Children) -> PublishedReport:
    """Publish the report and then `run.json`, which makes the run exist; tell Prefect of both."""
    try:
        written = children.ask(REPORT, ReportRequest(run, store.absolute_uri), TIMEOUT_SECONDS)
    except ChildFailedError as error:
        raise ChildFailedError(f"report: {error}", may_pass=error.may_pass) from error
    published = PublishedReport(written.run, written.verdict, store.locate(report_path(run.run_id)))
    create_markdown_artifact(written.markdown, key="nightly-report", description=run.run_id)
    label_flow_run(published.address)
    announce(published)
    return published


def label_flow_run(address: str) -> None:
    """Note the report's address on the flow run; a server that does not answer must not cost the report."""
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(prefect.runtime.flow_run.id, {REPORT_LABEL: address})
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("the report's address could not be noted on the flow run: %s", error)


def announce(published: PublishedReport) -> None:
    """Emit the event that a night was published, under the name of the deployment that ran it."""
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
