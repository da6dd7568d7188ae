"""The conclusion and the table of trainings as text: for the terminal, and as Markdown for Prefect."""

from __future__ import annotations

from collections.abc import Sequence

from reports.evidence import Evidence
from reports.page.conclusion import write_conclusion
from reports.page.language import Language
from reports.sections.comparison_section import TrainingRow
from storage.records import Run


def render_markdown(run: Run, evidence: Evidence, address: str, language_code: str) -> str:
    """Return the conclusion, the table of trainings and the report's address as Markdown.

    Args:
        run: The run's record.
        evidence: The evidence of the same run.
        address: Path, URI or web address of the page.
        language_code: "en" or "ko".
    """
    language = Language(language_code)
    conclusion = write_conclusion(run, evidence, language)
    lines = [f"**{failure}**\n" for failure in conclusion.failures]
    if run.notice:
        lines.append(f"> {run.notice}\n")
    lines += [f"**{conclusion.tone.glyph} {conclusion.word}: {conclusion.headline}** {conclusion.action}\n"]
    lines += [f"`{conclusion.command}`\n"] if conclusion.command else []
    lines += [f"{' '.join((*conclusion.evidence, *conclusion.since))}\n"]
    shown = f"[{address}]({address})" if address.startswith(("http://", "https://")) else f"`{address}`"
    lines.append(f"{language.gettext('Report')}: {shown}\n")
    header, *body = table_cells(evidence.trainings)
    if run.stopped:
        return "\n".join(lines) + "\n"
    lines += [_markdown_row(header), _markdown_row(["---"] * len(header)), *map(_markdown_row, body)]
    return "\n".join(lines) + "\n"


def render_verdict(run: Run, evidence: Evidence, language_code: str) -> str:
    """Return the conclusion as plain text, without the failures and the changes since the previous run."""
    conclusion = write_conclusion(run, evidence, Language(language_code))
    headline = f"{conclusion.word}: {conclusion.headline}" if evidence.decision else conclusion.headline
    return " ".join(filter(None, (headline, *conclusion.evidence, conclusion.action, conclusion.command)))


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table_cells(rows: Sequence[TrainingRow]) -> list[list[str]]:
    """Return the trainings as rows of text for terminals and Markdown; the first row is the header."""
    header = ["training", "epochs", "best", "train loss", "val loss", "test loss", "train acc", "val acc", "test acc"]
    return [[*header, "95% interval", "gap", "parameters", "seconds"], *map(_training_cells, rows)]


def _training_cells(row: TrainingRow) -> list[str]:
    accuracy = row.test.accuracy
    losses = (row.train_loss, row.validation.loss.estimate, row.test.loss.estimate)
    accuracies = (row.train_accuracy, row.validation.accuracy.estimate, accuracy.estimate)
    return [
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
