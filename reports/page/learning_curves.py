"""Draw the learning curves, with the textbook's curve if the textbook trained the same variant."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from statistics import median

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports.evidence import Evidence
from reports.page.charts import INK, WIDE, LineEnd, draw, label_ends
from reports.page.language import Language
from reports.page.palette import DARK_GREY, GREY, Style
from reports.page.sentences import describe_curves
from reports.page.tables import Chart, Table
from reports.sections.comparison_section import Curve
from storage.records import Run

BOOK = "book_9_3.csv"
BOOK_COLUMNS = ("variant", "epoch", "accuracy", "loss", "val_accuracy", "val_loss")
# In nats and as a share: what a model shows before it has learned anything is cut off.
LOSS_SHOWN, ACCURACY_SHOWN = 0.5, 0.75
# The run parameters of the textbook's recipe.
RECIPE = {
    "num_words": 500,
    "maxlen": 100,
    "embedding_dim": 16,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "validation_fraction": 0.2,
}


@cache
def _book() -> dict[str, dict[str, list[float]]]:
    """Return the textbook's training log by variant and column: one value per epoch."""
    return read_book((files("reports.page") / "data" / BOOK).read_bytes())


def read_book(content: bytes) -> dict[str, dict[str, list[float]]]:
    """Return the curves in a CSV file in UTF-8, whose header is `BOOK_COLUMNS`.

    Returns:
        By variant and by column, one value per epoch: losses in nats, accuracies 0 to 1.

    Raises:
        ValueError: It has other columns, or a value that is not a finite number.
    """
    book: dict[str, dict[str, list[float]]] = {}
    try:
        header, *rows = csv.reader(content.decode().splitlines(), strict=True)
        if tuple(header) != BOOK_COLUMNS:
            raise ValueError(f"its columns are {', '.join(header)[:200]!r}")  # noqa: TRY301 - the file's name comes below
        for variant, _epoch, *cells in rows:
            columns = book.setdefault(variant, {name: [] for name in BOOK_COLUMNS[2:]})
            for values, cell in zip(columns.values(), cells, strict=True):
                values.append(_read_number(cell))
    except (ValueError, csv.Error) as error:
        reason = " ".join(repr(str(error))[1:301].split())
        raise ValueError(f"{BOOK} must have the columns {', '.join(BOOK_COLUMNS)}. Received: {reason}.") from None
    return book


def _read_number(cell: str) -> float:
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError(f"{cell[:40]} is not a finite number")
    return number


def has_book_curve(run: Run, variant: str) -> bool:
    """Return whether the textbook trained this variant with the same recipe."""
    same = run.parameters.items() >= RECIPE.items()
    return not run.is_sample and same and variant in _book()


def draw_curves(run: Run, evidence: Evidence, language: Language) -> list[Chart]:
    """Return one chart of loss and accuracy for each variant; all charts have the same axes."""
    if not evidence.curves:
        return []
    last_epoch = max(len(curve.loss) for curve in evidence.curves)
    limits = {
        metric: _limits(
            [getattr(curve, part) for curve in evidence.curves for part in (metric, f"val_{metric}")], metric
        )
        for metric in ("loss", "accuracy")
    }
    charts = []
    for index, variant in enumerate(dict.fromkeys(curve.variant for curve in evidence.curves)):
        curves = [curve for curve in evidence.curves if curve.variant == variant]
        book = _book()[variant] if has_book_curve(run, variant) else None
        svgs = tuple(
            _draw_curve(f"curve-{index}-{metric}", metric, curves, book, limits[metric], last_epoch, language)
            for metric in limits
        )
        numbers = _tabulate_curves(variant, curves, language)
        charts.append(Chart(f"curve-{index}", variant, svgs, numbers, (describe_curves(curves, language),)))
    return charts


def _limits(lines: Sequence[tuple[float, ...]], metric: str) -> tuple[float, float]:
    """Return the limits of the vertical axis. The first epochs, in which a model still guesses, are cut off."""
    values = [value for line in lines for value in line]
    if metric == "loss" and min(values) < LOSS_SHOWN:
        return math.floor(20 * min(values)) / 20, min(max(values), LOSS_SHOWN)
    if metric == "accuracy" and max(values) > ACCURACY_SHOWN:
        return max(min(values), ACCURACY_SHOWN), math.ceil(20 * max(values)) / 20
    margin = 0.05 * (max(values) - min(values)) or 0.01
    return min(values) - margin, max(values) + margin


def _draw_curve(
    name: str,
    metric: str,
    curves: list[Curve],
    book: dict[str, list[float]] | None,
    limits: tuple[float, float],
    last_epoch: int,
    language: Language,
) -> Markup:
    gettext = language.gettext
    label = gettext("loss") if metric == "loss" else gettext("accuracy")
    title = gettext("{metric} of {name} by epoch", metric=label, name=curves[0].variant)
    with draw(name, title, describe_curves(curves, language)) as drawing:
        axes = drawing.axes
        if book:
            values = book[f"val_{metric}"][:last_epoch]
            axes.plot(range(1, len(values) + 1), values, color=INK, linewidth=0.8, linestyle=":")
        _plot_over_seeds(axes, [getattr(curve, metric) for curve in curves], GREY, "--")
        _plot_over_seeds(axes, [getattr(curve, f"val_{metric}") for curve in curves], DARK_GREY, "-")
        for curve in curves:
            best = curve.best_epoch, getattr(curve, f"val_{metric}")[curve.best_epoch - 1]
            axes.plot(*best, "o", color=DARK_GREY, markersize=5 if len(curves) == 1 else 2.5, clip_on=False, zorder=3)
        axes.set(title=label, xlabel=gettext("epoch"), xlim=(0.5, last_epoch + 0.5), ylim=limits)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return drawing.svg


