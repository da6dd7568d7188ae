"""Compute a night's evidence, render its page and publish both, in a process of its own.

SciPy, scikit-learn, statsmodels and Matplotlib cost 2 s and 200 MB, which the flow's process would never give back.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace

# What the report uses imports these where it needs them, so that other commands stay quick. This process is started
# while the last trainings go on, and has the time.
import scipy.stats  # noqa: F401
import sklearn.linear_model
import sklearn.metrics  # noqa: F401
import statsmodels.stats.multitest  # noqa: F401

from reports.evidence import Evidence, from_json, to_json
from reports.page.plain_text import render_markdown, state_verdict
from reports.page.report_page import render_report
from storage.pages import seal_page
from storage.records import Run
from storage.runs import (
    is_published,
    publish_run,
    read_run,
    report_path,
    run_folder,
    withdraw_run,
)
from storage.store import DamagedFileError, Store
from tasks.evaluation.evaluate import evaluate_run
from tasks.evaluation.publish_index import publish_index
from tasks.evaluation.report_request import REPORT, ReportRequest, WrittenReport
from tasks.processes.messages import Event

JOB = REPORT


def publish_report(run: Run, store: Store) -> WrittenReport:
    """Publish the evidence, the page and last `run.json`.

    A flow run that was killed after that and runs again finds its night published, and leaves it as it is.
    """
    published = find_published(run, store)
    if published and published.evidence:
        run, evidence = published, from_json(store.read_verified(published.evidence))
    else:
        run, evidence = publish_files(run, store)
    language = run.parameters["language"]
    publish_index(store, language, run.run_id)
    markdown = render_markdown(run, evidence, store.locate(report_path(run.run_id)), language)
    return WrittenReport(run, state_verdict(run, evidence, language), markdown)


def find_published(run: Run, store: Store) -> Run | None:
    """Return the run as it is in the store, if it came of the same trainings and its files are intact."""
    if not is_published(store, run.run_id):
        return None
    try:
        published = read_run(store, run.run_id)
        for file in filter(None, (published.evidence, published.report)):
            store.verify(file)
    except DamagedFileError:
        return None
    names = ("datasets", "trainings", "baselines", "failures")
    return published if all(getattr(published, name) == getattr(run, name) for name in names) else None


def publish_files(run: Run, store: Store) -> tuple[Run, Evidence]:
    """Write the evidence, the page and last `run.json`; return the run with their records, and the evidence."""
    written = to_json(evaluate_run(run, store))
    # From what was written, as every later rendering is.
    evidence = from_json(written)
    withdraw_run(store, run.run_id)
    run = replace(run, evidence=store.write_bytes(f"{run_folder(run.run_id)}/evidence.json", written))
    page = seal_page(render_report(run, evidence, run.parameters["language"]))
    run = replace(run, report=store.write_bytes(report_path(run.run_id), page))
    publish_run(store, run)
    return run, evidence


def main(request: ReportRequest, _tell: Callable[[Event], None]) -> WrittenReport:
    """Publish the report of the run in the request."""
    # The libraries' objects are here to stay; statsmodels collects garbage at every correction.
    gc.freeze()
    return publish_report(request.run, Store(request.store))
