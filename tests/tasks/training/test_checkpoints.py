"""An interrupted training continues from its checkpoint, and ends with the same bits as an uninterrupted one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from storage.checkpoint_records import Stopping
from storage.runs import checkpoints_folder, verify_store
from storage.schemas import HISTORY_SCHEMA
from storage.store import Store
from tasks.processes.messages import EpochFinished, Resumed, Warned
from tasks.train import PlannedTraining, asked_for, find_training, train_variant
from tasks.variants import BASELINES, VARIANTS, Variant, layer
from tests.forked_trainings import run_forked
from tests.stubs import STUB
from tests.trainings import PARAMETERS, ignore, inputs_for, request_for

UNKNOWN = Variant("averaged", (layer("Dropout", rate=0.3), layer("GlobalAveragePooling1D")))
TRAINED = (*VARIANTS, *BASELINES, UNKNOWN)
LSTM_DROPOUT = VARIANTS[1]


def request(prepared, variant, folder, epochs=7, patience=7, **changes):
    return request_for(prepared, variant, folder, epochs=epochs, patience=patience, **changes)


def run_saved_often(asked, events=None, **options):
    """Train in a process of its own that saves every second epoch, or by the options; None if it was killed."""
    from tests.checkpoint_children import CheckpointedTraining

    return run_forked(CheckpointedTraining(asked, **options), events)


def train(asked, events=None, every_epochs=2):
    result = run_saved_often(asked, events, every_epochs=every_epochs)
    assert result is not None
    return result


def interrupt(asked, after_epoch, every_epochs=2):
    """Kill the training's process directly after it has sent an epoch."""
    assert run_saved_often(asked, die_after_epoch=after_epoch, every_epochs=every_epochs) is None


def interrupt_at(asked, method, number):
    """Kill the training's process before the nth call of a method of its store."""
    assert run_saved_often(asked, die_before=(method, number)) is None


def epochs_in(events):
    return [event.epoch for event in events if isinstance(event, EpochFinished)]


def is_resumed_at(epoch, events):
    return events[0] == Resumed(epoch)


def figures(store, result):
    """Return everything that must be the same: the history without its seconds, the weights, and the last epoch."""
    history = store.read_table(result.files["history.parquet"], HISTORY_SCHEMA).drop_columns(["seconds"])
    return history.to_pydict(), result.weights_sha256, result.best_epoch, result.epochs, result.stopped_early


def checkpoints(store, folder):
    return store.list_files(checkpoints_folder(folder))


def manifests(store, folder):
    return [path for path in checkpoints(store, folder) if path.endswith("manifest.json")]


