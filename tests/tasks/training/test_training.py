"""Trainings in their child processes, on a small corpus."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest

from storage.runs import read_training_record
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, padded_schema
from storage.store import Store
from tasks.processes.children import ChildFailedError, Children
from tasks.training.training_request import TRAINING
from tasks.variants import VARIANTS, Variant, layer
from tests.forked_trainings import run_forked
from tests.places import PROJECT_ROOT
from tests.processes import training_children
from tests.stubs import STUB
from tests.trainings import ignore, request_for
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(prepared):
    """The results of each variant, the first trained as in a run, and the events of each training."""
    events = {variant.name: [] for variant in VARIANTS}
    first, *others = VARIANTS
    children = Children()
    request = request_for(prepared, first, f"runs/{first.name}")
    results = {first.name: children.ask(TRAINING, request, 120, events[first.name].append)}
    children.close()
    for variant in others:
        request = request_for(prepared, variant, f"runs/{variant.name}")
        results[variant.name] = run_forked(request, events[variant.name])
    return results, events


VARIANT_NAMES = [variant.name for variant in VARIANTS]


@pytest.mark.parametrize("name", VARIANT_NAMES)
def test_a_training_sends_every_epoch_and_publishes_its_history(prepared, trained, name):
    results, events = trained
    history = prepared[0].read_table(results[name].files["history.parquet"], HISTORY_SCHEMA)
    assert [event.epoch for event in events[name]] == [1, 2] == history["epoch"].to_pylist()
    assert [event.val_loss for event in events[name]] == history["val_loss"].to_pylist()


@pytest.mark.parametrize("name", VARIANT_NAMES)
def test_predictions_cover_every_validation_and_test_review_once(prepared, trained, name):
    store, padded = prepared
    for part, count in (("validation", 40), ("test", 200)):
        predictions = store.read_table(trained[0][name].files[f"predictions-{part}.parquet"], PREDICTION_SCHEMA)
        reviews = store.read_table(padded[part], padded_schema(40))
        assert predictions["review_id"].equals(reviews["review_id"])
        assert predictions["label"].equals(reviews["label"])
        assert len(set(predictions["review_id"].to_pylist())) == count


@pytest.mark.parametrize("name", VARIANT_NAMES)
def test_the_saved_model_is_that_of_the_best_epoch(prepared, trained, name):
    result = trained[0][name]
    history = prepared[0].read_table(result.files["history.parquet"], HISTORY_SCHEMA)
    assert result.best_epoch == 1 + int(np.argmin(history["val_loss"].to_numpy()))
    assert result.validation.loss == pytest.approx(min(history["val_loss"].to_pylist()), abs=1e-5)
    assert result.validation.accuracy == pytest.approx(history["val_accuracy"][result.best_epoch - 1].as_py(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "count"), [("lstm", 8809), ("lstm_dropout", 8809), ("lstm_stacked", 9353), ("gru", 8633)]
)
def test_the_parameter_count_is_the_recipes(trained, name, count):
    assert trained[0][name].parameter_count == count


@pytest.mark.parametrize("name", VARIANT_NAMES)
def test_training_json_holds_the_whole_record(prepared, trained, name):
    assert read_training_record(prepared[0].read_manifest(f"runs/{name}/training.json")) == trained[0][name]
    assert set(trained[0][name].versions) == {"python", "tensorflow", "keras", "numpy"}


LOAD_IN_PLAIN_KERAS = """
import json, sys, warnings
import keras, numpy
warnings.simplefilter("error")
keras.config.disable_interactive_logging()
answer = {}
for name, path in json.load(sys.stdin)["models"].items():
    model = keras.models.load_model(path, safe_mode=True)
    tokens = numpy.arange(80).reshape(2, 40) % 500
    layers = [layer.__class__.__name__ for layer in model.layers]
    loss, accuracy = model.evaluate(tokens, numpy.array([0, 1]))
    answer[name] = [type(model).__name__, layers, model.predict(tokens).shape, loss > 0 and accuracy >= 0]
