"""A command that is interrupted says whether its run was published by then."""

from __future__ import annotations

import pytest

from flows import outcome
from flows.outcome import describe_interruption, expect_outcome, leave_outcome
from tests.example_runs import FOUR_VARIANTS


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    monkeypatch.setattr(outcome, "_published", [])


def test_before_the_report_an_interrupted_run_says_that_none_was_published():
    assert describe_interruption() == "interrupted; no run was published"


def test_whoever_waits_hears_of_the_end_when_only_prefect_has_anything_left_to_do():
    with expect_outcome() as expected:
        leave_outcome(FOUR_VARIANTS, is_over=False)
        assert (expected.run, expected.is_over.is_set()) == (FOUR_VARIANTS, False)
        leave_outcome(FOUR_VARIANTS)
        assert expected.is_over.is_set()


def test_after_the_report_an_interrupted_run_names_the_published_one():
    leave_outcome(FOUR_VARIANTS)
    assert describe_interruption() == f"interrupted; run {FOUR_VARIANTS.run_id} was published"
