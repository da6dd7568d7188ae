"""What may go: no kept run, no champion and no running run needs it."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.datasets import dataset_folder, publish_dataset
from storage.retention import plan_removal, remove
from storage.runs import list_runs, publish_run
from storage.uses import note_use, read_uses
from tests.example_runs import a_run, a_training
from tests.stores import publish_pad


def run_id(days_ago: float, name: str = "aaaaaa") -> str:
    return f"{datetime.now(UTC) - timedelta(days=days_ago):%Y%m%dT%H%M%SZ}-{name}"


def publish(store, identifier, inputs):
    """Publish a run with a dataset of its own and a page."""
    dataset = publish_pad(store, inputs, content=str(inputs).encode())
    report = store.write_bytes(f"reports/{identifier}.html", b"<!doctype html>")
    store.write_bytes(f"reports/{identifier}.ko.html", b"<!doctype html>")
    publish_run(
        store, a_run(a_training("lstm", 0.43, 800), run_id=identifier, datasets={"pad": dataset}, report=report)
    )
    return identifier


@pytest.fixture
def runs(store):
    """Runs of 100, 50 and 10 days ago, the oldest first."""
    return [publish(store, run_id(days), {"version": 1, "maxlen": days}) for days in (100, 50, 10)]


def test_the_newest_runs_stay_and_the_others_go_with_their_datasets_and_pages(store, runs):
    removal = plan_removal(store, keep_runs=1, keep_days=None)
    assert removal.runs == tuple(runs[:2])
    assert len(removal.datasets) == 2
    # Of each: run.json, two pages, and the dataset's manifest and file.
    assert removal.files == 10
    remove(store, removal)
    assert list_runs(store) == [runs[2]]
    assert store.list_files("reports") == [f"reports/{runs[2]}.html", f"reports/{runs[2]}.ko.html"]
    assert len(store.list_files("datasets")) == 2


def test_runs_of_the_last_days_stay(store, runs):
    assert plan_removal(store, None, keep_days=60).runs == (runs[0],)
    assert plan_removal(store, None, keep_days=0.5).runs == tuple(runs)


def test_a_run_stays_if_either_rule_keeps_it(store, runs):
    assert plan_removal(store, keep_runs=1, keep_days=60).runs == (runs[0],)


def test_a_dataset_that_a_kept_run_needs_stays(store):
    old, new = run_id(100), run_id(1)
    for identifier in (old, new):
        publish(store, identifier, {"version": 1, "maxlen": 7})
    removal = plan_removal(store, keep_runs=1, keep_days=None)
    assert (removal.runs, removal.datasets) == ((old,), ())


def test_a_run_of_the_last_two_days_stays_whatever_the_rules_say(store):
    publish(store, run_id(1), {"version": 1, "maxlen": 1})
    publish(store, run_id(0.1, "bbbbbb"), {"version": 1, "maxlen": 2})
    assert plan_removal(store, keep_runs=1, keep_days=None).runs == ()


def test_what_a_run_has_noted_to_use_stays_for_two_days(store, runs):
    folder = dataset_folder("pad", {"version": 1, "maxlen": 100})
    note_use(store, folder)
    assert folder in read_uses(store)
    assert folder not in plan_removal(store, 1, None).datasets
    note = store.list_files("uses")[0]
    store.write_manifest(
        note, {"what": folder, "when": f"{datetime.now(UTC) - timedelta(hours=49):%Y-%m-%dT%H:%M:%SZ}"}
    )
    assert folder in plan_removal(store, 1, None).datasets


def test_shards_of_a_source_stay_while_a_kept_run_reads_it(store):
    file = store.write_bytes("datasets/read-x/texts.parquet", b"texts")
    publish_dataset(store, "read", {"name": "a.csv"}, {"texts": file}, "/srv/reviews")
    assigned = publish_dataset(
        store,
        "assign",
        {"version": 1},
        {"summary": store.write_bytes("datasets/assign-x/s.json", b"{}")},
        "/srv/reviews",
    )
    publish_run(store, a_run(a_training("lstm", 0.43, 800), run_id=run_id(30), datasets={"assign": assigned}))
    assert plan_removal(store, 1, None).datasets == ()
    publish_run(store, a_run(a_training("lstm", 0.43, 800), run_id=run_id(3), datasets={"pad": publish_pad(store)}))
    assert len(plan_removal(store, 1, None).datasets) == 2
    note_use(store, "/srv/reviews")
    assert [one.split("-")[0] for one in plan_removal(store, 1, None).datasets] == ["datasets/assign"]


def test_a_damaged_run_stops_the_cleaning(store, runs):
    path = f"runs/{runs[2]}/run.json"
    store.write_bytes(path, store.read_bytes(path)[:-9])
    with pytest.raises(ValueError, match="must be as it was written"):
        plan_removal(store, 1, None)
