"""A run is published again, as after a retry of its flow run, and no reader sees half of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from storage.runs import INDEX_PATH, list_runs, publish_run, read_run, run_folder, verify_store
from storage.store import Store
from tasks.evaluation import publish_index as pages
from tasks.evaluation.publish_index import publish_index
from tasks.evaluation.publish_report import publish_report
from tests.example_runs import a_run, a_training
from tests.stores import FIRST, SECOND, publish_training


@pytest.fixture
def unpublished(store):
    """A run whose trainings are in the store, but which is not published."""
    lstm, gru = a_training("lstm", 0.43, 800), a_training("gru", 0.42, 804)
    run = replace(a_run(lstm, gru), run_id=FIRST)
    return replace(run, trainings=tuple(publish_training(store, run_folder(FIRST), one) for one in run.trainings))


def contents(store):
    return {path: store.read_bytes(path) for path in store.list_files("")}


def test_a_run_that_is_written_down_already_stays_as_it_is(store, unpublished):
    first = publish_report(unpublished, store)
    before = contents(store)
    assert publish_report(replace(unpublished, seconds=99.0, started="2026-11-22T05:00:00Z"), store) == first
    assert contents(store) == before


def test_a_run_that_was_killed_before_the_list_of_runs_gets_into_it(store, unpublished):
    publish_report(unpublished, store)
    Path(store.locate(INDEX_PATH)).unlink()
    publish_report(unpublished, store)
    assert FIRST in store.read_bytes(INDEX_PATH).decode()


def test_a_run_whose_page_was_damaged_is_written_down_anew(store, unpublished):
    run = publish_report(unpublished, store).run
    Path(store.locate(run.report.path)).write_bytes(b"torn")
    publish_report(unpublished, store)
    assert verify_store(store).damaged == ()


def test_while_a_run_is_written_down_anew_the_store_is_sound_after_every_single_write(store, unpublished, monkeypatch):
    publish_report(replace(unpublished, trainings=unpublished.trainings[:1]), store)
    write, damaged = Store.write_bytes, []

    def write_and_verify(self, path, *arguments):
        written = write(self, path, *arguments)
        damaged.append((path, verify_store(store).damaged))
        return written

    monkeypatch.setattr(Store, "write_bytes", write_and_verify)
    publish_report(unpublished, store)
    assert {path.split("/")[0] for path, _ in damaged} == {"runs", "reports"}
    assert [found for found in damaged if found[1]] == []
    assert len(read_run(store, FIRST).trainings) == 2


def test_a_run_that_another_one_overtakes_leaves_both_in_the_list(store, unpublished, monkeypatch):
    first = publish_report(unpublished, store).run
    lists = []

    def list_and_be_overtaken(store):
        found = list_runs(store)
        if not lists:
            publish_run(store, replace(first, run_id=SECOND))
        lists.append(found)
        return found

    monkeypatch.setattr(pages, "list_runs", list_and_be_overtaken)
    publish_index(store, "en", FIRST)
    assert lists[0] == [FIRST]
    assert SECOND in store.read_bytes(INDEX_PATH).decode()
