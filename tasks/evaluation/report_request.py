"""The request for the report's process. Imports none of the report's libraries, so the process that asks needs none."""

from __future__ import annotations

from dataclasses import dataclass

from storage.records import Run
from tasks.processes.messages import Job


@dataclass(frozen=True)
class ReportRequest:
    """A run whose trainings are finished, and the URI of its store."""

    run: Run
    store: str


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


REPORT = Job("tasks.evaluation.publish_report", ReportRequest, WrittenReport, leaves_out=())
