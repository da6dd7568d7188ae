"""Charts of rows: what is in them, on which scale, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.statistics import Interval
from reports.page.row_charts import chart_pairs, chart_slices
from reports.page.scale import Scale, span_intervals
from reports.sections.errors_section import Errors, Slice
from reports.sections.pairs_section import Pairs
from tests.reports.page.evidence_parts import ENGLISH, a_pair, a_row, an_evidence


def corrected(pair):
    middle = pair.difference.estimate
    return replace(pair, corrected=Interval(middle, middle - 0.009, middle + 0.009))


PAIRS = Pairs(
    3,
    (
        corrected(a_pair("lstm", "gru", 0.001, adjusted_p=0.9)),
        corrected(a_pair("lstm", "lstm_stacked", 0.0131, adjusted_p=0.001)),
        corrected(a_pair("gru", "lstm_stacked", 0.012, adjusted_p=0.001)),
    ),
    (),
    25_000,
)


def test_only_pairs_with_the_best_variant_are_drawn_and_all_are_in_the_numbers():
    chart = chart_pairs(PAIRS, "lstm", ENGLISH)
    assert [(row.name, row.is_filled) for row in chart.rows] == [("lstm vs gru", False), ("lstm vs lstm_stacked", True)]
    assert chart.rows[1].text == "+1.31 (+0.71 to +1.91)"
    assert chart.ends == ("← other better", "lstm better →")
    assert [row[0] for row in chart.numbers.rows] == ["lstm – gru", "lstm – lstm_stacked", "gru – lstm_stacked"]
    assert chart.numbers.rows[0][2:] == ("−0.50 to +0.70", "−0.80 to +1.00")


def test_the_scale_holds_every_corrected_interval_and_zero():
    scale = chart_pairs(PAIRS, "lstm", ENGLISH).scale
    assert (scale.low, scale.high) == pytest.approx((-0.008, 0.0221))
    assert 0 < float(scale.place(0.0)) < 100


def test_without_a_pair_of_the_best_variant_there_is_no_chart():
    assert chart_pairs(Pairs(0, (), (), 1), "lstm", ENGLISH) is None
    assert chart_pairs(PAIRS, None, ENGLISH) is None


def test_a_kind_of_review_has_the_best_variant_s_interval_and_a_mark_for_each_other():
    accuracy = {"lstm": Interval(0.759, 0.745, 0.773), "gru": Interval(0.75, 0.74, 0.76)}
    errors = Errors((), (), (Slice("length", 400, None, 3184, accuracy),), {}, (), (), 0, PAIRS, {})
    evidence = replace(an_evidence([a_row("lstm", 0.43, accuracy=0.804)]), errors=errors)
    chart = chart_slices(evidence, "lstm", ENGLISH)
    [row] = chart.rows
    assert (row.name, row.text, row.others, row.is_filled) == ("400 words or more", "75.9% of 3,184", (0.75,), True)
    assert chart.mark == 0.804
    assert [cells[2] for cells in chart.numbers.rows] == ["lstm", "gru"]


def test_values_have_their_places_on_the_scale_with_room_at_its_ends():
    scale = span_intervals([Interval(0.8, 0.79, 0.81), Interval(0.82, 0.81, 0.83)])
    assert (scale.low, scale.high) == (0.79, 0.83)
    assert [scale.place(value) for value in (0.79, 0.81, 0.83)] == ["6.0", "50.0", "94.0"]
    assert scale.holds(Interval(0.8, 0.79, 0.83))
    assert not scale.holds(Interval(0.5, 0.49, 0.51))
    assert Scale(0.5, 0.5).place(0.5) == "50.0"
