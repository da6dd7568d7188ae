"""The comparison as text: for the terminal, and as the Markdown that Prefect shows."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence import Evidence, TrainingRow
from reports.page.language import Language
from reports.page.sentences import reach_verdict
from storage.records import Run


def render_markdown(run: Run, evidence: Evidence, address: str, language: str) -> str:
    """Return the verdict, the table of trainings and the report's address as Markdown."""
    spoken = Language(language)
    verdict = reach_verdict(run, evidence, spoken)
    lines = [f"**{failure}**\n" for failure in verdict.failures]
    if run.notice:
        lines.append(f"> {run.notice}\n")
    lines += [f"**{verdict.headline}** {' '.join((*verdict.evidence, *verdict.since))}\n"]
    lines.append(f"{spoken.say('Report')}: `{address}`\n")
    header, *body = table_cells(evidence.trainings)
    lines += [_markdown_row(header), _markdown_row(["---"] * len(header)), *map(_markdown_row, body)]
    return "\n".join(lines) + "\n"


def state_verdict(run: Run, evidence: Evidence, language: str) -> str:
    """Return the verdict as plain text, without the failures and without what changed since the last night."""
    verdict = reach_verdict(run, evidence, Language(language))
    return " ".join((verdict.headline, *verdict.evidence))


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table_cells(rows: Sequence[TrainingRow]) -> list[list[str]]:
    """Return the trainings as text, the header first, for terminals and Markdown."""
    header = ["training", "epochs", "best", "train loss", "val loss", "test loss", "train acc", "val acc", "test acc"]
    cells = [[*header, "95% interval", "gap", "parameters", "seconds"]]
    for row in rows:
        accuracy = row.test.accuracy
        losses = (row.train_loss, row.validation.loss.estimate, row.test.loss.estimate)
        accuracies = (row.train_accuracy, row.validation.accuracy.estimate, accuracy.estimate)
        cells.append(
            [
                f"{row.name} (baseline)" if row.is_baseline else row.name,
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