def _plot_over_seeds(axes: Axes, lines: list[tuple[float, ...]], colour: str, style: str) -> None:
    """Draw one line; of several seeds the median, and a band from the lowest to the highest value."""
    median, low, high = _over_seeds(lines)
    epochs = range(1, len(median) + 1)
    if len(lines) > 1:
        axes.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(epochs, median, color=colour, linestyle=style, linewidth=1.3)


def _over_seeds(lines: Sequence[tuple[float, ...]]) -> tuple[list[float], list[float], list[float]]:
    """Return median, lowest and highest value by epoch. A training that has stopped keeps its last value."""
    by_epoch = [[line[min(epoch, len(line) - 1)] for line in lines] for epoch in range(max(map(len, lines)))]
    return [median(values) for values in by_epoch], [*map(min, by_epoch)], [*map(max, by_epoch)]


def _tabulate_curves(variant: str, curves: list[Curve], language: Language) -> Table:
    """Return the numbers, one row for each epoch; of several seeds the median, the lowest and the highest."""
    gettext = language.gettext
    names = {
        "loss": gettext("training loss"),
        "val_loss": gettext("validation loss"),
        "accuracy": gettext("training accuracy"),
        "val_accuracy": gettext("validation accuracy"),
    }
    columns = [_format_over_seeds([getattr(curve, name) for curve in curves], language) for name in names]
    rows = tuple((str(epoch), *cells) for epoch, cells in enumerate(zip(*columns, strict=True), 1))
    return Table(gettext("{name} by epoch", name=variant), (gettext("epoch"), *names.values()), rows)


def _format_over_seeds(lines: Sequence[tuple[float, ...]], language: Language) -> list[str]:
    def shown(value: float) -> str:
        return language.decimal(value, 4)

    if len(lines) == 1:
        return [*map(shown, lines[0])]
    return [
        f"{shown(middle)} ({language.interval(shown(low), shown(high))})"
        for middle, low, high in zip(*_over_seeds(lines), strict=True)
    ]


def draw_overlay(evidence: Evidence, styles: dict[str, Style], language: Language) -> Chart | None:
    """Return one chart with the validation loss of all variants and baselines; None if there is no training.

    Args:
        evidence: The evidence with the curves.
        styles: By variant.
        language: Language of the labels.
    """
    if not evidence.curves:
        return None
    gettext = language.gettext
    title = gettext("Validation loss of all variants")
    description = gettext(
        "Lower is better. With several seeds a line is their median, and a band goes from the lowest to the highest; a "
        "training that has stopped keeps its last value. Horizontal lines are the baselines."
    )
    limits, ends = _limits([curve.val_loss for curve in evidence.curves], "loss"), []
    with draw("overlay", title, description, size=WIDE, right=1.75) as drawing:
        axes = drawing.axes
        axes.set(title=gettext("validation loss"), xlabel=gettext("epoch"), ylim=limits)
        for row in evidence.comparison:
            if row.is_baseline and row.figures and limits[0] <= row.figures.validation.loss.estimate <= limits[1]:
                loss = row.figures.validation.loss.estimate
                axes.axhline(loss, color=INK, linewidth=0.6, linestyle=(0, (2, 3)))
                ends.append(LineEnd(loss, row.name, None))
        for variant in dict.fromkeys(curve.variant for curve in evidence.curves):
            curves = [curve for curve in evidence.curves if curve.variant == variant]
            middle, low, high = _over_seeds([curve.val_loss for curve in curves])
            style, epochs = styles[variant], range(1, len(middle) + 1)
            if len(curves) > 1:
                axes.fill_between(epochs, low, high, color=style.colour, alpha=0.15, linewidth=0)
            axes.plot(epochs, middle, color=style.colour, linestyle=style.line, linewidth=1.2)
            ends.append(LineEnd(middle[-1], variant, style))
        champion = evidence.decision.champion.val_losses if evidence.decision and evidence.decision.champion else ()
        if champion:
            axes.plot(range(1, len(champion) + 1), champion, color=INK, linewidth=0.9)
            ends.append(LineEnd(champion[-1], gettext("champion"), None))
        axes.set_xlim(0.5, max(len(champion), *(len(curve.loss) for curve in evidence.curves)) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        label_ends(axes, ends)
    remarks = [description]
    if champion:
        remarks.append(gettext("The thin line is the champion's training, on its own run's validation reviews."))
    if limits[1] <= LOSS_SHOWN:
        remarks.append(
            gettext(
                "The axis is cut above {loss}: a model that guesses starts at 0.693.",
                loss=language.decimal(limits[1], 2),
            )
        )
    numbers = _tabulate_overlay(title, evidence.curves, language)
    return Chart("overlay", title, (drawing.svg,), numbers, tuple(remarks), is_wide=True)


def _tabulate_overlay(title: str, curves: Sequence[Curve], language: Language) -> Table:
    gettext = language.gettext
    header = (gettext("training"), gettext("best epoch"), gettext("validation loss"), gettext("epochs"))
    rows = tuple(
        (
            curve.training,
            str(curve.best_epoch),
            language.decimal(curve.val_loss[curve.best_epoch - 1], 4),
            str(len(curve.loss)),
        )
        for curve in curves
    )
    return Table(title, header, rows)
