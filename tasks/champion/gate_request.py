"""The request for the gate, and the process that evidence, gate and report share. Imports none of its libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reports.sections.decision_section import Decision
from reports.sections.gate_policy import GatePolicy
from storage.records import Run
from tasks.evaluation.report_request import SETTINGS, EvidenceRequest, ReportRequest, WrittenReport
from tasks.processes.messages import Job


@dataclass(frozen=True)
class GateSetup:
    """What the gate is told.

    Attributes:
        policy: What must hold, and what is done then.
        name: Whose log of champions.
        flow_run: Id of the flow run, which names its look.
    """

    policy: GatePolicy
    name: str
    flow_run: str


@dataclass(frozen=True)
class GateRequest:
    """A run whose evidence is computed, the URI of its store, and what the gate is told."""

    run: Run
    store: str
    setup: GateSetup
    step: Literal["gate"] = "gate"


@dataclass(frozen=True)
class GateAnswer:
    """The decision, and the run with the record of its file."""

    run: Run
    decision: Decision


# One process for evidence, decision and report, so that its imports are paid once.
REPORT: Job[EvidenceRequest | GateRequest | ReportRequest, Run | GateAnswer | WrittenReport] = Job(
    "tasks.champion.decide_and_publish",
    EvidenceRequest | GateRequest | ReportRequest,  # type: ignore[arg-type]  # pydantic reads unions too
    Run | GateAnswer | WrittenReport,  # type: ignore[arg-type]
    SETTINGS,
    is_repeatable=True,
    leaves_out=(),
)
