"""What past runs said, from the store alone: their reports, and one line for each night."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from reports.analysis.history import summarise_night
from reports.analysis.measurements import choose
from reports.analysis.statistics import wilson_interval
from reports.evidence import Evidence, from_json
from storage.pages import seal_page
from storage.records import Run
from storage.runs import is_published, list_runs, read_run, report_path
from storage.store import DamagedFileError, Store
from tasks.evaluation.publish_index import publish_index

COLUMNS = ("run", "best", "val loss", "test acc", "95% interval", "trained", "failed", "seconds", "source")


def choose_run(store: Store, run_id: str | None) -> str:
    """Return the id of a run that is there: the one asked for, or the newest.

    Raises:
        FileNotFoundError: There is no such run, or none at all.
    """
    # By its key, because a listing may lag behind what was written.
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


def language_of(run: Run) -> str:
    """Return the language of the page that a run published; runs of older versions knew English alone."""
    return str(run.parameters.get("language", "en"))


def read_evidence(store: Store, run: Run) -> Evidence:
    """Return what a run's report says, as data.

    Raises:
        DamagedFileError: It is not as it was published.
        ValueError: The run is of an older version, which kept none.
    """
    if run.evidence is None:
        raise ValueError(
            f"{run.run_id} was published by a version that kept no evidence, and its page cannot be rendered again. "
            f"The page that it published is {store.locate(report_path(run.run_id))}."
        )
    return from_json(store.read_verified(run.evidence), store.locate(run.evidence.path))


def render_stored_run(store: Store, run: Run, language: str) -> bytes:
    """Return the page of a stored run; in the run's own language the same bytes as when it was published.

    Raises:
        DamagedFileError: A file of the run is not as it was published.
    """
    # Matplotlib takes half a second, for which the other commands need not wait.
    from reports.page.report_page import render_report

    return seal_page(render_report(run, read_evidence(store, run), language))


def restore_report(store: Store, run: Run, page: bytes, language: str) -> str:
    """Put a run's page back where its record has it, and the list of nights with it; return the page's full path.

    A page in another language than the run's own goes beside it.

    Raises:
        ValueError: The page is not the one that was published, as after a change of the project or of Matplotlib.
    """
    if language != language_of(run):
        return store.locate(store.write_bytes(report_path(run.run_id, language), page).path)
    if run.report is None or hashlib.sha256(page).hexdigest() != run.report.sha256:
        raise ValueError(
            f"{run.run_id} was published by other versions, and its page would be another one now. "
            "Give `--out FILE` to have that page beside it."
        )
    path = store.write_bytes(run.report.path, page).path
    publish_index(store, language, run.run_id)
    return store.locate(path)


def read_history(store: Store) -> tuple[list[dict[str, Any]], list[str]]:
    """Return each run in a few figures, the oldest first, and one sentence for each whose record is damaged."""
    nights, damaged = [], []
    for run_id in list_runs(store):
        try:
            nights.append(summarise(read_run(store, run_id)))
        except DamagedFileError as error:
            damaged.append(str(error))
    return nights, damaged


def summarise(run: Run) -> dict[str, Any]:
    """Return one night in a few figures; those of the best variant are None where there is none."""
    night = summarise_night(run)
    trainings = [training for training in run.trainings if training.variant == night.best]
    best = choose(trainings) if trainings else None
    accuracy = wilson_interval(round(best.test.accuracy * best.test.count), best.test.count) if best else None
    return {
        "run_id": run.run_id,
        "started": run.started,
        "source": run.source,
        "is_sample": run.is_sample,
        "best": best.name if best else None,
        "validation_loss": best.validation.loss if best else None,
        "test_loss": best.test.loss if best else None,
        "test_accuracy": accuracy.estimate if accuracy else None,
        "test_accuracy_interval": [accuracy.low, accuracy.high] if accuracy else None,
        "variants": {name: asdict(figures) for name, figures in night.figures.items()},
        "trained": [training.name for training in run.trainings],
        "failed": [failure.name for failure in run.failures],
        "commit": run.code.commit,
        "seconds": run.seconds,
    }


def tabulate(nights: list[dict[str, Any]]) -> list[str]:
    """Return the nights as lines of aligned columns, a header first; the variants' test accuracies come last."""
    variants = list(dict.fromkeys(name for night in nights for name in night["variants"]))
    cells = [(*COLUMNS, *variants), *((*_write_out(night), *_accuracies(night, variants)) for night in nights)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _accuracies(night: dict[str, Any], variants: list[str]) -> list[str]:
    figures = night["variants"]
    return [f"{figures[name]['accuracy']:.2%}" if name in figures else "" for name in variants]


def _write_out(night: dict[str, Any]) -> tuple[str, ...]:
    figures = ("none", "", "", "")
    if night["best"]:
        low, high = night["test_accuracy_interval"]
        interval = f"{low:.2%}–{high:.2%}"
        figures = (night["best"], f"{night['validation_loss']:.4f}", f"{night['test_accuracy']:.2%}", interval)
    failed = ", ".join(night["failed"]) or "none"
    return (night["run_id"], *figures, str(len(night["trained"])), failed, f"{night['seconds']:.0f}", night["source"])
