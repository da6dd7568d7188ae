"""Charts of one line for each row, which the page draws as wide as it is: differences of pairs, and kinds of review."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from reports.analysis.statistics import Interval
from reports.evidence import Evidence
from reports.page.language import Language
from reports.page.scale import Scale, span_intervals
from reports.page.sentences import name_slice
from reports.page.tables import Table
from reports.sections.pairs_section import PairRow, Pairs


class Row(NamedTuple):
    """One line of a chart.

    Attributes:
        name: What it is about.
        interval: The estimate, with its 95% interval as a thick line.
        thin: A wider interval, as a thin line; None if there is none.
        is_filled: Whether the dot is filled.
        others: Further estimates, as small marks.
        text: The figures in words.
    """

    name: str
    interval: Interval
    thin: Interval | None
    is_filled: bool
    others: tuple[float, ...]
    text: str


@dataclass(frozen=True)
class RowChart:
    """A chart of rows.

    Attributes:
        name: Its `id` in the page.
        caption: What it shows, in a few words.
        rows: Its lines.
        scale: Of all rows.
        mark: Where the vertical line stands.
        ends: What the left and the right end of the scale mean.
        numbers: The same figures as a table.
        remarks: Sentences that describe the chart.
    """

    name: str
    caption: str
    rows: tuple[Row, ...]
    scale: Scale
    mark: float
    ends: tuple[str, str]
    numbers: Table
    remarks: tuple[str, ...] = ()


def chart_pairs(pairs: Pairs, best: str | None, language: Language) -> RowChart | None:
    """Return the differences in test accuracy of the best variant from each other one; None if there is no pair."""
    gettext, chosen = language.gettext, [row for row in pairs.rows if best in (row.first, row.second)]
    if not chosen or best is None:
        return None
    caption = gettext("Differences in test accuracy, in percentage points")
    rows = tuple(
        Row(
            gettext("{first} vs {second}", first=row.first, second=row.second),
            row.difference,
            row.corrected,
            row.is_significant,
            (),
            _points(row.difference, language),
        )
        for row in chosen
    )
    spans = [span for row in chosen for span in (row.difference, row.corrected or row.difference)]
    return RowChart(
        "pairs",
        caption,
        rows,
        span_intervals([*spans, Interval(0.0, 0.0, 0.0)]),
        0.0,
        (gettext("← other better"), gettext("{name} better →", name=best)),
        _tabulate_pairs(caption, pairs.rows, language),
        (_explain_intervals(language),),
    )


def _explain_intervals(language: Language) -> str:
    return language.gettext(
        "Thick: 95% interval. Thin: the interval corrected for all pairs. A filled dot is a clear difference. "
        "If an interval contains zero, either of the two may be better."
    )


def _points(interval: Interval, language: Language) -> str:
    points = partial(language.decimal, digits=2, signed=True)
    low, high = points(100 * interval.low), points(100 * interval.high)
    return f"{points(100 * interval.estimate)} ({language.interval(low, high, signed=True)})"


def _tabulate_pairs(caption: str, rows: tuple[PairRow, ...], language: Language) -> Table:
    gettext, points = language.gettext, language.percentage_points
    header = (
        gettext("pair"),
        gettext("difference"),
        gettext("95% interval"),
        gettext("corrected interval"),
    )
    cells = tuple(
        (
            f"{row.first} – {row.second}",
            points(row.difference.estimate),
            language.interval(points(row.difference.low), points(row.difference.high), signed=True),
            language.interval(points(row.corrected.low), points(row.corrected.high), signed=True)
            if row.corrected
            else language.decimal(None),
        )
        for row in rows
    )
    return Table(caption, header, cells)


def chart_slices(evidence: Evidence, best: str | None, language: Language) -> RowChart | None:
    """Return the accuracies by kind of review, of the best variant and of the others; None if they are not known."""
    chosen = next((row for row in evidence.comparison if row.name == best), None)
    if chosen is None or chosen.figures is None or evidence.errors is None or not evidence.errors.slices:
        return None
    gettext, slices = language.gettext, [one for one in evidence.errors.slices if chosen.name in one.accuracy]
    whole = chosen.figures.test.accuracy
    rows = tuple(
        Row(
            name_slice(one, language),
            one.accuracy[chosen.name],
            None,
            one.accuracy[chosen.name].excludes(whole.estimate),
            tuple(other.estimate for name, other in one.accuracy.items() if name != chosen.name),
            gettext(
                "{accuracy} of {count}",
                accuracy=language.percent(one.accuracy[chosen.name].estimate),
                count=language.integer(one.count),
            ),
        )
        for one in slices
    )
    caption = gettext("Test accuracy by kind of review")
    remark = gettext(
        "Dots and lines: {name} with its 95% interval; a filled dot differs from its accuracy on all test reviews "
        "({accuracy}), which is the vertical line. Small marks: the other variants.",
        name=chosen.name,
        accuracy=language.percent(whole.estimate),
    )
    spans = [*(interval for one in slices for interval in one.accuracy.values()), whole]
    return RowChart(
        "slices",
        caption,
        rows,
        span_intervals(spans),
        whole.estimate,
        (gettext("← worse"), gettext("better →")),
        _tabulate_slices(caption, evidence, language),
        (remark,),
    )


def _tabulate_slices(caption: str, evidence: Evidence, language: Language) -> Table:
    """Return one row for each kind of review and variant."""
    gettext = language.gettext
    header = (gettext("reviews"), gettext("count"), gettext("variant"), gettext("accuracy"), gettext("95% interval"))
    rows = tuple(
        (
            name_slice(one, language),
            language.integer(one.count),
            name,
            language.percent(accuracy.estimate),
            language.interval(language.percent(accuracy.low), language.percent(accuracy.high)),
        )
        for one in (evidence.errors.slices if evidence.errors else ())
        for name, accuracy in one.accuracy.items()
    )
    return Table(caption, header, rows)
