"""Compute a night's evidence, render its page and publish both, in a process of its own.

SciPy, scikit-learn, statsmodels and Matplotlib cost 2 s and 200 MB, which the flow's process would never give back.
"""

from __future__ import annotations

import gc
from dataclasses import asdict, replace
from typing import Any

# What the report uses imports these where it needs them, so that other commands stay quick. This process is started
# while the last trainings go on, and has the time.
import scipy.stats  # noqa: F401
import sklearn.linear_model
import sklearn.metrics  # noqa: F401
import statsmodels.stats.multitest  # noqa: F401

from reports.evidence import from_json, to_json
from reports.page import render_report
from reports.text import render_markdown, state_verdict
from storage.pages import seal_page
from storage.records import Run
from storage.runs import publish_run, read_run_record, report_path, run_folder
from storage.store import Store
from tasks.evaluate import evaluate_run
from tasks.pages import publish_index


def publish_report(run: Run, store: Store) -> tuple[Run, str, str]:
    """Publish the evidence, the page and last `run.json`; return the run with their records, Markdown and verdict."""
    written = to_json(evaluate_run(run, store))
    # From what was written, as every later rendering is.
    evidence = from_json(written)
    run = replace(run, evidence=store.write_bytes(f"{run_folder(run.run_id)}/evidence.json", written))
    language = run.parameters["language"]
    path = report_path(run.run_id)
    run = replace(run, report=store.write_bytes(path, seal_page(render_report(run, evidence, language))))
    publish_run(store, run)
    publish_index(store, language, run.run_id)
    markdown = render_markdown(run, evidence, store.locate(path), language)
    return run, markdown, state_verdict(run, evidence, language)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Publish the report of the run in the request; return the run's record, its Markdown and the verdict."""
    # The libraries' objects are here to stay; statsmodels collects garbage at every correction.
    gc.freeze()
    run, markdown, verdict = publish_report(read_run_record(request["run"]), Store(request["store"]))
    return {"run": asdict(run), "markdown": markdown, "verdict": verdict}
