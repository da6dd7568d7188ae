"""Compute the evidence of a run, decide about the champion, and publish the report, in one child process.

SciPy, scikit-learn, statsmodels and Matplotlib take 2 s and 200 MB. Only a child process frees that memory again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace

# The report's modules import these inside functions, so that other commands start fast. This process imports them at
# its start, while the last trainings still run.
import scipy.stats  # noqa: F401
import sklearn.linear_model
import sklearn.metrics  # noqa: F401
import statsmodels.stats.multitest  # noqa: F401

from reports.decision import decision_from_json, decision_to_json
from reports.sections.decision_section import Decision
from storage.records import Run
from storage.runs import run_folder
from storage.store import Store
from tasks.champion import clean_process
from tasks.champion.decide import decide
from tasks.champion.gate_request import REPORT, GateAnswer, GateRequest
from tasks.evaluation.publish_report import prepare_evidence, publish_report
from tasks.evaluation.report_request import EvidenceRequest, ReportRequest, WrittenReport
from tasks.evaluation.stored_evidence import read_evidence
from tasks.processes.messages import Event

JOB = REPORT


def main(
    request: EvidenceRequest | GateRequest | ReportRequest, _tell: Callable[[Event], None]
) -> Run | GateAnswer | WrittenReport:
    """Do one of the three steps with the run in the request."""
    # The libraries' objects are never freed. Frozen, they do not slow down the collections that statsmodels triggers.
    gc.freeze()
    store = Store(request.store)
    if isinstance(request, EvidenceRequest):
        if request.is_decided_about:
            clean_process.start_ahead()
        return prepare_evidence(request.run, store)
    if isinstance(request, GateRequest):
        return decide_about_run(request, store)
    return publish_report(request.run, store)


def decide_about_run(request: GateRequest, store: Store) -> GateAnswer:
    """Decide, and store the decision. If the run is published already, as after a restart, its decision stays."""
    run = request.run
    if run.report is not None and run.decision is not None:
        return GateAnswer(run, decision_from_json(store.read_verified(run.decision)))
    decision = decide(run, read_evidence(store, run), store, request.setup)
    clean_process.end_waiting()
    return GateAnswer(store_decision(run, decision, store), decision)


def store_decision(run: Run, decision: Decision, store: Store) -> Run:
    """Write a decision; return the run with the record of its file."""
    path = f"{run_folder(run.run_id)}/decision.json"
    return replace(run, decision=store.write_bytes(path, decision_to_json(decision)))
