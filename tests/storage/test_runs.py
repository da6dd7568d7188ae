"""A run is read back as it was published, and the verification of a store names every damaged file."""

from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import pytest

from storage.checkpoint_records import CheckpointRecord, Stopping
from storage.datasets import publish_dataset
from storage.pages import is_intact, seal_page
from storage.records import StoredFile
from storage.runs import LATEST_PATH, Verification, list_runs, read_run, verify_store
from storage.store import DamagedFileError, Store
from tasks.data import sample
from tests.stores import RUN_ID, TRAINING, publish_example_run
from tests.trainings import ignore


def test_a_run_is_read_back_as_it_was_published(store):
    run = publish_example_run(store)
    assert read_run(store, RUN_ID) == run


def test_a_run_that_was_never_published_is_not_found(store):
    store.write_bytes(f"{TRAINING}/model.keras", b"weights")
    with pytest.raises(FileNotFoundError):
        read_run(store, RUN_ID)


def test_an_edited_run_is_not_read(store):
    publish_example_run(store)
    path = Path(store.locate(f"runs/{RUN_ID}/run.json"))
    path.write_bytes(path.read_bytes().replace(b'"accuracy": 0.82', b'"accuracy": 0.92'))
    with pytest.raises(DamagedFileError):
        read_run(store, RUN_ID)


def test_every_file_of_a_sound_store_is_counted(store):
    publish_example_run(store)
    found = verify_store(store)
    assert (found.sound, found.damaged, found.unfinished, found.quarantined) == (6, (), (), ())


def test_a_store_without_files_is_sound(store):
    found = verify_store(store)
    assert (found.sound, found.damaged, found.unfinished, found.quarantined) == (0, (), (), ())


@pytest.mark.parametrize(
    "path",
    [
        "datasets/pad-84d628a8f59f3e5a/train.parquet",
        f"{TRAINING}/model.keras",
        f"{TRAINING}/history.parquet",
        f"reports/{RUN_ID}.html",
    ],
)
def test_a_missing_file_is_named(store, path):
    publish_example_run(store)
    Path(store.locate(path)).unlink()
    found = verify_store(store)
    assert found.damaged == (f"{store.locate(path)} must be there and is missing.",)
    assert found.sound == 5


@pytest.mark.parametrize("path", ["datasets/pad-84d628a8f59f3e5a/train.parquet", f"{TRAINING}/model.keras"])
def test_a_bit_flip_is_named(store, path):
    publish_example_run(store)
    content = bytearray(Path(store.locate(path)).read_bytes())
    content[3] ^= 1
    Path(store.locate(path)).write_bytes(content)
    found = verify_store(store)
    (sentence,) = found.damaged
    assert sentence.startswith(f"{store.locate(path)} must have SHA-256 ")
    assert found.sound == 5
    assert found.unfinished == ()


@pytest.mark.parametrize("path", ["datasets/pad-84d628a8f59f3e5a/manifest.json", f"runs/{RUN_ID}/run.json"])
def test_an_edited_manifest_is_named(store, path):
    publish_example_run(store)
    manifest = Path(store.locate(path))
    manifest.write_bytes(manifest.read_bytes().replace(b"imdb.npz", b"evil.npz"))
    assert f"{manifest} must be as it was written, and its own SHA-256 does not match." in verify_store(store).damaged


def test_a_manifest_of_something_else_is_named(store):
    store.write_manifest("datasets/pad-84d628a8f59f3e5a/manifest.json", {"rows": 2})
    path = store.locate("datasets/pad-84d628a8f59f3e5a/manifest.json")
    assert verify_store(store).damaged == (
        f"{path} must be the manifest of a dataset: step must be there and is missing.",
    )


def test_what_no_manifest_names_is_unfinished(store):
    publish_example_run(store)
    store.write_bytes("runs/20260103T030405Z-abcdef/gru-seed42/model.keras", b"weights")
    store.write_bytes("datasets/split-0123456789abcdef/.train.parquet.0123.part", b"revi")
    found = verify_store(store)
    assert found.unfinished == (
        "datasets/split-0123456789abcdef/.train.parquet.0123.part",
        "runs/20260103T030405Z-abcdef/gru-seed42/model.keras",
    )
    assert found.damaged == ()
    assert found.sound == 6


@pytest.mark.parametrize("other", ["20260101T030405Z-abcdef", "20260103T030405Z-abcdef"])
def test_the_record_of_another_run_is_refused(store, other):
    publish_example_run(store)
    store.write_bytes(f"runs/{other}/run.json", store.read_bytes(f"runs/{RUN_ID}/run.json"))
    with pytest.raises(DamagedFileError) as caught:
        read_run(store, other)
    path = store.locate(f"runs/{other}/run.json")
    assert str(caught.value) == f"{path} must be the record of run {other}. Received: one of {RUN_ID}."


