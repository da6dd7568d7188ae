"""Write the night down: the HTML report, Prefect's Markdown artifact and, last, `run.json`."""

from __future__ import annotations

from dataclasses import replace

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from reports.page import render_markdown, render_report
from reports.rows import EvaluatedRun
from storage.records import Run
from storage.runs import publish_run, report_path
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA
from storage.store import Store


def evaluate_run(run: Run, store: Store) -> EvaluatedRun:
    """Read of each training's files what the report needs.

    Raises:
        DamagedFileError: One of them is not as it was published.
        ValueError: Two trainings were tested on different reviews.
    """
    histories, hits, reviews = {}, {}, {}
    for training in run.trainings:
        history = store.read_table(training.files["history.parquet"], HISTORY_SCHEMA)
        histories[training.name] = {name: history[name].to_pylist() for name in HISTORY_SCHEMA.names}
        predictions = store.read_table(training.files["predictions-test.parquet"], PREDICTION_SCHEMA)
        reviews[training.name] = predictions["review_id"]
        positive = predictions["probability"].to_numpy() > 0.5
        hits[training.name] = positive == (predictions["label"].to_numpy() == 1)
    first = next(iter(reviews), None)
    for name, review_ids in reviews.items():
        if first is not None and not review_ids.equals(reviews[first]):
            raise ValueError(f"All trainings must be tested on the same reviews. {name} and {first} were not.")
    return EvaluatedRun(run, histories, hits)


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
