"""Each check warns and stops at its own threshold."""

from __future__ import annotations

import pytest

from reports.sections.own_reviews_section import FileFacts
from tasks.data.checks.check_reviews import CheckThresholds, check_counts, rate
from tasks.data.parts.assignment import AssignmentFacts
from tasks.data.shards.assign import AssignmentSummary

LIMITS = CheckThresholds(
    rejected=(0.01, 0.01),
    balance=(0.2, 0.02),
    duplicates=(0.1, 0.5),
    fewer=(0.1, 0.5),
    drift=(0.1, 0.25),
    unknown_words=(0.05, 0.2),
    new_against_old=(0.65, 0.8),
)


def summary(positive=500, negative=500, rejected=0, repeats=0, columns=("text", "label")):
    records = positive + negative + rejected
    file = FileFacts("a.csv", "1 bytes, 1", "0" * 64, "csv", columns, records, positive + negative, rejected)
    parts = AssignmentFacts("hash", "", 600, 200, 200, repeats, 0, 0, 0)
    labels = {"1": positive, "0": negative}
    meaning = {"1": "positive", "0": "negative"}
    return AssignmentSummary(records, labels, meaning, {"empty": rejected} if rejected else {}, parts, (file,))


def levels(now, before=None):
    return {check.name: check.level for check in check_counts(now, before, LIMITS)}


@pytest.mark.parametrize(
    ("now", "name", "level"),
    [
        (summary(), "rejected", "ok"),
        (summary(rejected=10), "rejected", "ok"),
        (summary(rejected=11), "rejected", "stop"),
        (summary(), "balance", "ok"),
        (summary(positive=100, negative=900), "balance", "warning"),
        (summary(positive=10, negative=990), "balance", "stop"),
        (summary(positive=0, negative=990), "balance", "stop"),
        (summary(repeats=101), "duplicates", "warning"),
        (summary(repeats=501), "duplicates", "stop"),
        (summary(), "fewer", "not checked"),
        (summary(), "schema", "not checked"),
    ],
)
def test_a_night_is_judged_by_its_own_counts(now, name, level):
    assert levels(now)[name] == level


@pytest.mark.parametrize(("before", "level"), [(1000, "ok"), (1200, "warning"), (2100, "stop"), (500, "ok")])
def test_far_fewer_records_than_last_time_are_noticed(before, level):
    assert levels(summary(), summary(positive=before, negative=0))["fewer"] == level


def test_other_columns_than_last_time_are_a_warning_that_names_both():
    [check] = [
        one for one in check_counts(summary(columns=("body", "label")), summary(), LIMITS) if one.name == "schema"
    ]
    assert (check.level, check.words) == ("warning", ("label", "text", "→", "body", "label"))


def test_below_the_critical_value_nothing_is_a_warning():
    assert [rate(value, (0.1, 0.25), critical=0.3) for value in (0.2, 0.29, 0.31)] == ["ok", "ok", "stop"]
