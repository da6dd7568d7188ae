"""Draw the other charts of the report, each with its numbers as a table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup
from matplotlib.dates import date2num

from reports.page.charts import INK, WIDE, LineEnd, draw, label_ends, legend_name
from reports.page.language import Language
from reports.page.palette import Style, assign_styles
from reports.page.tables import Chart, Table
from reports.sections.data_section import Data
from reports.sections.errors_section import Errors
from reports.sections.history_section import History

# Where the tables of the ROC and the precision-recall curve interpolate it.
RATES = np.linspace(0, 1, 21)
# Width and height of a panel of the calibration, in inches, and the area of a dot for all reviews, in square points.
PANEL, LARGEST_DOT = (2.2, 2.0), 300.0
# Of the history; more would touch each other.
MOST_DATES = 4

Curves = Mapping[str, tuple[tuple[float, ...], ...]]


def draw_calibration(errors: Errors, styles: dict[str, Style], language: Language) -> Chart:
    """Return one panel for each variant: how often reviews with a predicted probability are positive.

    Args:
        errors: The section with the curves.
        styles: By variant.
        language: Language of the labels.
    """
    gettext = language.gettext
    title = gettext("Calibration")
    description = gettext(
        "Whether a stated 80% comes true 80% of the time: then the dots are on the dotted line. The area of a dot is "
        "the number of reviews."
    )
    panels, rows = [], []
    for index, one in enumerate(errors.probability_curves):
        style, most = styles[one.name], sum(count for *_, count in one.calibration)
        with draw(f"calibration-{index}", f"{title}: {one.name}", description, size=PANEL) as drawing:
            axes = drawing.axes
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
            for mean, share, count in one.calibration:
                area = LARGEST_DOT * count / most
                axes.scatter([mean], [share], s=[area], color=style.colour, alpha=0.8, linewidth=0)
            axes.set(title=legend_name(one.name), xlabel=gettext("predicted probability"), xlim=(0, 1), ylim=(0, 1))
            axes.set_xticks([0, 0.5, 1])
            axes.set_yticks([0, 0.5, 1])
        panels.append(drawing.svg)
        rows += [
            (one.name, language.decimal(mean, 3), language.decimal(share, 3), language.integer(count))
            for mean, share, count in one.calibration
        ]
    header = (
        gettext("variant"),
        gettext("predicted probability"),
        gettext("share of positive reviews"),
        gettext("reviews"),
    )
    return Chart("calibration", title, tuple(panels), Table(title, header, tuple(rows)), (description,))


def draw_probability_curves(errors: Errors, styles: dict[str, Style], language: Language) -> list[Chart]:
    """Return the charts of the ROC and of the precision-recall curves.

    Args:
        errors: The section with the curves.
        styles: By variant.
        language: Language of the labels.
    """
    gettext = language.gettext
    roc = {one.name: one.roc for one in errors.probability_curves}
    precision_recall = {one.name: one.precision_recall for one in errors.probability_curves}
    labels = {
        "roc": (gettext("ROC curve"), gettext("false positive rate"), gettext("true positive rate")),
        "precision-recall": (gettext("Precision and recall"), gettext("recall"), gettext("precision")),
    }
    return [
        _draw_curves_of(kind, labels[kind], curves, styles, language)
        for kind, curves in (("roc", roc), ("precision-recall", precision_recall))
    ]


def _draw_curves_of(
    kind: str, labels: tuple[str, str, str], curves: Curves, styles: dict[str, Style], language: Language
) -> Chart:
    title, x, y = labels
    bottom = 0.0 if kind == "roc" else 0.45
    description = language.gettext("{y} by {x}, one line for each variant.", x=x, y=y)
    with draw(kind, title, description, size=WIDE, right=1.75) as drawing:
        axes, ends = drawing.axes, []
        if kind == "roc":
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
        for name, points in curves.items():
            style = styles[name]
            horizontal, vertical = zip(*points, strict=True) if points else ((), ())
            axes.plot(horizontal, vertical, color=style.colour, linestyle=style.line, linewidth=1.1)
            ends.append(LineEnd(vertical[-1] if vertical else bottom, name, style))
        axes.set(title=y, xlabel=x, xlim=(0, 1), ylim=(bottom, 1.02))
        label_ends(axes, ends)
    return Chart(kind, title, (drawing.svg,), _tabulate_at_rates(title, (x, y), curves, language), is_wide=True)


def _tabulate_at_rates(title: str, axes: tuple[str, str], curves: Curves, language: Language) -> Table:
    """Return one row for each variant and rate."""
    rows = []
    for name, points in curves.items():
        x, y = zip(*points, strict=True) if points else ((), ())
        for rate in RATES.tolist():
            value = language.decimal(float(np.interp(rate, x, y)), 3) if x else ""
            rows.append((name, language.decimal(rate, 2), value))
    return Table(title, (language.gettext("variant"), *axes), tuple(rows))


def draw_lengths(data: Data, language: Language) -> Chart:
    """Return the distribution of review lengths in words, for each part of the data."""
    gettext = language.gettext
    title = gettext("Words per review")
    description = gettext("Share of each part's reviews by their length before the cut.")
    names = {"train": gettext("training"), "validation": gettext("validation"), "test": gettext("test")}
    edges = data.length_edges
    with draw("lengths", title, description, size=WIDE, right=1.75) as drawing:
        axes, ends = drawing.axes, []
        for (part, facts), style in zip(data.parts.items(), assign_styles(list(data.parts)).values(), strict=True):
            shares = [100 * count / facts.reviews for count in facts.length_counts]
            axes.stairs(shares, edges, color=style.colour, linestyle=style.line, linewidth=1.2)
            ends.append(LineEnd(shares[-1], names[part], style))
        axes.set(title=gettext("% of the reviews"), xlabel=gettext("words (last bin: all longer reviews)"))
        axes.set(xlim=(0, edges[-1]))
        label_ends(axes, ends)
    ranges = [language.interval(str(low), str(high - 1)) for low, high in itertools.pairwise(edges[:-1])]
    rows = tuple(
        (text, *(language.integer(facts.length_counts[index]) for facts in data.parts.values()))
        for index, text in enumerate([*ranges, f"≥ {edges[-2]}"])
    )
    header = (gettext("words"), *(names[part] for part in data.parts))
    return Chart("lengths", title, (drawing.svg,), Table(title, header, rows), (description,), is_wide=True)


def draw_history(history: History, styles: dict[str, Style], language: Language) -> Chart | None:
    """Return test accuracy and test loss of all variants by date; None for the first run.

    Args:
        history: The runs.
        styles: By variant.
        language: Language of the labels.
    """
    if len(history.runs) == 1:
        return None
    gettext = language.gettext
    title = gettext("Figures by date")
    description = gettext(
        "Test figures of the most recent runs. The bar is the range that seeds alone explain, of the chosen variant."
    )
    svgs = tuple(_draw_metric(metric, description, history, styles, language) for metric in ("accuracy", "loss"))
    remarks = (description, *_describe_promotions(history, language))
    return Chart("history-chart", title, svgs, _tabulate_history(title, history, language), remarks, is_wide=True)


def _describe_promotions(history: History, language: Language) -> list[str]:
    """Return which of the runs shown gave a champion; nothing if none did."""
    names = [f"{training} ({run.run_id})" for run in history.runs for training in history.promoted.get(run.run_id, ())]
    if not names:
        return []
    return [
        language.gettext(
            "A dotted line marks a run whose model became the champion: {names}.", names=language.format_list(names)
        )
    ]


def _tabulate_history(title: str, history: History, language: Language) -> Table:
    """Return one row for each run and variant."""
    gettext = language.gettext
    rows = tuple(
        (
            run.run_id,
            variant,
            language.span(figures.seeds),
            language.percent(figures.accuracy),
            language.decimal(figures.loss),
        )
        for run in history.runs
        for variant, figures in run.figures.items()
    )
    header = (gettext("run"), gettext("variant"), gettext("seeds"), gettext("test accuracy"), gettext("test loss"))
    return Table(title, header, rows)


def _number_of(iso: str) -> float:
    """Return a time of ISO 8601 as Matplotlib's number of days."""
    return float(date2num(datetime.fromisoformat(iso).astimezone(UTC)))  # type: ignore[no-untyped-call]


