"""Read past runs from the store: render their reports again, and list one line for each run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.analysis.history import summarise_run
from reports.analysis.measurements import lowest_val_loss
from reports.analysis.statistics import wilson_interval
from reports.decision import decision_from_json
from reports.evidence import to_json
from reports.sections.history_section import VariantFigures
from storage.pages import seal_page
from storage.records import Run
from storage.runs import is_published, list_runs, read_run, report_path
from storage.store import DamagedFileError, Store
from tasks.evaluation.earlier_runs import read_promotions
from tasks.evaluation.publish_index import publish_index
from tasks.evaluation.report_request import RENDER, RenderRequest
from tasks.evaluation.stored_evidence import read_evidence
from tasks.processes.children import Children

RENDER_SECONDS = 600
COLUMNS = (
    *("run", "best", "val loss", "test acc", "95% interval", "decision", "champion"),
    *("trained", "failed", "seconds", "source"),
)


@dataclass(frozen=True)
class RunFigures:
    """The main figures of one run; `retrain history --json` prints them under these names.

    Losses are in nats, accuracies 0 to 1, times in seconds. The figures of the best training are None if a training of
    any variant failed, because then no variant is the best.

    Attributes:
        run_id: The run's id.
        started: UTC, ISO 8601, to the second.
        source: Where the reviews came from.
        is_sample: Whether they are the built-in sample corpus.
        best: Name of the best training of the best variant.
        validation_loss: Of the best training.
        test_loss: Of the best training.
        test_accuracy: Of the best training.
        test_accuracy_interval: Its 95% interval, low and high.
        variants: By variant, means over its seeds.
        trained: Names of the finished trainings, without the baselines.
        failed: Names of the failed trainings.
        commit: Git's commit of the code that ran; None if unknown.
        seconds: Wall time of the run.
        decision: The gate's outcome; None if it did not look at the run.
        champion: The champion at that time, as RUN_ID/TRAINING; None if there was none.
        promoted: Trainings of the run that the log of champions promoted.
    """

    run_id: str
    started: str
    source: str
    is_sample: bool
    best: str | None
    validation_loss: float | None
    test_loss: float | None
    test_accuracy: float | None
    test_accuracy_interval: tuple[float, float] | None
    variants: dict[str, VariantFigures]
    trained: tuple[str, ...]
    failed: tuple[str, ...]
    commit: str | None
    seconds: float
    decision: str | None = None
    champion: str | None = None
    promoted: tuple[str, ...] = ()


def choose_run(store: Store, run_id: str | None) -> str:
    """Return `run_id` if the store has that run, or else the id of the newest run if `run_id` is None.

    Raises:
        FileNotFoundError: The store does not have the run, or has no run.
    """
    # Looked up by its key, because the listing of an object store may lag behind.
    if run_id is not None and is_published(store, run_id):
        return run_id
    run_ids = list_runs(store)
    if not run_ids:
        raise FileNotFoundError(f"{store.locate('')} must hold a run. It holds none; `retrain run` makes one.")
    if run_id is not None:
        raise FileNotFoundError(
            f"`RUN_ID` must be one that `retrain history` lists. Received: {run_id}; it is not in {store.locate('')}."
        )
    return run_ids[-1]


def render_stored_run(store: Store, run: Run, language: str) -> bytes:
    """Return the page of a stored run; in the run's own language, the same bytes as the published page.

    Args:
        store: The store that has the run.
        run: The run's record.
        language: "en" or "ko".

    Raises:
        DamagedFileError: The evidence differs from what was published.
        ValueError: An older version published the run.
    """
    request = RenderRequest(run, to_json(read_evidence(store, run)).decode(), language)
    children = Children()
    try:
        return seal_page(children.ask(RENDER, request, RENDER_SECONDS))
    finally:
        children.close()


def restore_report(store: Store, run: Run, page: bytes, language: str) -> str:
    """Write a run's rendered page where its record names it, and publish the list of runs again.

    A page whose `language` is not the run's own is written beside it, and the list stays as it is.

    Returns:
        The full path of the page.

    Raises:
        ValueError: The page differs from the published one, because the project or Matplotlib has changed.
    """
    if language != run.known.language:
        return store.locate(store.write_bytes(report_path(run.run_id, language), page).path)
    if run.report is None or hashlib.sha256(page).hexdigest() != run.report.sha256:
        raise ValueError(
            f"{run.run_id} was published by other versions, and its page would differ now. "
            "Give `--out FILE` to write the new page to a file of its own."
        )
    path = store.write_bytes(run.report.path, page).path
    publish_index(store, language, run.run_id)
    return store.locate(path)


def read_history(store: Store) -> tuple[list[RunFigures], list[str]]:
    """Return the main figures of each run, the oldest first, and one sentence for each damaged record."""
    runs, damaged, promoted = [], [], read_promotions(store)
    for run_id in list_runs(store):
        try:
            run = read_run(store, run_id)
            runs.append(_add_decision(collect_figures(run), run, promoted.get(run_id, ()), store))
        except DamagedFileError as error:
            damaged.append(str(error))
    return runs, damaged


def _add_decision(figures: RunFigures, run: Run, promoted: tuple[str, ...], store: Store) -> RunFigures:
    if run.decision is None:
        return replace(figures, promoted=promoted)
    decision = decision_from_json(store.read_verified(run.decision), store.locate(run.decision.path))
    champion = f"{decision.champion.run_id}/{decision.champion.training}" if decision.champion else None
    return replace(figures, decision=decision.outcome, champion=champion, promoted=promoted)


def collect_figures(run: Run) -> RunFigures:
    """Return the main figures of a run."""
    summary = summarise_run(run)
    trainings = [training for training in run.trainings if training.variant == summary.best]
    best = lowest_val_loss(trainings) if trainings else None
    accuracy = wilson_interval(round(best.test.accuracy * best.test.count), best.test.count) if best else None
    return RunFigures(
        run_id=run.run_id,
        started=run.started,
        source=run.source,
        is_sample=run.is_sample,
        best=best.name if best else None,
        validation_loss=best.validation.loss if best else None,
        test_loss=best.test.loss if best else None,
        test_accuracy=accuracy.estimate if accuracy else None,
        test_accuracy_interval=(accuracy.low, accuracy.high) if accuracy else None,
        variants=summary.figures,
        trained=tuple(training.name for training in run.trainings),
        failed=tuple(failure.name for failure in run.failures),
        commit=run.code.commit,
        seconds=run.seconds,
    )


def format_table(runs: Sequence[RunFigures]) -> list[str]:
    """Return the runs as lines of aligned columns.

    The first line is the header, and the last columns are the test accuracies of the variants.
    """
    variants = list(dict.fromkeys(name for run in runs for name in run.variants))
    cells = [(*COLUMNS, *variants), *((*_format_figures(run), *_format_accuracies(run, variants)) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _format_accuracies(run: RunFigures, variants: list[str]) -> list[str]:
    return [f"{run.variants[name].accuracy:.2%}" if name in run.variants else "" for name in variants]


def _format_figures(run: RunFigures) -> tuple[str, ...]:
    failed = ", ".join(run.failed) or "none"
    decided = (_format_decision(run), run.champion.rpartition("/")[2] if run.champion else "")
    return (run.run_id, *_format_best(run), *decided, str(len(run.trained)), failed, f"{run.seconds:.0f}", run.source)


def _format_decision(run: RunFigures) -> str:
    """Return the gate's outcome, and whether the log has what it says: a promotion may have been lost."""
    decision = run.decision or ""
    if run.promoted:
        return ", ".join(filter(None, (decision, f"promoted {' '.join(run.promoted)}")))
    return f"{decision}, not recorded" if decision == "promote" else decision


def _format_best(run: RunFigures) -> tuple[str, str, str, str]:
    if run.best is None or run.test_accuracy_interval is None:
        return ("none", "", "", "")
    low, high = run.test_accuracy_interval
    return (run.best, f"{run.validation_loss:.4f}", f"{run.test_accuracy:.2%}", f"{low:.2%}–{high:.2%}")
