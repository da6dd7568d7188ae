"""The other charts of the report, each from its evidence, with its numbers."""

from __future__ import annotations

import itertools

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from reports.evidence import Band, Data, Errors, History, Pairs
from reports.page.charts import INK, Style, draw, plain, show_legend, styles_of
from reports.page.language import Language
from reports.page.tables import Chart, Table

FALSE_RATES = np.linspace(0, 1, 21)


def draw_pairs(pairs: Pairs, language: Language) -> Chart | None:
    """Return the differences in test accuracy with their intervals, and where nothing could have been resolved."""
    if not pairs.rows:
        return None
    say = language.say
    title = say("Differences in test accuracy, with paired 95% intervals")
    description = say(
        "One line for each pair, the first less the second. A full dot is a resolved difference, an open one is not; "
        "an interval that crosses the line at zero leaves open which is better."
    )
    with draw("pairs", title, description, left=0.3) as drawing:
        axes = drawing.axes
        for place, row in enumerate(pairs.rows):
            shown = row.difference
            axes.plot([100 * shown.low, 100 * shown.high], [place, place], color=INK, linewidth=1.2)
            face = INK if row.is_resolved else "none"
            axes.plot(100 * shown.estimate, place, "o", markeredgecolor=INK, markerfacecolor=face, markersize=5)
        axes.axvline(0, color=INK, linewidth=0.8, linestyle="--")
        labels = [f"{plain(row.first)} –\n{plain(row.second)}" for row in pairs.rows]
        axes.set_yticks(range(len(labels)), labels, fontsize=9)
        axes.set(xlabel=say("percentage points"), ylim=(len(labels) - 0.5, -0.5))
    rows = tuple(
        (
            f"{row.first} – {row.second}",
            language.points(row.difference.low),
            language.points(row.difference.estimate),
            language.points(row.difference.high),
        )
        for row in pairs.rows
    )
    header = (say("pair"), say("low"), say("difference"), say("high"))
    return Chart("pairs", title, (drawing.svg,), Table(title, header, rows), (description,))


def draw_rates(errors: Errors, styles: dict[str, Style], language: Language) -> list[Chart]:
    """Return the ROC, precision and recall, and calibration charts."""
    say = language.say
    texts = {
        "roc": (say("ROC curve"), say("false positive rate"), say("true positive rate")),
        "precision-recall": (say("Precision and recall"), say("recall"), say("precision")),
        "calibration": (say("Calibration"), say("predicted probability"), say("share of positive reviews")),
    }
    charts = []
    for kind, (title, x, y) in texts.items():
        lines = {
            rates.name: {
                "roc": rates.roc,
                "precision-recall": rates.precision_recall,
                "calibration": rates.calibration,
            }[kind]
            for rates in errors.rates
        }
        description = say("{y} by {x}, one line for each variant.", x=x, y=y)
        with draw(kind, title, description) as drawing:
            axes = drawing.axes
            if kind != "precision-recall":
                axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
            for name, points in lines.items():
                style = styles[name]
                marker = style.marker if kind == "calibration" else None
                axes.plot(
                    [point[0] for point in points],
                    [point[1] for point in points],
                    color=style.colour,
                    linestyle=style.line,
                    linewidth=1.1,
                    marker=marker,
                    markersize=3,
                    label=plain(name),
                )
            axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0.45 if kind == "precision-recall" else 0, 1.02))
            show_legend(
                axes, loc="lower left" if kind == "precision-recall" else "lower right" if kind == "roc" else "best"
            )
        charts.append(Chart(kind, title, (drawing.svg,), _tabulate_rates(kind, title, (x, y), lines, language)))
    return charts


def _tabulate_rates(
    kind: str, title: str, axes: tuple[str, str], lines: dict[str, tuple[tuple[float, ...], ...]], language: Language
) -> Table:
    if kind == "calibration":
        header = (language.say("variant"), *axes, language.say("reviews"))
        cells = [
            (name, language.decimal(mean, 3), language.decimal(share, 3), language.integer(count))
            for name, points in lines.items()
            for mean, share, count in points
        ]
        return Table(title, header, tuple(cells))
    rows = [
        (
            language.decimal(rate, 2),
            *(
                language.decimal(
                    float(np.interp(rate, [point[0] for point in points], [point[1] for point in points])), 3
                )
                if points
                else ""
                for points in lines.values()
            ),
        )
        for rate in FALSE_RATES.tolist()
    ]
    return Table(title, (axes[0], *lines), tuple(rows))


