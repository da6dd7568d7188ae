"""The learning curves as charts, the textbook's beside them where it trained the same."""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib.resources import files

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from reports.evidence import Curve, Evidence
from reports.page.charts import INK, Style, draw, plain, show_legend, styles_of
from reports.page.language import Language
from reports.page.sentences import read_curve
from reports.page.tables import Chart, Table
from storage.records import Run

BOOK = "book_9_3.csv"
BOOK_COLUMNS = ("variant", "epoch", "accuracy", "loss", "val_accuracy", "val_loss")
# The run parameters under which the textbook's curves are those of the same recipe.
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
    """Return the textbook's training log: by variant and column, one value per epoch."""
    return read_book((files("reports.page") / "data" / BOOK).read_bytes())


def read_book(content: bytes) -> dict[str, dict[str, list[float]]]:
    """Return the curves in a CSV file of `BOOK_COLUMNS`.

    Raises:
        ValueError: It has other columns, or holds anything but finite numbers.
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
        raise ValueError(f"{cell[:40]} is no finite number")
    return number


def has_book_curve(run: Run, variant: str) -> bool:
    """Return whether the textbook trained this variant by the same recipe."""
    same = all(run.parameters.get(name) == value for name, value in RECIPE.items())
    return not run.is_sample and same and variant in _book()


def draw_curves(run: Run, evidence: Evidence, language: Language) -> list[Chart]:
    """Return one chart of loss and accuracy for each variant, on axes that all share."""
    if not evidence.curves:
        return []
    last_epoch = max(len(curve.loss) for curve in evidence.curves)
    limits = {
        metric: _limits([value for curve in evidence.curves for name in both for value in getattr(curve, name)])
        for metric, both in {"loss": ("loss", "val_loss"), "accuracy": ("accuracy", "val_accuracy")}.items()
    }
    variants = dict.fromkeys(curve.variant for curve in evidence.curves)
    charts = []
    for place, variant in enumerate(variants):
        curves = [curve for curve in evidence.curves if curve.variant == variant]
        book = _book()[variant] if has_book_curve(run, variant) else None
        svgs = tuple(
            _draw_curve(f"curve-{place}-{metric}", metric, curves, book, limits[metric], last_epoch, language)
            for metric in limits
        )
        remarks = [read_curve(curve, language) for curve in curves]
        if len(curves) > 1:
            remarks = [
                language.say("Seed {seed}: {remark}", seed=curve.seed, remark=remark)
                for curve, remark in zip(curves, remarks, strict=True)
            ]
        numbers = _tabulate_curves(variant, curves, language)
        charts.append(Chart(f"curve-{place}", variant, svgs, numbers, tuple(remarks)))
    return charts


def _limits(values: list[float]) -> tuple[float, float]:
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
    say = language.say
    label = say("loss") if metric == "loss" else say("accuracy")
    title = say("{metric} of {name} by epoch", metric=label, name=curves[0].variant)
    description = " ".join(read_curve(curve, language) for curve in curves)
    training, validation = (style.colour for style in list(styles_of(["training", "validation"]).values()))
    width = 1.4 if len(curves) == 1 else 0.8
    with draw(name, title, description) as drawing:
        axes = drawing.axes
        if book:
            shown = book[f"val_{metric}"][:last_epoch]
            axes.plot(
                range(1, len(shown) + 1),
                shown,
                color=INK,
                linewidth=0.8,
                linestyle=":",
                label=say("validation, textbook"),
            )
        for place, curve in enumerate(curves):
            epochs = range(1, len(curve.loss) + 1)
            labels = (say("training"), say("validation"), say("best epoch")) if place == 0 else (None, None, None)
            axes.plot(epochs, getattr(curve, metric), color=training, linestyle="--", linewidth=width, label=labels[0])
            values = getattr(curve, f"val_{metric}")
            axes.plot(epochs, values, color=validation, linewidth=width, label=labels[1])
            best = (curve.best_epoch, values[curve.best_epoch - 1])
            axes.plot(*best, "o", color=validation, markersize=5, clip_on=False, linestyle="", label=labels[2])
        axes.set(xlabel=say("epoch"), ylabel=label, xlim=(0.5, last_epoch + 0.5), ylim=limits)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        show_legend(axes)
    return drawing.svg


def _tabulate_curves(variant: str, curves: list[Curve], language: Language) -> Table:
    say = language.say
    names = {
        "loss": say("training loss"),
        "val_loss": say("validation loss"),
        "accuracy": say("training accuracy"),
        "val_accuracy": say("validation accuracy"),
    }
    header = [say("epoch")]
    for curve in curves:
        seed = "" if len(curves) == 1 else say(", seed {seed}", seed=curve.seed)
        header += [f"{text}{seed}" for text in names.values()]
    rows = []
    for epoch in range(max(len(curve.loss) for curve in curves)):
        cells = [str(epoch + 1)]
        for curve in curves:
            values = [getattr(curve, name)[epoch] if epoch < len(curve.loss) else None for name in names]
            cells += [language.decimal(value) if value is not None else "" for value in values]
        rows.append(tuple(cells))
    return Table(say("{name} by epoch", name=variant), tuple(header), tuple(rows))


def draw_overlay(evidence: Evidence, styles: dict[str, Style], language: Language) -> Chart | None:
    """Return the validation losses of all trainings in one chart."""
    if not evidence.curves:
        return None
    say = language.say
    title = say("Validation loss of all variants")
    description = say("One line for each training, in the style of its variant; lower is better.")
    with draw("overlay", title, description) as drawing:
        axes, seen = drawing.axes, set()
        for curve in evidence.curves:
            style = styles[curve.variant]
            label = None if curve.variant in seen else plain(curve.variant)
            seen.add(curve.variant)
            epochs = range(1, len(curve.val_loss) + 1)
            axes.plot(epochs, curve.val_loss, color=style.colour, linestyle=style.line, linewidth=1, label=label)
            axes.plot(
                curve.best_epoch, curve.val_loss[curve.best_epoch - 1], style.marker, color=style.colour, markersize=4.5
            )
        axes.set(xlabel=say("epoch"), ylabel=say("validation loss"))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        show_legend(axes)
    epochs = range(max(len(curve.val_loss) for curve in evidence.curves))
    rows = tuple(
        (
            str(epoch + 1),
            *(
                language.decimal(curve.val_loss[epoch]) if epoch < len(curve.val_loss) else ""
                for curve in evidence.curves
            ),
        )
        for epoch in epochs
    )
    numbers = Table(title, (say("epoch"), *(curve.training for curve in evidence.curves)), rows)
    return Chart("overlay", title, (drawing.svg,), numbers, (description,))
