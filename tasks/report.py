"""Write the night down: evidence, HTML report, `run.json`, the list of all nights, and what Prefect is told of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import prefect.runtime.deployment
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from storage.records import Run
from storage.runs import read_run_record, report_path
from storage.store import Store
from tasks.processes.supervisor import ChildFailedError, prepare_children, run_child

MODULE = "tasks.evaluation.publish_report"
TIMEOUT_SECONDS = 600
# The alarms wait for it.
PUBLISHED = "retraining.report.published"


class PublishedReport(NamedTuple):
    """A night that was written down.

    Attributes:
        run: With the records of its report and its evidence.
        verdict: In plain text.
        address: Where the page is.
    """

    run: Run
    verdict: str
    address: str


def prepare_report() -> None:
    """Let the report's child import what it needs while the last trainings go on."""
    prepare_children(MODULE, 1)


@task(name="report", task_run_name="report {run.run_id}", cache_policy=NO_CACHE, persist_result=False)
def write_report(run: Run, store: Store) -> PublishedReport:
    """Publish the report and then `run.json`, which makes the run exist; tell Prefect of both."""
    try:
        answer = run_child(MODULE, {"run": asdict(run), "store": store.absolute_uri}, TIMEOUT_SECONDS)
    except ChildFailedError as error:
        raise ChildFailedError(f"report: {error}") from error
    published = PublishedReport(
        read_run_record(answer["run"]), answer["verdict"], store.locate(report_path(run.run_id))
    )
    create_markdown_artifact(answer["markdown"], key="nightly-report", description=run.run_id)
    announce(published)
    return published


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
