"""Render one run as one self-contained HTML page, or as the Markdown table that Prefect shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.curves import draw_loss_curves, loss_limits
from reports.rows import ComparisonRow, EvaluatedRun, compare_trainings, reach_verdict
from storage.records import Run

STEPS = ("download", "sample", "split", "pad")
PARTS = ("archive", "word_index", "train", "validation", "test")
# Keras itself shows four digits of a loss.
_FORMATS = {"loss": "{:.4f}".format, "percent": "{:.2%}".format}


@dataclass(frozen=True)
class Curve:
    """One chart of the report, and what it shows in words."""

    name: str
    best_epoch: int
    epochs: int
    description: str
    svg: Markup


@dataclass(frozen=True)
class FactTable:
    caption: str
    rows: tuple[tuple[str, Any], ...]


def render_report(evaluated: EvaluatedRun) -> str:
    """Return the whole page. The same run gives the same bytes; everything that is not our own markup is escaped."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FORMATS)
    stylesheet, _, _ = environment.loader.get_source(environment, "report.css") if environment.loader else ("", "", "")
    return environment.get_template("report.html.j2").render(
        run=evaluated.run,
        verdict=reach_verdict(evaluated),
        rows=compare_trainings(evaluated.run),
        curves=_draw_curves(evaluated),
        facts=list_facts(evaluated.run),
        stylesheet=Markup(stylesheet),
    )


def _draw_curves(evaluated: EvaluatedRun) -> list[Curve]:
    if not evaluated.run.trainings:
        return []
    limits = loss_limits(evaluated.histories)
    last_epoch = max(training.epochs for training in evaluated.run.trainings)
    curves = []
    for training in evaluated.run.trainings:
        history = evaluated.histories[training.name]
        description = (
            f"Training loss falls from {history['loss'][0]:.4f} to {history['loss'][-1]:.4f} "
            f"and validation loss from {history['val_loss'][0]:.4f} to {history['val_loss'][-1]:.4f} "
            f"in {training.epochs} epochs; the lowest validation loss is {min(history['val_loss']):.4f} "
            f"at epoch {training.best_epoch}."
        )
        svg = Markup(draw_loss_curves(training, history, limits, last_epoch))
        curves.append(Curve(training.name, training.best_epoch, training.epochs, description, svg))
    return curves


def list_facts(run: Run) -> list[FactTable]:
    """Return what ran: the data with their hashes, the parameters, the versions and the durations."""
    data: list[tuple[str, Any]] = [("source", run.source)]
    # In an order of its own, so that a run read back from the store gives the same page.
    for dataset in sorted(run.datasets.values(), key=lambda dataset: STEPS.index(dataset.step)):
        for part, file in sorted(dataset.files.items(), key=lambda item: PARTS.index(item[0])):
            rows = f", {file.rows:,} reviews" if file.rows else ""
            data.append((f"{dataset.step}: {part}", f"SHA-256 {file.sha256}{rows}"))
    durations = [("all steps before this report", f"{run.seconds:.1f} s")]
    steps = {"archive": "archive", "split": "split", "pad": "pad", "train": "all trainings, side by side"}
    durations += [(name, f"{run.step_seconds[step]:.1f} s") for step, name in steps.items() if step in run.step_seconds]
    durations += [(training.name, f"{training.seconds['total']:.1f} s") for training in run.trainings]
    return [
        FactTable("Data", tuple(data)),
        FactTable("Parameters", tuple((name, _write_out(value)) for name, value in sorted(run.parameters.items()))),
        FactTable("Versions", tuple(sorted(run.versions.items()))),
        FactTable("Durations", tuple(durations)),
    ]


def _write_out(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not given" if value is None else str(value)


def render_markdown(evaluated: EvaluatedRun, address: str) -> str:
    """Return the verdict, the comparison table and the report's address as Markdown."""
    run, verdict = evaluated.run, reach_verdict(evaluated)
    lines = [f"**{failure}**\n" for failure in verdict.failures]
    if run.notice:
        lines.append(f"> {run.notice}\n")
    lines += [f"**{verdict.headline}** {verdict.evidence}\n", f"Report: `{address}`\n"]
    header, *body = table_cells(compare_trainings(run))
    lines += [_markdown_row(header), _markdown_row(["---"] * len(header)), *map(_markdown_row, body)]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table_cells(rows: list[ComparisonRow]) -> list[list[str]]:
    """Return the comparison table as text, the header first, for terminals and Markdown."""
    header = ["training", "epochs", "best", "train loss", "val loss", "test loss", "train acc", "val acc", "test acc"]
    cells = [[*header, "95% interval", "gap", "parameters", "seconds"]]
    for row in rows:
        accuracy = row.test.accuracy
        losses = (row.train_loss, row.validation.loss.estimate, row.test.loss.estimate)
        accuracies = (row.train_accuracy, row.validation.accuracy.estimate, accuracy.estimate)
        cells.append(
            [
                row.name,
                str(row.epochs),
                str(row.best_epoch),
                *(f"{loss:.4f}" for loss in losses),
                *(f"{value:.2%}" for value in accuracies),
                f"{accuracy.low:.2%}–{accuracy.high:.2%}",
                f"{row.gap:+.4f}",
                f"{row.parameter_count:,}",
                f"{row.seconds:.0f}",
            ]
        )
    return cells
