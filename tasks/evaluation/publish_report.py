"""Compute the evidence of a run, render its page, and publish both."""

from __future__ import annotations

from dataclasses import replace

from reports.evidence import Evidence, to_json
from reports.page.plain_text import render_markdown, render_verdict
from reports.page.report_page import render_report
from storage.pages import seal_page
from storage.records import Run
from storage.runs import (
    is_published,
    publish_run,
    read_run,
    report_path,
    run_folder,
    withdraw_run,
)
from storage.store import DamagedFileError, Store
from tasks.evaluation.evaluate import choose_test_set, evaluate_run
from tasks.evaluation.page_address import address_page
from tasks.evaluation.publish_index import publish_index
from tasks.evaluation.report_request import WrittenReport
from tasks.evaluation.stored_evidence import read_evidence


def prepare_evidence(run: Run, store: Store) -> Run:
    """Compute the evidence of a run, and write it. Until the run is published again, it does not exist.

    If the run is already published and intact, as after a restart of its flow run, its files stay as they are.

    Args:
        run: The run's record, with all trainings done.
        store: The store that has the trainings' files.

    Returns:
        The run with the record of its evidence; the published run, if there is one.

    Raises:
        DamagedFileError: A file of a training differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    run = choose_test_set(run, store)
    published = find_published(run, store)
    if published and published.evidence:
        return published
    written = to_json(evaluate_run(run, store))
    withdraw_run(store, run.run_id)
    return replace(run, evidence=store.write_bytes(f"{run_folder(run.run_id)}/evidence.json", written))


def publish_report(run: Run, store: Store) -> WrittenReport:
    """Publish the page, `run.json` and the list of runs; the evidence first, if it is not there yet.

    Args:
        run: The run's record, with the records of its evidence and of the gate's decision, if they are made.
        store: The store that has its files.

    Raises:
        DamagedFileError: A file of the run differs from what was published.
        ValueError: Two trainings were tested on different reviews.
    """
    if run.evidence is None:
        run = prepare_evidence(run, store)
    # Read back, because every later rendering starts from the stored files as well.
    evidence = read_evidence(store, run)
    run = find_published(run, store) or publish_page(run, evidence, store)
    language = run.known.language
    publish_index(store, language, run.run_id)
    markdown = render_markdown(run, evidence, address_page(store, run.run_id), language)
    return WrittenReport(run, render_verdict(run, evidence, language), markdown)


def find_published(run: Run, store: Store) -> Run | None:
    """Return the published run, if it has the same datasets and trainings and its files are intact; otherwise None."""
    if not is_published(store, run.run_id):
        return None
    try:
        published = read_run(store, run.run_id)
        for file in filter(None, (published.evidence, published.decision, published.report)):
            store.verify(file)
    except DamagedFileError:
        return None
    names = ("datasets", "trainings", "baselines", "failures")
    return published if all(getattr(published, name) == getattr(run, name) for name in names) else None


def publish_page(run: Run, evidence: Evidence, store: Store) -> Run:
    """Write the page and, last, `run.json`; return the run with the record of the page."""
    page = seal_page(render_report(run, evidence, run.known.language))
    run = replace(run, report=store.write_bytes(report_path(run.run_id), page))
    publish_run(store, run)
    return run