def flip_a_bit(store, path):
    content = bytearray(store.read_bytes(path))
    content[len(content) // 2] ^= 1
    Path(store.locate(path)).write_bytes(content)


@pytest.fixture(scope="module")
def whole(prepared):
    """The figures of uninterrupted trainings by variant, each trained at its first use."""
    trained = {}

    def get(variant, **changes):
        name = f"{variant.name}-{json.dumps(changes)}"
        if name not in trained:
            asked = request(prepared, variant, f"runs/whole/{len(trained)}", **changes)
            trained[name] = figures(prepared[0], train(asked))
        return trained[name]

    return get


@pytest.mark.slow
@pytest.mark.parametrize("variant", TRAINED, ids=lambda variant: variant.name)
def test_an_interrupted_training_ends_with_the_same_bits(prepared, whole, variant):
    store, asked, events = prepared[0], request(prepared, variant, f"runs/killed/{variant.name}"), []
    interrupt(asked, after_epoch=5)
    assert manifests(store, asked.folder) == [f"{asked.folder}/checkpoints/epoch-0004/manifest.json"]
    result = train(asked, events)
    assert is_resumed_at(4, events)
    assert epochs_in(events) == [5, 6, 7]
    assert figures(store, result) == whole(variant)
    assert checkpoints(store, asked.folder) == []
    assert not Path(store.locate(checkpoints_folder(asked.folder))).exists()


@pytest.mark.slow
@pytest.mark.parametrize("variant", [LSTM_DROPOUT], ids=lambda variant: variant.name)
def test_a_training_may_be_killed_again_and_again(prepared, whole, variant):
    store, asked, events = prepared[0], request(prepared, variant, f"runs/often/{variant.name}"), []
    for epoch in (3, 5, 7):
        interrupt(asked, after_epoch=epoch)
    assert figures(store, train(asked, events)) == whole(variant)
    assert is_resumed_at(6, events)


# With these, the best epoch is one of the first, and early stopping waits from there.
HASTY = {"epochs": 60, "learning_rate": 0.05, "patience": 6}


@pytest.mark.slow
@pytest.mark.parametrize("variant", [LSTM_DROPOUT], ids=lambda variant: variant.name)
def test_early_stopping_remembers_its_best_epoch_and_its_patience(prepared, whole, variant):
    store, uninterrupted = prepared[0], whole(variant, **HASTY)
    best_epoch, epochs = uninterrupted[2:4]
    assert uninterrupted[4]
    assert epochs == best_epoch + 6
    asked, events = request(prepared, variant, f"runs/patient/{variant.name}", **HASTY), []
    # Its last checkpoint is after the best epoch, so the best weights are in the checkpoint only.
    interrupt(asked, after_epoch=best_epoch + 4)
    result = train(asked, events)
    assert isinstance(events[0], Resumed)
    assert events[0].epoch > best_epoch
    assert figures(store, result) == uninterrupted


@pytest.mark.slow
def test_a_training_that_died_after_its_last_epoch_does_not_train_further_than_it_would_have(prepared, whole):
    store, uninterrupted = prepared[0], whole(LSTM_DROPOUT, **HASTY)
    asked = request(prepared, LSTM_DROPOUT, "runs/stopped", **HASTY)
    interrupt(asked, after_epoch=uninterrupted[3], every_epochs=1)
    assert figures(store, train(asked, every_epochs=1)) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize(("damaged", "with_older"), [("manifest.json", True), (".npz", True), (".npz", False)])
def test_a_damaged_checkpoint_is_put_aside_and_said(prepared, whole, damaged, with_older):
    store, events = prepared[0], []
    asked = request(prepared, VARIANTS[0], f"runs/damaged/{damaged}-{with_older}")
    # Before the second removal, which is that of the checkpoint of epoch 2.
    interrupt_at(asked, "delete", 2)
    if not with_older:
        for path in checkpoints(store, asked.folder):
            if "epoch-0002" in path:
                Path(store.locate(path)).unlink()
    (newest,) = (path for path in checkpoints(store, asked.folder) if "epoch-0004" in path and path.endswith(damaged))
    flip_a_bit(store, newest)
    (sentence,) = [found for found in verify_store(store).damaged if asked.folder in found]
    assert sentence.startswith(store.locate(newest))
    result = train(asked, events)
    assert isinstance(events[0], Warned)
    assert events[0].text.startswith(store.locate(newest))
    assert "quarantine/" in events[0].text
    assert any(path.endswith(newest.replace("/", "-")) for path in verify_store(store).quarantined)
    assert epochs_in(events) == [*range(3 if with_older else 1, 8)]
    assert figures(store, result) == whole(VARIANTS[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "number", "resumed"),
    [
        ("write_bytes", 1, None),
        ("write_bytes", 2, None),
        ("delete", 1, 2),
        ("write_bytes", 3, 2),
        ("write_bytes", 4, 2),
        ("delete", 2, 4),
        # After training.json is written, when only the last checkpoint is left to remove.
        ("delete", 4, 6),
    ],
)
def test_a_training_that_dies_while_it_saves_keeps_the_old_or_the_new_checkpoint(
    prepared,
    whole,
    method,
    number,
    resumed,
):
    store, events = prepared[0], []
    asked = request(prepared, VARIANTS[0], f"runs/torn/{method}-{number}")
    interrupt_at(asked, method, number)
    found = verify_store(store)
    assert [sentence for sentence in found.damaged if asked.folder in sentence] == []
    assert set(checkpoints(store, asked.folder)) <= set(found.unfinished)
    assert figures(store, train(asked, events)) == whole(VARIANTS[0])
    assert [event.epoch for event in events if isinstance(event, Resumed)] == ([resumed] if resumed else [])
    assert checkpoints(store, asked.folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("change", ["seed", "learning_rate"])
def test_the_checkpoint_of_another_training_is_not_used(prepared, change):
    store, folder, events = prepared[0], f"runs/another/{change}", []
    interrupt(request(prepared, LSTM_DROPOUT, folder), after_epoch=5)
    asked = request(prepared, LSTM_DROPOUT, folder)
    if change == "seed":
        asked = replace(asked, seed=43)
    else:
        asked = replace(asked, parameters=replace(asked.parameters, learning_rate=2e-3))
    train(asked, events)
    assert epochs_in(events)[0] == 1
    assert checkpoints(store, folder) == []


@pytest.mark.slow
def test_all_that_determines_a_training_is_in_the_key_of_its_checkpoints(prepared):
    from tasks.training.checkpoint_store import make_key

    asked = request(prepared, LSTM_DROPOUT, "runs/1")
    changed = [
        replace(asked, variant=replace(LSTM_DROPOUT, name="lstm")),
        replace(asked, seed=43),
        replace(asked, variant=replace(LSTM_DROPOUT, layers=(layer("LSTM", units=8, dropout=0.2),))),
        replace(asked, parameters=replace(asked.parameters, epochs=8)),
        replace(asked, padded=replace(asked.padded, key="1" * 16)),
    ]
    key = make_key(asked, {"keras": "3"})
    assert key == json.loads(json.dumps(key)) == make_key(replace(asked, folder="runs/2"), {"keras": "3"})
    assert key not in [make_key(one, {"keras": "3"}) for one in changed]
    assert key != make_key(asked, {"keras": "4"})


@pytest.mark.slow
def test_nothing_draws_from_the_global_random_states_after_the_first_epoch(prepared):
    """Otherwise a checkpoint would have to hold these states."""
    import random

    from tasks.training import training

    states = []

    def note(event):
        states.append((random.getstate(), str(np.random.get_state())))

    for variant in (VARIANTS[2], UNKNOWN):
        states.clear()
        training.main(request(prepared, variant, f"runs/random/{variant.name}", epochs=3), note)
        assert len(states) == 3
        assert states[0] == states[1] == states[2]


# A slow store, and one that refuses.


@pytest.mark.slow
def test_checkpoints_that_cost_too_much_are_saved_less_often(prepared, monkeypatch):
    import time

    from tasks.training import checkpoints as module
    from tasks.training import training

    published = []

    def publish(_store, _folder, _key, checkpoint):
        published.append(checkpoint.epoch)
        time.sleep(0.2)

    monkeypatch.setattr(module, "publish_checkpoint", publish)
    training.main(request(prepared, VARIANTS[0], "runs/expensive", epochs=40, patience=40), ignore)
    # 40 epochs take about a second, and a checkpoint of 0.2 s is more than 1% of it.
    assert published == [5]


@pytest.mark.slow
def test_a_store_that_refuses_a_checkpoint_costs_no_training(prepared, monkeypatch):
    from tasks.training import checkpoints as module
    from tasks.training import training

    said = []

    def refuse(*_arguments):
        raise OSError("no space left")

    monkeypatch.setattr(module, "publish_checkpoint", refuse)
    training.main(request(prepared, VARIANTS[0], "runs/refused", epochs=6), said.append)
    warnings = [event for event in said if not isinstance(event, EpochFinished)]
    assert warnings == [Warned("a checkpoint could not be saved: no space left")]


# Trainings that an earlier attempt of the run has finished.


LSTM_42 = PlannedTraining(VARIANTS[0], 42)


@pytest.mark.slow
def test_a_finished_training_is_reused_by_the_same_run_and_shown_as_cached(run_task, children, prepared, monkeypatch):
    for name, value in STUB.items():
        monkeypatch.setenv(name, value)
    store, faster = prepared[0], inputs_for(prepared, replace(PARAMETERS, learning_rate=2e-3))
    first = run_task(train_variant, LSTM_42, inputs_for(prepared), children)
    left = store.write_bytes("runs/retried/lstm-seed42/checkpoints/epoch-0005/state-x.npz", b"left")
    again = run_task(train_variant, LSTM_42, inputs_for(prepared), children)
    assert (first.name, again.name) == ("Completed", "Cached")
    assert again.result() == first.result()
    assert not store.exists(left.path)
    other = run_task(train_variant, LSTM_42, faster, children)
    assert other.name == "Completed"
    flip_a_bit(store, other.result().files["model.keras"].path)
    mended = run_task(train_variant, LSTM_42, faster, children)
    assert mended.name == "Completed"
    store.verify(mended.result().files["model.keras"])


def test_a_damaged_training_json_is_put_aside(store):
    store.write_bytes("runs/1/lstm-seed42/training.json", b"torn")
    result, (sentence,) = find_training(store, "runs/1/lstm-seed42", asked_for(LSTM_42, inputs_for((store, {}))))
    assert result is None
    assert "Moved to quarantine/" in sentence
    assert not store.exists("runs/1/lstm-seed42/training.json")


# The store's part, without a training.


@pytest.fixture(params=["folder", "bucket"])
def any_store(request, tmp_path):
    return Store(str(tmp_path)) if request.param == "folder" else request.getfixturevalue("object_store")


@pytest.mark.slow
def test_an_older_checkpoint_is_removed_when_a_newer_one_is_there(any_store):
    from tasks.training.checkpoint_store import Checkpoint, find_checkpoint, publish_checkpoint, remove_checkpoints

    store, folder, key = any_store, "runs/1/lstm-seed42", {"seed": 42}
    store.write_bytes(f"{folder}/model.keras", b"weights")
    state = Stopping(best=0.1 + 0.2, wait=1, best_epoch=3)
    for epoch in (5, 10):
        arrays = {"variable-0000": np.arange(epoch, dtype=np.float32)}
        publish_checkpoint(store, folder, key, Checkpoint(epoch, state, arrays))
    kept = checkpoints(store, folder)
    assert len(kept) == 2
    assert all("/epoch-0010/" in path for path in kept)
    found, damage = find_checkpoint(store, folder, key)
    assert (found.epoch, found.stopping, damage) == (10, state, [])
    assert found.arrays["variable-0000"].tolist() == list(range(10))
    assert find_checkpoint(store, folder, {"seed": 43}) == (None, [])
    assert set(kept) <= set(verify_store(store).unfinished)
    remove_checkpoints(store, folder, ignore)
    assert store.list_files("runs") == [f"{folder}/model.keras"]


@pytest.mark.slow
def test_a_checkpoint_of_a_newer_version_is_left_alone(store):
    from tasks.training.checkpoint_store import Checkpoint, find_checkpoint, publish_checkpoint

    folder, key = "runs/1/lstm-seed42", {"seed": 42}
    publish_checkpoint(store, folder, key, Checkpoint(5, Stopping(best=0.3, wait=1, best_epoch=3), {}))
    manifest = f"{folder}/checkpoints/epoch-0005/manifest.json"
    store.write_manifest(manifest, store.read_manifest(manifest) | {"format": 2})
    before = store.list_files("")
    assert find_checkpoint(store, folder, key) == (None, [])
    assert store.list_files("") == before


def test_deleting_the_whole_store_is_refused(store):
    with pytest.raises(ValueError, match="inside the store"):
        store.delete("")


def test_deleting_what_is_not_there_is_no_error(any_store):
    any_store.write_bytes("runs/1/model.keras", b"weights")
    any_store.delete("runs/1/checkpoints")
    assert any_store.list_files("") == ["runs/1/model.keras"]
