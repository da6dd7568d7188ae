"""Past runs are read from the store alone: a page is rendered again byte for byte, and a run listed in one line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flows.cli.command import main
from storage.records import FailedTraining
from storage.runs import INDEX_PATH, LATEST_PATH, publish_run, read_run, report_path, run_folder
from storage.store import Store
from tasks.evaluation.publish_index import publish_index
from tasks.evaluation.publish_report import publish_report
from tests.example_runs import a_run, a_training
from tests.stores import FIRST, SECOND, publish_training


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Two published runs, the second with a failed training. The models are right on 800 and 804 of 1,000 reviews."""
    store = Store(str(tmp_path_factory.mktemp("published")))
    lstm, gru = a_training("lstm", 0.43, 800), a_training("gru", 0.42, 804)
    runs = [replace(a_run(lstm, gru), run_id=FIRST)]
    runs += [replace(a_run(gru, failures=[FailedTraining("lstm", 42, "it was killed by SIGKILL")]), run_id=SECOND)]
    published = []
    for run in runs:
        trainings = tuple(publish_training(store, run_folder(run.run_id), training) for training in run.trainings)
        stored = publish_report(replace(run, trainings=trainings), store).run
        published.append(store.read_verified(stored.report))
    return store, published


@pytest.fixture
def pages(published, store):
    """Copy the published runs into the test's own store; return their pages."""
    shutil.copytree(published[0].uri, store.uri)
    return published[1]


