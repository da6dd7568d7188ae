"""Draw the learning curves, with the textbook's curve if the textbook trained the same variant."""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib.resources import files

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports.evidence import Evidence
from reports.page.charts import INK, Style, assign_styles, draw, legend_name
from reports.page.language import Language
from reports.page.sentences import describe_curve
from reports.page.tables import Chart, Table
from reports.sections.comparison_section import Curve
from storage.records import Run

BOOK = "book_9_3.csv"
BOOK_COLUMNS = ("variant", "epoch", "accuracy", "loss", "val_accuracy", "val_loss")
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
    limits = {metric: _limits(evidence.curves, metric) for metric in ("loss", "accuracy")}
    charts = []
    for index, variant in enumerate(dict.fromkeys(curve.variant for curve in evidence.curves)):
        curves = [curve for curve in evidence.curves if curve.variant == variant]
        book = _book()[variant] if has_book_curve(run, variant) else None
        svgs = tuple(
            _draw_curve(f"curve-{index}-{metric}", metric, curves, book, limits[metric], last_epoch, language)
            for metric in limits
        )
        numbers = _tabulate_curves(variant, curves, language)
        charts.append(Chart(f"curve-{index}", variant, svgs, numbers, _remarks(curves, language)))
    return charts


def _limits(curves: tuple[Curve, ...], metric: str) -> tuple[float, float]:
    values = [value for curve in curves for name in (metric, f"val_{metric}") for value in getattr(curve, name)]
    margin = 0.05 * (max(values) - min(values)) or 0.01
    return min(values) - margin, max(values) + margin


def _remarks(curves: list[Curve], language: Language) -> tuple[str, ...]:
    if len(curves) == 1:
        return (describe_curve(curves[0], language),)
    return tuple(
        language.gettext("Seed {seed}: {remark}", seed=curve.seed, remark=describe_curve(curve, language))
        for curve in curves
    )


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
    description = " ".join(describe_curve(curve, language) for curve in curves)
    with draw(name, title, description) as drawing:
        axes = drawing.axes
        if book:
            values = book[f"val_{metric}"][:last_epoch]
            textbook = gettext("validation, textbook")
            axes.plot(range(1, len(values) + 1), values, color=INK, linewidth=0.8, linestyle=":", label=textbook)
        for index, curve in enumerate(curves):
            # One entry for all seeds in the legend.
            labels = (gettext("training"), gettext("validation"), gettext("best epoch")) if index == 0 else (None,) * 3
            _plot_curve(axes, curve, metric, 1.4 if len(curves) == 1 else 0.8, labels)
        axes.set(xlabel=gettext("epoch"), ylabel=label, xlim=(0.5, last_epoch + 0.5), ylim=limits)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return drawing.svg


def _plot_curve(axes: Axes, curve: Curve, metric: str, width: float, labels: tuple[str | None, ...]) -> None:
    training, validation = (style.colour for style in assign_styles(["training", "validation"]).values())
    epochs, values = range(1, len(curve.loss) + 1), getattr(curve, f"val_{metric}")
    axes.plot(epochs, getattr(curve, metric), color=training, linestyle="--", linewidth=width, label=labels[0])
    axes.plot(epochs, values, color=validation, linewidth=width, label=labels[1])
    best = (curve.best_epoch, values[curve.best_epoch - 1])
    axes.plot(*best, "o", color=validation, markersize=5, clip_on=False, linestyle="", label=labels[2])


def _tabulate_curves(variant: str, curves: list[Curve], language: Language) -> Table:
    gettext = language.gettext
    names = {
        "loss": gettext("training loss"),
        "val_loss": gettext("validation loss"),
        "accuracy": gettext("training accuracy"),
        "val_accuracy": gettext("validation accuracy"),
    }
    header = [gettext("epoch")]
    for curve in curves:
        seed = "" if len(curves) == 1 else gettext(", seed {seed}", seed=curve.seed)
        header += [f"{text}{seed}" for text in names.values()]
    columns = [getattr(curve, name) for curve in curves for name in names]
    return Table(gettext("{name} by epoch", name=variant), tuple(header), _rows_by_epoch(columns, language))


def _rows_by_epoch(columns: list[tuple[float, ...]], language: Language) -> tuple[tuple[str, ...], ...]:
    """Return one row for each epoch; a training that stopped earlier has empty cells."""
    return tuple(
        (str(epoch + 1), *(language.decimal(values[epoch]) if epoch < len(values) else "" for values in columns))
        for epoch in range(max(map(len, columns)))
    )


def draw_overlay(evidence: Evidence, styles: dict[str, Style], language: Language) -> Chart | None:
    """Return one chart with the validation loss of every training; None if there is no training.

    Args:
        evidence: The evidence with the curves.
        styles: By variant.
        language: Language of the labels.
    """
    if not evidence.curves:
        return None
    gettext = language.gettext
    title = gettext("Validation loss of all variants")
    description = gettext("One line for each training, in the style of its variant; lower is better.")
    with draw("overlay", title, description) as drawing:
        axes, seen = drawing.axes, set()
        for curve in evidence.curves:
            style = styles[curve.variant]
            label = None if curve.variant in seen else legend_name(curve.variant)
            seen.add(curve.variant)
            epochs = range(1, len(curve.val_loss) + 1)
            axes.plot(epochs, curve.val_loss, color=style.colour, linestyle=style.line, linewidth=1, label=label)
            best = (curve.best_epoch, curve.val_loss[curve.best_epoch - 1])
            axes.plot(*best, style.marker, color=style.colour, markersize=4.5)
        axes.set(xlabel=gettext("epoch"), ylabel=gettext("validation loss"))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    header = (gettext("epoch"), *(curve.training for curve in evidence.curves))
    numbers = Table(title, header, _rows_by_epoch([curve.val_loss for curve in evidence.curves], language))
    return Chart("overlay", title, (drawing.svg,), numbers, (description,))
