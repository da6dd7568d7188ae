"""The pages that every night writes anew: the list of all nights, and a copy of the newest one's page."""

from __future__ import annotations

from contextlib import suppress

from reports.analysis.history import summarise_night
from reports.page.index_page import render_index
from storage.pages import seal_page
from storage.runs import INDEX_PATH, LATEST_PATH, list_runs, read_run
from storage.store import DamagedFileError, Store


def publish_index(store: Store, language: str, just_published: str) -> None:
    """Write `reports/index.html` and `reports/latest.html` as the store's runs now are.

    The run that was just published is among them, also where an object store does not list it yet. A run whose record
    or page is damaged is listed as such: one bad night must not hide the others.
    """
    shown: set[str] = set()
    # Another run may be published while this list is written, and write its own list before this one.
    while not shown >= (run_ids := {*list_runs(store), just_published}):
        _publish_list_of(store, language, run_ids)
        shown = run_ids


def _publish_list_of(store: Store, language: str, run_ids: set[str]) -> None:
    nights, damaged, pages = [], [], []
    for run_id in sorted(run_ids):
        try:
            run = read_run(store, run_id)
        except DamagedFileError:
            damaged.append(run_id)
            continue
        nights.append((summarise_night(run), run.is_sample))
        pages += [run.report] if run.report else []
    for page in reversed(pages):
        with suppress(DamagedFileError):
            store.write_bytes(LATEST_PATH, store.read_verified(page))
            break
    store.write_bytes(INDEX_PATH, seal_page(render_index(nights, damaged, language)))
