"""Write the night down: the HTML report, Prefect's Markdown artifact and, last, `run.json`."""

from __future__ import annotations

from dataclasses import replace

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from reports.page import render_markdown, render_report
from storage.records import Run
from storage.runs import publish_run, report_path
from storage.store import Store
from tasks.evaluate import evaluate_run


@task(name="report", task_run_name="report {run.run_id}", cache_policy=NO_CACHE)
def write_report(run: Run, store: Store) -> Run:
    """Publish the report and then `run.json`, which makes the run exist; return the run with its report's record."""
    evaluated = evaluate_run(run, store)
    report = store.write_bytes(report_path(run.run_id), render_report(evaluated).encode())
    run = replace(run, report=report)
    publish_run(store, run)
    address = store.locate(report.path)
    create_markdown_artifact(render_markdown(evaluated, address), key="nightly-report", description=run.run_id)
    get_run_logger().info("report: %s", address)
    return run
