"""What the report's process is asked for. Imports none of the report's libraries, so that whoever asks needs none."""

from __future__ import annotations

from dataclasses import dataclass

from storage.records import Run
from tasks.processes.messages import Job


@dataclass(frozen=True)
class ReportRequest:
    """A run whose trainings are done, and the store's URI."""

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