print(json.dumps(answer))
assert "tasks" not in sys.modules and "storage" not in sys.modules
"""


def test_the_saved_models_load_in_plain_keras_in_safe_mode_without_a_warning(prepared, trained, tmp_path):
    models = {name: prepared[0].locate(result.files["model.keras"].path) for name, result in trained[0].items()}
    answer = subprocess.run(
        [sys.executable, "-c", LOAD_IN_PLAIN_KERAS],
        input=json.dumps({"models": models}),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(answer.stdout) == {
        "lstm": ["Sequential", ["Embedding", "LSTM", "Dense"], [2, 1], True],
        "lstm_dropout": ["Sequential", ["Embedding", "LSTM", "Dense"], [2, 1], True],
        "lstm_stacked": ["Sequential", ["Embedding", "LSTM", "LSTM", "Dense"], [2, 1], True],
        "gru": ["Sequential", ["Embedding", "GRU", "Dense"], [2, 1], True],
    }


def test_the_same_seed_gives_the_same_weights_bit_for_bit_and_another_seed_others(prepared, trained):
    again = run_forked(request_for(prepared, VARIANTS[1], "runs/again"))
    other = run_forked(request_for(prepared, VARIANTS[1], "runs/other", seed=43))
    assert again.weights_sha256 == trained[0]["lstm_dropout"].weights_sha256
    assert again.weights_sha256 != other.weights_sha256


def test_a_fifth_variant_needs_nothing_but_its_layers(prepared):
    average = Variant("average", (layer("GlobalAveragePooling1D"), layer("Dense", units=4, activation="relu")))
    result = run_forked(request_for(prepared, average, "runs/average", epochs=1))
    assert result.parameter_count == 500 * 16 + (16 * 4 + 4) + (4 + 1)


def test_a_layer_that_keras_refuses_fails_its_training_with_keras_own_words(prepared):
    from tasks.training import training

    with pytest.raises(ValueError, match="units"):
        training.main(request_for(prepared, Variant("broken", (layer("LSTM", units=-1),)), "runs/broken"), ignore)
    assert not prepared[0].exists("runs/broken/training.json")


def test_a_learning_rate_that_blows_up_is_said_and_publishes_nothing(prepared):
    from tasks.training import training

    with pytest.raises(FloatingPointError, match="epoch 1 is not a finite number"):
        training.main(request_for(prepared, VARIANTS[0], "runs/nan", learning_rate=1e38), ignore)
    assert not prepared[0].exists("runs/nan/training.json")


def test_a_training_refuses_a_parquet_file_that_was_edited_by_hand(prepared):
    from tasks.training import training

    store, padded = prepared
    original = store.read_bytes(padded["test"].path)
    try:
        store.write_bytes(padded["test"].path, original[:-9] + bytes([original[-9] ^ 1]) + original[-8:])
        with pytest.raises(ValueError, match="must have SHA-256"):
            training.main(request_for(prepared, VARIANTS[0], "runs/damaged"), ignore)
    finally:
        store.write_bytes(padded["test"].path, original)


def test_a_training_that_takes_too_long_is_ended_and_leaves_no_process(prepared, children):
    # A stub, whose training would take hours.
    request = request_for(prepared, VARIANTS[0], "runs/slow", epochs=10**6)
    stub = replace(TRAINING, environment=TRAINING.environment | STUB)
    children.start_ahead(stub, 1)
    # For a moment after its start a process has no command to be found by.
    (child,) = wait_until(training_children, 10, "the start of the child", every=0.02)
    with pytest.raises(ChildFailedError, match="ended after its timeout of 2 s"):
        children.ask(stub, request, 2)
    assert not psutil.pid_exists(child.pid)
    assert training_children() == []


def test_a_training_reads_each_file_of_its_data_once(prepared, monkeypatch):
    import keras

    from tasks.training import training

    read = []
    read_bytes = Store.read_bytes
    monkeypatch.setattr(Store, "read_bytes", lambda self, path: read.append(path) or read_bytes(self, path))
    training.main(request_for(prepared, VARIANTS[0], "runs/counted"), ignore)
    assert sorted(read) == sorted(file.path for file in prepared[1].values())
    assert keras.backend.backend() == "tensorflow"


COUNT_COMPILATIONS = """
import importlib, json, sys
import numba
modules = [importlib.import_module(f"tasks.kernels.{name}") for name in sys.argv[1:]]
dispatchers = {id(one): one for module in modules for one in vars(module).values() if hasattr(one, "stats")}.values()
hits, misses = (sum(sum(getattr(one.stats, name).values()) for one in dispatchers) for name in
                ("cache_hits", "cache_misses"))
importlib.import_module("tasks.kernels.vectors").COMPILED_CODE.seal()
print(json.dumps([numba.config.CACHE_DIR, hits, misses]))
"""


def count_compilations(folder, *modules):
    """Import modules of the kernels in a new process; return the folder, the hits and the misses of their cache."""
    command = [sys.executable, "-c", COUNT_COMPILATIONS, *modules]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)


def test_the_kernels_are_compiled_once_for_a_machine_and_not_for_each_training():
    # Importing the modules compiles every function that is not in the cache.
    from tasks.kernels import embedding, network, recurrence

    assert network.COMPILED_CODE.folder.is_dir()
    assert recurrence.lstm_forward.signatures
    assert embedding.look_up.signatures
    _, hits, misses = count_compilations(PROJECT_ROOT, "recurrence", "embedding", "vectors")
    assert hits >= 7
    assert misses == 0


def test_a_change_in_any_file_of_the_kernels_gives_their_compiled_code_another_folder(tmp_path):
    kernels = tmp_path / "tasks" / "kernels"
    shutil.copytree(PROJECT_ROOT / "tasks" / "kernels", kernels, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tasks" / "__init__.py").touch()
    counted = [count_compilations(tmp_path, "vectors") for _ in range(2)]
    with (kernels / "tiles.py").open("a") as file:
        file.write("# changed\n")
    counted.append(count_compilations(tmp_path, "vectors"))
    folders, hits, misses = zip(*counted, strict=True)
    assert folders[0] == folders[1] != folders[2]
    assert all(folder.startswith(f"{kernels}/__pycache__/kernels-") for folder in folders)
    assert (hits, misses) == ((0, 1, 0), (1, 0, 1))


def test_a_prediction_that_the_stock_network_would_not_make_is_refused(prepared):
    import keras
    import pyarrow as pa

    from tasks.training.training import build_network, check_predictions

    store, files = prepared
    table = store.read_table(files["test"], padded_schema(40))
    network = build_network(VARIANTS[0].layers, 500, 16, 40)
    keras.utils.set_random_seed(1)
    tokens = table["tokens"].combine_chunks().values.to_numpy().reshape(-1, 40).astype(np.int32)
    stock = network(tokens).numpy()[:, 0]
    check_predictions(network, table, pa.table({"probability": stock}))
    for wrong in (stock + 0.001, np.full_like(stock, np.nan)):
        with pytest.raises(RuntimeError, match="the fast and the stock network must give the same probabilities"):
            check_predictions(network, table, pa.table({"probability": wrong}))