@pytest.fixture
def retrain(store, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        return main([*arguments, "--store", store.uri]), *capsys.readouterr()

    return run


def test_the_newest_run_is_rendered_again_byte_for_byte(retrain, store, pages):
    path = Path(store.locate(report_path(SECOND)))
    path.unlink()
    assert retrain("report") == (0, f"report: {path}\n", "")
    assert path.read_bytes() == pages[1]
    assert retrain("verify")[0] == 0


def test_an_older_run_can_be_rendered_to_another_file(retrain, tmp_path, pages):
    target = tmp_path / "page.html"
    assert retrain("report", FIRST, "--out", str(target)) == (0, f"report: {target}\n", "")
    assert target.read_bytes() == pages[0]


@pytest.mark.parametrize("run_id", ["20261124T020000Z-cccccc", "../secret", ""])
def test_a_missing_run_gives_one_line(retrain, store, pages, run_id):
    if not run_id:
        Path(store.locate(f"runs/{FIRST}/run.json")).unlink()
        Path(store.locate(f"runs/{SECOND}/run.json")).unlink()
    expected = (
        f"retrain report: `RUN_ID` must be one that `retrain history` lists. Received: {run_id}; "
        f"it is not in {store.locate('')}.\n"
        if run_id
        else f"retrain report: {store.locate('')} must hold a run. It holds none; `retrain run` makes one.\n"
    )
    assert retrain("report", *([run_id] if run_id else [])) == (2, "", expected)


def test_a_page_that_another_version_published_is_not_overwritten(retrain, store, pages, tmp_path):
    run = read_run(store, SECOND)
    publish_run(store, replace(run, report=store.write_bytes(report_path(SECOND), b"<h1>of older code</h1>")))
    assert retrain("report") == (
        2,
        "",
        f"retrain report: {SECOND} was published by other versions, and its page would differ now. "
        "Give `--out FILE` to write the new page to a file of its own.\n",
    )
    assert store.read_bytes(report_path(SECOND)) == b"<h1>of older code</h1>"
    assert retrain("report", "--out", str(tmp_path / "page.html"))[0] == 0
    assert (tmp_path / "page.html").read_bytes() == pages[1]


def test_a_page_in_another_language_is_written_beside_the_published_one(retrain, store, pages):
    path = Path(store.locate(report_path(SECOND, "ko")))
    assert retrain("report", "--lang", "ko") == (0, f"report: {path}\n", "")
    assert '<html lang="ko">' in path.read_text()
    assert store.read_bytes(report_path(SECOND)) == pages[1]
    assert retrain("verify")[0] == 0


def test_rendering_again_repairs_the_list_of_runs_and_the_latest_page(retrain, store, pages):
    before = store.read_bytes(INDEX_PATH)
    for path in (INDEX_PATH, LATEST_PATH):
        Path(store.locate(path)).write_bytes(b"torn")
    code, _, err = retrain("verify")
    assert code == 2
    assert [line.split()[0] for line in err.splitlines()] == [INDEX_PATH, LATEST_PATH]
    assert retrain("report")[0] == 0
    assert (store.read_bytes(INDEX_PATH), store.read_bytes(LATEST_PATH)) == (before, pages[1])
    assert retrain("verify")[0] == 0


def test_the_error_for_a_run_without_evidence_says_where_its_page_is(retrain, store, pages):
    publish_run(store, replace(read_run(store, SECOND), evidence=None))
    assert retrain("report") == (
        2,
        "",
        f"retrain report: {SECOND} was published by a version that stored no evidence, so its page cannot be rendered "
        f"again. The published page is {store.locate(report_path(SECOND))}.\n",
    )


def test_the_list_of_runs_names_a_damaged_record_and_shows_the_other_runs(store, pages):
    path = Path(store.locate(f"runs/{FIRST}/run.json"))
    path.write_bytes(path.read_bytes()[:-9])
    publish_index(store, "en", SECOND)
    page = store.read_bytes(INDEX_PATH).decode()
    assert f"The record of <bdi>{FIRST}</bdi> is damaged" in page
    assert f'href="./{SECOND}.html"' in page


def test_history_of_a_store_without_runs_is_empty(retrain, store):
    store.check_writable()
    assert retrain("history", "--json") == (0, "", "")


def test_a_damaged_file_is_not_rendered(retrain, store, pages):
    path = Path(store.locate(f"runs/{SECOND}/evidence.json"))
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = retrain("report")
    assert (code, out) == (2, "")
    assert err.startswith(f"retrain report: {path} must have SHA-256 ")


def test_history_has_one_line_for_each_run_the_newest_last(retrain, pages):
    code, out, err = retrain("history")
    assert (code, err) == (0, "")
    header, first, second = (line.split() for line in out.splitlines())
    assert (header[:2], header[-2:]) == (["run", "best"], ["lstm", "gru"])
    assert first == [
        FIRST,
        "gru-seed42",
        "0.4200",
        "80.40%",
        "77.83%–82.74%",
        "2",
        "none",
        "61",
        "imdb.npz",
        "80.00%",
        "80.40%",
    ]
    # If a training failed, no variant is the best.
    assert second == [SECOND, "none", "1", "lstm-seed42", "61", "imdb.npz", "80.40%"]


def test_history_as_json_has_one_object_for_each_run(retrain, pages):
    first, second = (json.loads(line) for line in retrain("history", "--json")[1].splitlines())
    assert (first["run_id"], first["trained"], first["failed"]) == (FIRST, ["lstm-seed42", "gru-seed42"], [])
    assert (first["test_accuracy"], second["test_accuracy"], second["failed"]) == (0.804, None, ["lstm-seed42"])
    assert first["test_accuracy_interval"] == pytest.approx([0.7783, 0.8274], abs=1e-4)
    assert second["variants"] == {"gru": {"seeds": [42], "loss": 0.44, "accuracy": 0.804}}


def test_history_has_a_line_for_a_run_in_which_every_training_failed(retrain, store):
    run = a_run(failures=[FailedTraining("lstm", 42, "it was killed by SIGKILL")])
    publish_run(store, run)
    assert retrain("history")[1].splitlines()[1].split() == [run.run_id, "none", "0", "lstm-seed42", "61", "imdb.npz"]


def test_history_names_a_damaged_record_and_lists_the_other_runs(retrain, store, pages):
    path = Path(store.locate(f"runs/{FIRST}/run.json"))
    path.write_bytes(path.read_bytes().replace(b"61.0", b"60.0"))
    code, out, err = retrain("history")
    assert code == 2
    assert [line.split()[0] for line in out.splitlines()] == ["run", SECOND]
    assert err == f"retrain history: {path} must be as it was written, and its own SHA-256 does not match.\n"


@pytest.mark.slow
def test_neither_command_imports_prefect_or_keras(store, pages):
    script = (
        "import sys; from flows.cli.command import main; codes = [main(['report', '--store', sys.argv[1]]), "
        "main(['history', '--store', sys.argv[1]])]; "
        "print(codes, sorted({'prefect', 'keras', 'tensorflow', 'numba'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, store.uri]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "[0, 0] []"
