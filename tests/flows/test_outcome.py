"""A command that is interrupted says whether its run was published by then."""

from __future__ import annotations

import pytest

from flows import outcome
from flows.outcome import describe_interruption, leave_outcome
from tests.example_runs import FOUR_VARIANTS


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    monkeypatch.setattr(outcome, "_published", [])


def test_before_the_report_an_interrupted_run_says_that_none_was_published():
    assert describe_interruption() == "interrupted; no run was published"


def test_after_the_report_an_interrupted_run_names_the_published_one():
    leave_outcome(FOUR_VARIANTS)
    assert describe_interruption() == f"interrupted; run {FOUR_VARIANTS.run_id} was published"
