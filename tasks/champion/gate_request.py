"""The request for the gate's process. Imports none of its libraries, so the process that asks needs none."""

from __future__ import annotations

from dataclasses import dataclass

from reports.sections.decision_section import Decision
from reports.sections.gate_policy import GatePolicy
from storage.records import Run
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


@dataclass(frozen=True)
class GateAnswer:
    """The decision, and the run with the record of its file."""

    run: Run
    decision: Decision


GATE: Job[GateRequest, GateAnswer] = Job("tasks.champion.gate_job", GateRequest, GateAnswer, leaves_out=())
