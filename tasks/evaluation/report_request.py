"""The request for the report's process. Imports none of the report's libraries, so the process that asks needs none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import reports
from storage.records import Run
from tasks.processes.messages import Job


@dataclass(frozen=True)
class EvidenceRequest:
    """A run whose evidence is to be computed: its trainings are finished.

    Attributes:
        run: Its record.
        store: URI of the store.
        is_decided_about: Whether the gate comes next, so that it may prepare.
    """

    run: Run
    store: str
    is_decided_about: bool
    step: Literal["evidence"] = "evidence"


@dataclass(frozen=True)
class ReportRequest:
    """A run whose report is to be published: its evidence is computed. And the URI of its store."""

    run: Run
    store: str
    step: Literal["report"] = "report"


@dataclass(frozen=True)
class WrittenReport:
    """A report that is published.

    Attributes:
        run: With the records of its report and its evidence.
        verdict: In plain text.
        markdown: The comparison, for Prefect's page.
    """

    run: Run
    verdict: str
    markdown: str


# Matplotlib reads this file instead of the user's.
SETTINGS = {"MATPLOTLIBRC": str(Path(reports.__file__).parent / "page" / "data" / "matplotlibrc")}


@dataclass(frozen=True)
class RenderRequest:
    """A published run whose page is rendered again.

    Attributes:
        run: Its record.
        evidence: Its evidence, as JSON.
        language: "en" or "ko".
    """

    run: Run
    evidence: str
    language: str


RENDER = Job("tasks.evaluation.render_again", RenderRequest, str, SETTINGS, leaves_out=())
