"""Decide about a run and store the decision, in a child process, because statistics take 2 s and 200 MB to import."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace

# Imported at the start of this process, while the evidence is still computed.
import scipy.stats  # noqa: F401
import statsmodels.stats.multitest  # noqa: F401

from reports.decision import decision_from_json, decision_to_json
from reports.sections.decision_section import Decision
from storage.records import Run
from storage.runs import run_folder
from storage.store import Store
from tasks.champion.decide import decide
from tasks.champion.gate_request import GATE, GateAnswer, GateRequest
from tasks.evaluation.stored_evidence import read_evidence
from tasks.processes.messages import Event

JOB = GATE


def store_decision(run: Run, decision: Decision, store: Store) -> Run:
    """Write a decision; return the run with the record of its file."""
    path = f"{run_folder(run.run_id)}/decision.json"
    return replace(run, decision=store.write_bytes(path, decision_to_json(decision)))


def main(request: GateRequest, _tell: Callable[[Event], None]) -> GateAnswer:
    """Decide about the run in the request. If it is published already, as after a restart, its decision stays."""
    gc.freeze()
    run, store = request.run, Store(request.store)
    if run.report is not None and run.decision is not None:
        return GateAnswer(run, decision_from_json(store.read_verified(run.decision)))
    decision = decide(run, read_evidence(store, run), store, request.setup)
    return GateAnswer(store_decision(run, decision, store), decision)
