"""Draw the other charts of the report, each with its numbers as a table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from reports.page.charts import INK, Style, assign_styles, draw, legend_name
from reports.page.language import Language
from reports.page.tables import Chart, Table
from reports.sections.data_section import Data
from reports.sections.errors_section import Errors
from reports.sections.history_section import Band, History
from reports.sections.pairs_section import Pairs

# Where the tables of the ROC and the precision-recall curve interpolate it.
RATES = np.linspace(0, 1, 21)

Curves = Mapping[str, tuple[tuple[float, ...], ...]]


def draw_pairs(pairs: Pairs, language: Language) -> Chart | None:
    """Return the differences in test accuracy with their 95% intervals; None if there is no pair."""
    if not pairs.rows:
        return None
    gettext = language.gettext
    title = gettext("Differences in test accuracy, with paired 95% intervals")
    description = gettext(
        "One line for each pair: the first minus the second. A filled dot marks a clear difference, an open dot none. "
        "If an interval contains zero, either of the two may be better."
    )
    with draw("pairs", title, description, left=0.3) as drawing:
        axes = drawing.axes
        for index, row in enumerate(pairs.rows):
            interval = row.difference
            axes.plot([100 * interval.low, 100 * interval.high], [index, index], color=INK, linewidth=1.2)
            face = INK if row.is_significant else "none"
            axes.plot(100 * interval.estimate, index, "o", markeredgecolor=INK, markerfacecolor=face, markersize=5)
        axes.axvline(0, color=INK, linewidth=0.8, linestyle="--")
        labels = [f"{legend_name(row.first)} –\n{legend_name(row.second)}" for row in pairs.rows]
        axes.set_yticks(range(len(labels)), labels, fontsize=9)
        axes.set(xlabel=gettext("percentage points"), ylim=(len(labels) - 0.5, -0.5))
    rows = tuple(
        (
            f"{row.first} – {row.second}",
            language.percentage_points(row.difference.low),
            language.percentage_points(row.difference.estimate),
            language.percentage_points(row.difference.high),
        )
        for row in pairs.rows
    )
    header = (gettext("pair"), gettext("low"), gettext("difference"), gettext("high"))
    return Chart("pairs", title, (drawing.svg,), Table(title, header, rows), (description,))


def draw_probability_curves(errors: Errors, styles: dict[str, Style], language: Language) -> list[Chart]:
    """Return the charts of the ROC, the precision-recall and the calibration curves.

    Args:
        errors: The section with the curves.
        styles: By variant.
        language: Language of the labels.
    """
    gettext = language.gettext
    roc = {one.name: one.roc for one in errors.probability_curves}
    precision_recall = {one.name: one.precision_recall for one in errors.probability_curves}
    calibration = {one.name: one.calibration for one in errors.probability_curves}
    labels = {
        "roc": (gettext("ROC curve"), gettext("false positive rate"), gettext("true positive rate")),
        "precision-recall": (gettext("Precision and recall"), gettext("recall"), gettext("precision")),
        "calibration": (gettext("Calibration"), gettext("predicted probability"), gettext("share of positive reviews")),
    }
    return [
        _draw_curves_of(kind, labels[kind], curves, styles, language)
        for kind, curves in (("roc", roc), ("precision-recall", precision_recall), ("calibration", calibration))
    ]


def _draw_curves_of(
    kind: str, labels: tuple[str, str, str], curves: Curves, styles: dict[str, Style], language: Language
) -> Chart:
    title, x, y = labels
    legend: Any  # Matplotlib's own type lists every place.
    bottom, legend = {
        "roc": (0.0, "lower right"),
        "precision-recall": (0.45, "lower left"),
        "calibration": (0.0, "best"),
    }[kind]
    description = language.gettext("{y} by {x}, one line for each variant.", x=x, y=y)
    with draw(kind, title, description) as drawing:
        axes = drawing.axes
        if kind != "precision-recall":
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
        for name, points in curves.items():
            style = styles[name]
            axes.plot(
                [point[0] for point in points],
                [point[1] for point in points],
                color=style.colour,
                linestyle=style.line,
                linewidth=1.1,
                marker=style.marker if kind == "calibration" else None,
                markersize=3,
                label=legend_name(name),
            )
        axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(bottom, 1.02))
        axes.legend(loc=legend)
    tabulate = _tabulate_calibration if kind == "calibration" else _tabulate_at_rates
    return Chart(kind, title, (drawing.svg,), tabulate(title, (x, y), curves, language))


def _tabulate_calibration(title: str, axes: tuple[str, str], curves: Curves, language: Language) -> Table:
    rows = tuple(
        (name, language.decimal(mean, 3), language.decimal(share, 3), language.integer(count))
        for name, points in curves.items()
        for mean, share, count in points
    )
    return Table(title, (language.gettext("variant"), *axes, language.gettext("reviews")), rows)


def _tabulate_at_rates(title: str, axes: tuple[str, str], curves: Curves, language: Language) -> Table:
    def value_at(rate: float, points: tuple[tuple[float, ...], ...]) -> str:
        if not points:
            return ""
        x, y = zip(*points, strict=True)
        return language.decimal(float(np.interp(rate, x, y)), 3)

    rows = tuple(
        (language.decimal(rate, 2), *(value_at(rate, points) for points in curves.values())) for rate in RATES.tolist()
    )
    return Table(title, (axes[0], *curves), rows)


def draw_lengths(data: Data, language: Language) -> Chart:
    """Return the distribution of review lengths in words, for each part of the data."""
    gettext = language.gettext
    title = gettext("Words per review")
    description = gettext("Share of each part's reviews by their length before the cut.")
    names = {"train": gettext("training"), "validation": gettext("validation"), "test": gettext("test")}
    edges = data.length_edges
    with draw("lengths", title, description) as drawing:
        axes = drawing.axes
        for (part, facts), style in zip(data.parts.items(), assign_styles(list(data.parts)).values(), strict=True):
            shares = [100 * count / facts.reviews for count in facts.length_counts]
            axes.stairs(shares, edges, color=style.colour, linestyle=style.line, linewidth=1.2, label=names[part])
        axes.set(xlabel=gettext("words (last bin: all longer reviews)"), xlim=(0, edges[-1]))
        axes.set(ylabel=gettext("% of the reviews"))
        axes.legend()
    ranges = [language.interval(str(low), str(high - 1)) for low, high in itertools.pairwise(edges[:-1])]
    rows = tuple(
        (text, *(language.integer(facts.length_counts[index]) for facts in data.parts.values()))
        for index, text in enumerate([*ranges, f"≥ {edges[-2]}"])
    )
    header = (gettext("words"), *(names[part] for part in data.parts))
    return Chart("lengths", title, (drawing.svg,), Table(title, header, rows), (description,))


def draw_history(history: History, styles: dict[str, Style], language: Language) -> list[Chart]:
    """Return one chart for each variant: test accuracy and test loss by run. The first run has no charts.

    Args:
        history: The runs.
        styles: By variant.
        language: Language of the labels.
    """
    if len(history.runs) == 1:
        return []
    charts = []
    for index, variant in enumerate(history.runs[-1].figures):
        bands = {band.metric: band for band in history.bands if band.variant == variant}
        svgs = tuple(
            _draw_metric(f"history-{index}-{metric}", metric, variant, history, bands.get(metric), styles, language)
            for metric in ("accuracy", "loss")
        )
        charts.append(Chart(f"history-{index}", variant, svgs, _tabulate_history(variant, history, language)))
    return charts


def _tabulate_history(variant: str, history: History, language: Language) -> Table:
    gettext, rows = language.gettext, []
    for run in history.runs:
        cells = ("", "", "")
        if figures := run.figures.get(variant):
            seeds = ", ".join(map(str, figures.seeds))
            cells = (seeds, language.percent(figures.accuracy), language.decimal(figures.loss))
        rows.append((run.run_id, *cells))
    header = (gettext("run"), gettext("seeds"), gettext("test accuracy"), gettext("test loss"))
    return Table(variant, header, tuple(rows))


def _draw_metric(
    name: str,
    metric: str,
    variant: str,
    history: History,
    band: Band | None,
    styles: dict[str, Style],
    language: Language,
) -> Markup:
    gettext, style = language.gettext, styles[variant]
    label = gettext("test accuracy, %") if metric == "accuracy" else gettext("test loss")
    scale = 100 if metric == "accuracy" else 1
    description = (
        gettext("The grey band is the range of tonight's figure that seeds alone explain.")
        if band
        else gettext("No band: no night had several seeds, so the variation between seeds is not known.")
    )
    title = gettext("{metric} of {name} by night", metric=label, name=variant)
    runs = {1 - len(history.runs) + index: run for index, run in enumerate(history.runs) if variant in run.figures}
    values = [scale * getattr(run.figures[variant], metric) for run in runs.values()]
    with draw(name, title, description) as drawing:
        axes = drawing.axes
        if band:
            low, high = (scale * (band.centre + side * band.half_width) for side in (-1, 1))
            axes.axhspan(low, high, color=INK, alpha=0.12, linewidth=0)
        axes.plot([*runs], values, color=style.colour, marker=style.marker, markersize=4, linewidth=1)
        axes.set(xlabel=gettext("nights ago"), ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
        axes.margins(0.05, 0.2)
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    return drawing.svg
