"""Render the page of a published run again, in a child process, whose environment cannot change the page."""

from __future__ import annotations

from collections.abc import Callable

from reports.evidence import from_json
from reports.page.report_page import render_report
from tasks.evaluation.report_request import RENDER, RenderRequest
from tasks.processes.messages import Event

JOB = RENDER


def main(request: RenderRequest, _tell: Callable[[Event], None]) -> str:
    """Return the page, which is not sealed yet."""
    return render_report(request.run, from_json(request.evidence.encode()), request.language)
