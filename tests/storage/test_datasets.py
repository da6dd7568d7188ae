"""Datasets are found by their inputs, and a damaged one is moved to quarantine and built again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.datasets import find_dataset, read_dataset
from storage.runs import verify_store
from storage.store import DamagedFileError
from tests.children import JOB
from tests.stores import PAD_FOLDER, PAD_INPUTS, publish_pad


def test_a_dataset_that_was_never_built_is_not_found(store):
    assert find_dataset(store, "pad", PAD_INPUTS) == (None, [])


def test_a_published_dataset_is_found_by_its_inputs(store):
    published = publish_pad(store)
    assert published.key == "84d628a8f59f3e5a"
    assert find_dataset(store, "pad", PAD_INPUTS) == (published, [])
    assert store.list_files("") == [f"{PAD_FOLDER}/manifest.json", f"{PAD_FOLDER}/train.parquet"]


def test_files_without_a_manifest_are_no_dataset(store):
    store.write_bytes(f"{PAD_FOLDER}/train.parquet", b"reviews")
    assert find_dataset(store, "pad", PAD_INPUTS) == (None, [])


@pytest.mark.parametrize(
    "other",
    [
        {"version": 1, "split": "aa", "maxlen": 50},
        {"version": 1, "split": "bb", "maxlen": 100},
        {"version": 2, "split": "aa", "maxlen": 100},
        {"version": 1, "archive": "aa", "num_words": 500},
        {"version": 1, "archive": "aa", "num_words": 600},
    ],
)
def test_datasets_of_other_inputs_do_not_collide(store, other):
    first = publish_pad(store, {"version": 1, "split": "aa", "maxlen": 100}, b"first")
    second = publish_pad(store, other, b"second")
    assert find_dataset(store, "pad", first.inputs) == (first, [])
    assert find_dataset(store, "pad", second.inputs) == (second, [])
    assert store.read_verified(first.files["train"]) == b"first"
    assert store.read_verified(second.files["train"]) == b"second"


def test_datasets_of_other_steps_do_not_collide(store):
    publish_pad(store)
    assert find_dataset(store, "split", PAD_INPUTS) == (None, [])


def test_a_damaged_file_is_put_aside_and_the_dataset_is_to_be_built_again(store):
    publish_pad(store)
    path = Path(store.locate(f"{PAD_FOLDER}/train.parquet"))
    path.write_bytes(b"reviewz")
    found, (sentence,) = find_dataset(store, "pad", PAD_INPUTS)
    assert found is None
    assert sentence.startswith(f"{path} must have SHA-256 ")
    assert "Moved to quarantine/" in sentence
    assert sentence.endswith("; building it again.")
    assert sorted(path.split("-", 1)[1] for path in store.list_files("")) == [
        "datasets-pad-84d628a8f59f3e5a-manifest.json",
        "datasets-pad-84d628a8f59f3e5a-train.parquet",
    ]


def test_a_missing_file_is_told_and_the_dataset_is_to_be_built_again(store):
    publish_pad(store)
    Path(store.locate(f"{PAD_FOLDER}/train.parquet")).unlink()
    found, (sentence,) = find_dataset(store, "pad", PAD_INPUTS)
    assert found is None
    assert sentence.startswith(f"{store.locate(PAD_FOLDER)}/train.parquet must be there and is missing.")


def test_an_edited_manifest_is_put_aside(store):
    publish_pad(store)
    path = Path(store.locate(f"{PAD_FOLDER}/manifest.json"))
    path.write_bytes(path.read_bytes().replace(b"imdb.npz", b"evil.npz"))
    found, (sentence,) = find_dataset(store, "pad", PAD_INPUTS)
    assert found is None
    assert sentence.startswith(f"{path} must be as it was written, and its own SHA-256 does not match.")
    assert [path.split("-", 1)[1] for path in store.list_files("quarantine")] == [
        "datasets-pad-84d628a8f59f3e5a-manifest.json"
    ]
    with pytest.raises(FileNotFoundError):
        read_dataset(store, f"{PAD_FOLDER}/manifest.json")


def test_an_edited_manifest_is_not_read(store):
    publish_pad(store)
    path = Path(store.locate(f"{PAD_FOLDER}/manifest.json"))
    path.write_bytes(path.read_bytes().replace(b"imdb.npz", b"evil.npz"))
    with pytest.raises(DamagedFileError):
        read_dataset(store, f"{PAD_FOLDER}/manifest.json")


def test_a_dataset_can_be_published_again_after_its_damage(store):
    publish_pad(store)
    Path(store.locate(f"{PAD_FOLDER}/train.parquet")).write_bytes(b"reviewz")
    assert find_dataset(store, "pad", PAD_INPUTS)[0] is None
    again = publish_pad(store)
    assert find_dataset(store, "pad", PAD_INPUTS) == (again, [])


@pytest.mark.slow
def test_two_processes_that_build_one_dataset_at_once_both_succeed_and_leave_one_good_copy(store, tmp_path, children):
    waiting = tmp_path / "waiting"
    waiting.mkdir()
    request = {"do": "build", "store": store.uri, "waiting": str(waiting)}
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: children.ask(JOB, request, 60), range(2))
    assert first["key"] == second["key"]
    found, damage = find_dataset(store, "sample", {"version": 1, "reviews": 20})
    assert damage == []
    assert found.key == first["key"]
    folder = f"datasets/sample-{found.key}"
    assert store.list_files("") == [
        f"{folder}/manifest.json",
        f"{folder}/sample.npz",
        f"{folder}/sample_word_index.json",
    ]
    assert verify_store(store).damaged == ()
