"""Write the night down: evidence, HTML report, `run.json`, the list of all nights, and Prefect's Markdown artifact."""

from __future__ import annotations

from dataclasses import asdict

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from storage.records import Run
from storage.runs import read_run_record
from storage.store import Store
from tasks.supervisor import ChildFailedError, prepare_children, run_child

MODULE = "tasks.report_child"
TIMEOUT_SECONDS = 600


def prepare_report() -> None:
    """Let the report's child import what it needs while the last trainings go on."""
    prepare_children(MODULE, 1)


@task(name="report", task_run_name="report {run.run_id}", cache_policy=NO_CACHE)
def write_report(run: Run, store: Store) -> Run:
    """Publish the report and then `run.json`, which makes the run exist; return the run with both files' records."""
    try:
        answer = run_child(MODULE, {"run": asdict(run), "store": store.absolute_uri}, TIMEOUT_SECONDS)
    except ChildFailedError as error:
        raise ChildFailedError(f"report: {error}") from error
    run = read_run_record(answer["run"])
    create_markdown_artifact(answer["markdown"], key="nightly-report", description=run.run_id)
    if run.report:
        get_run_logger().info("report: %s", store.locate(run.report.path))
    return run