def draw_lengths(data: Data, language: Language) -> Chart:
    """Return how long the reviews are, by part."""
    say = language.say
    title = say("Words per review")
    description = say("Share of each part's reviews by their length before the cut.")
    names = {"train": say("training"), "validation": say("validation"), "test": say("test")}
    edges = data.length_edges
    with draw("lengths", title, description) as drawing:
        for (part, facts), style in zip(data.parts.items(), styles_of(list(data.parts)).values(), strict=True):
            shares = [100 * count / facts.reviews for count in facts.length_counts]
            drawing.axes.stairs(
                shares, edges, color=style.colour, linestyle=style.line, linewidth=1.2, label=names[part]
            )
        drawing.axes.set(
            xlabel=say("words (the last step: all longer ones)"), ylabel=say("% of the reviews"), xlim=(0, edges[-1])
        )
        show_legend(drawing.axes)
    ranges = [f"{low}–{high - 1}" for low, high in itertools.pairwise(edges[:-1])] + [f"{edges[-2]}–"]
    rows = tuple(
        (text, *(language.integer(facts.length_counts[place]) for facts in data.parts.values()))
        for place, text in enumerate(ranges)
    )
    header = (say("words"), *(names[part] for part in data.parts))
    return Chart("lengths", title, (drawing.svg,), Table(title, header, rows), (description,))


def draw_history(history: History, styles: dict[str, Style], language: Language) -> list[Chart]:
    """Return each variant's test accuracy and loss, night by night."""
    if len(history.nights) == 1:
        return []
    say = language.say
    charts = []
    for place, variant in enumerate(history.nights[-1].figures):
        bands = {band.metric: band for band in history.bands if band.variant == variant}
        svgs = tuple(
            _draw_nights(
                f"history-{place}-{metric}", metric, variant, history, bands.get(metric), styles[variant], language
            )
            for metric in ("accuracy", "loss")
        )
        rows = []
        for night in history.nights:
            figures = night.figures.get(variant)
            cells = (
                (", ".join(map(str, figures.seeds)), language.percent(figures.accuracy), language.decimal(figures.loss))
                if figures
                else ("", "", "")
            )
            rows.append((night.run_id, *cells))
        numbers = Table(variant, (say("run"), say("seeds"), say("test accuracy"), say("test loss")), tuple(rows))
        charts.append(Chart(f"history-{place}", variant, svgs, numbers))
    return charts


def _draw_nights(
    name: str, metric: str, variant: str, history: History, band: Band | None, style: Style, language: Language
) -> Markup:
    say = language.say
    label = say("test accuracy, %") if metric == "accuracy" else say("test loss")
    scale = 100 if metric == "accuracy" else 1
    description = (
        say("The grey band is where tonight's figure may fall by a change of seeds alone.")
        if band
        else say("No band: no night had several seeds, so that the noise of seeds is not known.")
    )
    title = say("{metric} of {name}, night by night", metric=label, name=variant)
    with draw(name, title, description) as drawing:
        points = [
            (place, scale * getattr(night.figures[variant], metric))
            for place, night in enumerate(history.nights, start=1 - len(history.nights))
            if variant in night.figures
        ]
        if band:
            low, high = (scale * (band.centre + side * band.half_width) for side in (-1, 1))
            drawing.axes.axhspan(low, high, color=INK, alpha=0.12, linewidth=0)
        drawing.axes.plot(
            [point[0] for point in points],
            [point[1] for point in points],
            color=style.colour,
            marker=style.marker,
            markersize=4,
            linewidth=1,
        )
        drawing.axes.set(xlabel=say("nights ago"), ylabel=label)
        drawing.axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        drawing.axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
        drawing.axes.margins(0.05, 0.2)
        drawing.axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    return drawing.svg
