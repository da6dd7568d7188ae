"""Publish the list of all runs, and a copy of the newest run's page."""

from __future__ import annotations

from contextlib import suppress

from reports.analysis.history import list_changes, name_reviews, summarise_run
from reports.page.index_page import ListedRun, render_index
from storage.pages import seal_page
from storage.records import Run
from storage.runs import INDEX_PATH, LATEST_PATH, list_runs, read_run
from storage.store import DamagedFileError, Store


def publish_index(store: Store, language: str, just_published: str) -> None:
    """Write `reports/index.html` and `reports/latest.html` for the runs that are now in the store.

    A run whose record is damaged is listed as damaged, and `latest.html` is the newest page that is intact.

    Args:
        store: The store.
        language: "en" or "ko".
        just_published: Id of a run that is listed even if the object store's own listing does not have it yet.
    """
    shown: set[str] = set()
    # Another process may publish a run in the meantime, and may write its own list before this one.
    while not shown >= (run_ids := {*list_runs(store), just_published}):
        _publish_list_of(store, language, run_ids)
        shown = run_ids


def _list_run(run: Run, before: Run | None) -> ListedRun:
    if before is None:
        return ListedRun(summarise_run(run), run.is_sample, (), None)
    changed = tuple(dict.fromkeys(change.kind for change in list_changes(before, run)))
    last = summarise_run(before)
    return ListedRun(
        summarise_run(run), run.is_sample, changed, last.figures[last.best].accuracy if last.best else None
    )


def _publish_list_of(store: Store, language: str, run_ids: set[str]) -> None:
    runs, damaged, pages = [], [], []
    # The newest run so far on the same test reviews.
    before: dict[str, Run] = {}
    for run_id in sorted(run_ids):
        try:
            run = read_run(store, run_id)
        except DamagedFileError:
            damaged.append(run_id)
            continue
        runs.append(_list_run(run, before.get(name_reviews(run))))
        before[name_reviews(run)] = run
        pages += [run.report] if run.report else []
    for page in reversed(pages):
        with suppress(DamagedFileError):
            store.write_bytes(LATEST_PATH, store.read_verified(page))
            break
    store.write_bytes(INDEX_PATH, seal_page(render_index(runs, damaged, language)))