def test_sound_files_are_counted_beside_two_damaged_manifests(store):
    publish_example_run(store)
    for path in ("runs/a/run.json", "runs/b/run.json"):
        store.write_bytes(path, b"torn")
    found = verify_store(store)
    assert (found.sound, len(found.damaged), found.unfinished) == (6, 2, ())


def test_runs_are_listed_by_their_ids_the_oldest_first(store):
    publish_example_run(store)
    store.write_bytes("runs/20260101T030405Z-abcdef/run.json", b"torn")
    store.write_bytes("runs/20260103T030405Z-abcdef/gru-seed42/run.json", b"no run's own")
    assert list_runs(store) == ["20260101T030405Z-abcdef", RUN_ID]


def test_a_page_is_sound_as_long_as_no_character_changes(store):
    for number in range(20):
        page = seal_page(f"<p>{number}</p>")
        assert is_intact(page)
        assert not is_intact(page.replace(b"<p>", b"<b>"))
    store.write_bytes(LATEST_PATH, page)
    assert (verify_store(store).sound, verify_store(store).damaged) == (1, ())
    store.write_bytes(LATEST_PATH, page.replace(b"<p>", b"<b>"))
    found = verify_store(store)
    assert found.damaged == (
        f"{LATEST_PATH} must end in its own SHA-256, and does not match it. `retrain report` writes it again.",
    )
    assert (found.sound, found.unfinished) == (0, ())


def test_a_page_that_is_a_link_to_outside_is_named(store, tmp_path):
    (tmp_path / "page.html").write_bytes(seal_page("<p>evil</p>"))
    store.write_bytes("reports/other.txt", b"hello")
    Path(store.locate(LATEST_PATH)).symlink_to(tmp_path / "page.html")
    (sentence,) = verify_store(store).damaged
    assert sentence.startswith("A stored file's path must stay inside the store. Received: ")


def test_a_translated_page_belongs_to_a_run_that_exists(store):
    publish_example_run(store)
    store.write_bytes(f"reports/{RUN_ID}.ko.html", seal_page("<p>good</p>"))
    store.write_bytes("reports/20260103T030405Z-abcdef.ko.html", seal_page("<p>good</p>"))
    found = verify_store(store)
    assert (found.sound, found.unfinished) == (7, ("reports/20260103T030405Z-abcdef.ko.html",))


def test_a_verification_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Verification(0, (), (), ()).sound = 1


def test_what_was_put_aside_earlier_is_listed_and_is_no_damage(store):
    publish_example_run(store)
    store.write_bytes("raw/hello.npz", b"hello")
    target = store.quarantine("raw/hello.npz")
    found = verify_store(store)
    assert found.quarantined == (target,)
    assert (found.damaged, found.unfinished) == ((), ())


def test_a_manifest_that_was_put_aside_is_no_damage(store):
    store.write_bytes("datasets/pad-84d628a8f59f3e5a/manifest.json", b"torn")
    target = store.quarantine("datasets/pad-84d628a8f59f3e5a/manifest.json")
    found = verify_store(store)
    assert (found.damaged, found.quarantined) == ((), (target,))


def test_the_word_index_of_a_sample_is_not_taken_for_a_manifest(store):
    inputs = {"version": 1, "reviews": 20}
    files = sample.main(sample.SampleRequest(20, store.uri, "datasets/sample-184c324cbdf1909b"), ignore)
    publish_dataset(store, "sample", inputs, files, "sample")
    found = verify_store(store)
    assert (found.sound, found.damaged, found.unfinished) == (3, (), ())


def publish_checkpoint(store: Store) -> tuple[StoredFile, StoredFile]:
    place = "runs/20260103T030405Z-abcdef/gru-seed42/checkpoints/epoch-0005"
    file = store.write_bytes(f"{place}/state-0123456789ab.npz", b"weights")
    record = CheckpointRecord({"seed": 42}, 5, Stopping(0.25, 0, 4), file)
    return file, store.write_manifest(f"{place}/manifest.json", asdict(record))


def test_a_sound_checkpoint_of_an_interrupted_run_is_unfinished(store):
    publish_example_run(store)
    file, manifest = publish_checkpoint(store)
    found = verify_store(store)
    assert (found.sound, found.damaged, found.unfinished) == (6, (), (manifest.path, file.path))


def test_a_damaged_checkpoint_is_named(store):
    file, manifest = publish_checkpoint(store)
    Path(store.locate(file.path)).write_bytes(b"WEIGHTS")
    (sentence,) = verify_store(store).damaged
    assert sentence.startswith(f"{store.locate(file.path)} must have SHA-256 ")
    Path(store.locate(file.path)).unlink()
    assert verify_store(store).damaged == (f"{store.locate(file.path)} must be there and is missing.",)
    Path(store.locate(manifest.path)).write_bytes(b"torn")
    (sentence,) = verify_store(store).damaged
    assert sentence.startswith(f"{store.locate(manifest.path)} must be as it was written")
