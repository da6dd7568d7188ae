"""A store of the previous version, with its old names, is listed, verified and read like a new one."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from flows.cli.command import main
from flows.cli.past_runs import read_evidence
from reports.evidence import from_json, to_json, upgrade_evidence
from storage.damage import NewerFormatError
from storage.datasets import dataset_folder, find_dataset, publish_dataset, read_dataset
from storage.runs import publish_run, read_run, read_training_record, verify_store
from storage.store import Store
from storage.upgrades import upgrade_dataset, upgrade_run, upgrade_training
from tasks.evaluation.evaluate import evaluate_run
from tasks.train import find_training
from tests.example_runs import FOUR_VARIANTS, evidence_of
from tests.places import PROJECT_ROOT
from tests.stores import PAD_FOLDER, PAD_INPUTS, TRAINING, publish_example_run, publish_pad

OLD = "20261126T042612Z-83c483"
PROFILE = "datasets/describe-aa511a7470b8c77a"
# Files that were deleted from the fixture, as its README says.
LEFT_OUT = [
    "datasets/sample-efe7863ea2526af4/sample.npz",
    "datasets/split-52b3051c2c40a931/test-ab0cf735b062.parquet",
    "datasets/split-52b3051c2c40a931/train-a82fbeb9b752.parquet",
    "datasets/split-52b3051c2c40a931/validation-d5cf9aaf631b.parquet",
    f"reports/{OLD}.html",
    f"runs/{OLD}/gru-seed42/model.keras",
    f"runs/{OLD}/lstm-seed42/model.keras",
    f"runs/{OLD}/simple_rnn-seed42/model.keras",
]
HOSTILE = [None, 1, "x", [], [None], {}, {"files": 1}, {"datasets": [], "trainings": {}, "step_seconds": 1, "step": []}]


@pytest.fixture
def old_store(tmp_path):
    shutil.copytree(PROJECT_ROOT / "tests" / "old_stores" / "format-1", tmp_path / "old")
    return Store(str(tmp_path / "old"))


def test_the_old_store_s_records_have_no_format_and_the_names_of_their_time(old_store):
    content = old_store.read_manifest(f"runs/{OLD}/run.json")
    assert "format" not in content
    assert sorted(content["datasets"]) == ["archive", "describe", "pad", "split"]
    assert "behaviour" in json.loads(old_store.read_bytes(f"runs/{OLD}/evidence.json"))


def test_history_lists_the_old_run(old_store, capsys):
    assert main(["history", "--store", old_store.uri]) == 0
    out, err = capsys.readouterr()
    # It has no decision.
    assert out.splitlines()[1].split()[:7] == [OLD, "gru-seed42", "0.6919", "50.00%", "43.14%–56.86%", "2", "none"]
    assert err == ""


def test_verify_names_nothing_but_what_was_left_out_of_the_fixture(old_store):
    found = verify_store(old_store)
    assert sorted(found.damaged) == [f"{old_store.locate(path)} must be there and is missing." for path in LEFT_OUT]
    assert (found.sound, found.unfinished) == (28, ())


def test_the_old_run_is_read_under_the_names_of_today(old_store):
    run = read_run(old_store, OLD)
    assert sorted(run.datasets) == ["archive", "pad", "profile", "split"]
    assert "profile" in run.step_seconds
    assert "describe" not in run.step_seconds
    profile = run.datasets["profile"]
    assert (profile.step, sorted(profile.files)) == ("profile", ["facts", "minimal_pairs", "reviews"])
    # The paths of files and the inputs of a key do not change.
    assert profile.files["minimal_pairs"].path == f"{PROFILE}/behaviour-e7330e6a79be.parquet"
    assert profile.inputs["behaviour"] == 1
    for training in (*run.trainings, *run.baselines):
        file = training.files["predictions-minimal_pairs.parquet"]
        assert file.path == f"runs/{OLD}/{training.name}/predictions-behaviour.parquet"
    assert {run.format, profile.format, *(training.format for training in run.trainings)} == {2}


def test_an_old_dataset_and_an_old_training_are_the_same_by_themselves_as_in_their_run(old_store):
    run = read_run(old_store, OLD)
    assert read_dataset(old_store, f"{PROFILE}/manifest.json") == run.datasets["profile"]
    for training in run.trainings:
        content = old_store.read_manifest(f"runs/{OLD}/{training.name}/training.json")
        assert read_training_record(content) == training
    assert find_dataset(old_store, "pad", run.datasets["pad"].inputs) == (run.datasets["pad"], [])


def test_the_old_run_s_evidence_is_read(old_store):
    evidence = read_evidence(old_store, read_run(old_store, OLD))
    assert evidence.format == 2
    names = ["gru", "lstm", "simple_rnn", "bag_of_words", "majority_class"]
    assert [row.name for row in evidence.comparison] == names
    assert sum(category.pairs for category in evidence.minimal_pairs.categories) > 0


def test_a_new_run_on_the_same_reviews_has_the_old_one_in_its_history(old_store):
    before = read_run(old_store, OLD)
    new = replace(before, run_id="20261127T042612Z-aaaaaa", started="2026-11-27T04:26:12Z", evidence=None, report=None)
    evidence = evaluate_run(new, old_store)
    assert [one.run_id for one in evidence.history.runs] == [OLD, new.run_id]
    assert evidence.history.last == OLD
    assert evidence.history.runs[0].figures["gru"].accuracy == 0.5
    # The trainings are the same, so the minimal pairs are the old ones, read by their new name.
    assert evidence.minimal_pairs == read_evidence(old_store, before).minimal_pairs


def test_what_is_published_anew_has_the_format_of_today_and_is_not_upgraded_again(old_store):
    run = read_run(old_store, OLD)
    publish_run(old_store, run)
    assert old_store.read_manifest(f"runs/{OLD}/run.json")["format"] == 2
    assert read_run(old_store, OLD) == run


def test_a_name_of_format_1_means_nothing_in_a_record_of_today(store):
    files = {"behaviour": publish_pad(store).files["train"]}
    dataset = publish_dataset(store, "describe", {"version": 1}, files, "imdb.npz")
    assert read_dataset(store, f"{dataset_folder('describe', {'version': 1})}/manifest.json") == dataset


@pytest.mark.parametrize("upgrade", [upgrade_dataset, upgrade_training, upgrade_run])
@pytest.mark.parametrize("content", HOSTILE)
def test_an_upgrade_takes_anything(upgrade, content):
    assert type(upgrade(content)) is type(content)


def test_evidence_with_nothing_in_it_is_upgraded():
    assert upgrade_evidence({}) == {"format": 2}


def write_newer(store, path):
    store.write_manifest(path, store.read_manifest(path) | {"format": 3})


def test_a_dataset_of_a_newer_version_stays_where_it_is_and_the_run_ends_in_one_line(store):
    publish_pad(store)
    write_newer(store, f"{PAD_FOLDER}/manifest.json")
    before = store.list_files("")
    with pytest.raises(NewerFormatError, match=r"pad-84d628a8f59f3e5a/manifest\.json must .*Use that version\.$"):
        find_dataset(store, "pad", PAD_INPUTS)
    assert store.list_files("") == before


def test_a_training_of_a_newer_version_stays_where_it_is(store):
    run = publish_example_run(store)
    store.write_manifest(f"{TRAINING}/training.json", asdict(run.trainings[0]) | {"format": 3})
    with pytest.raises(NewerFormatError, match=r"training\.json must .* newer version of this project \(format 3"):
        find_training(store, TRAINING, {})
    assert store.list_files("quarantine") == []


def test_history_and_verify_name_a_run_of_a_newer_version(store, capsys):
    run = publish_example_run(store)
    write_newer(store, f"runs/{run.run_id}/run.json")
    for command in ("history", "verify"):
        assert main([command, "--store", store.uri]) == 2
        path = re.escape(store.locate(f"runs/{run.run_id}/run.json"))
        assert re.search(
            rf"{path} must be .* newer version of this project .*Use that version\.\n", capsys.readouterr().err
        )


def test_evidence_of_a_newer_version_is_not_read():
    newer = json.loads(to_json(evidence_of(FOUR_VARIANTS))) | {"format": 3}
    with pytest.raises(
        NewerFormatError, match=r"^evidence\.json must hold the evidence of a run: it was written by a new"
    ):
        from_json(json.dumps(newer).encode())


def test_the_fixture_is_small_and_names_no_folder_of_the_machine_that_made_it():
    files = [path for path in (PROJECT_ROOT / "tests" / "old_stores").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000
    assert [path for path in files if re.search(rb"/(tmp|root|home)/", Path(path).read_bytes())] == []