def _choose_dates(times: Sequence[str]) -> tuple[list[float], list[str]]:
    """Return places and texts of at most four dates, the newest always, that do not touch each other."""
    numbers = [_number_of(iso) for iso in times]
    room = (numbers[-1] - numbers[0]) / (MOST_DATES - 1)
    places, texts = [numbers[-1]], [times[-1][:10]]
    for number, iso in zip(reversed(numbers), reversed(times), strict=True):
        if places[-1] - number >= room and iso[:10] != texts[-1]:
            places.append(number)
            texts.append(iso[:10])
    return places, texts


def _draw_metric(
    metric: str, description: str, history: History, styles: dict[str, Style], language: Language
) -> Markup:
    gettext, scale = language.gettext, 100 if metric == "accuracy" else 1
    label = gettext("test accuracy, %") if metric == "accuracy" else gettext("test loss")
    with draw(f"history-{metric}", label, description, size=WIDE, right=1.75) as drawing:
        axes, ends = drawing.axes, []
        for variant in history.runs[-1].figures:
            runs = [run for run in history.runs if variant in run.figures]
            days = [_number_of(run.started) for run in runs]
            values = [scale * getattr(run.figures[variant], metric) for run in runs]
            style = styles[variant]
            axes.plot(days, values, color=style.colour, linestyle=style.line, marker=style.marker, markersize=3.5)
            for band in history.bands:
                if (band.variant, band.metric) == (variant, metric) and variant == history.runs[-1].best:
                    ends_of_bar = [scale * (band.centre + side * band.half_width) for side in (-1, 1)]
                    axes.plot([days[-1]] * 2, ends_of_bar, color=style.colour, alpha=0.35, linewidth=4)
            shown = language.decimal(values[-1], 1 if metric == "accuracy" else 3)
            ends.append(LineEnd(values[-1], f"{variant} {shown}", style))
        for run in history.runs:
            if run.run_id in history.promoted:
                axes.axvline(_number_of(run.started), color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.set(title=label)
        axes.set_xticks(*_choose_dates([run.started for run in history.runs]))
        axes.margins(0.05, 0.15)
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
        label_ends(axes, ends)
    return drawing.svg
