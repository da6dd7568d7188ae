"""A store with made-up models that answer without Keras."""

from __future__ import annotations

import pytest

from storage.store import Store
from tests.champions import AnsweringProcess, prepare_datasets


@pytest.fixture(scope="package")
def prepared_store(tmp_path_factory: pytest.TempPathFactory):
    """A store with the datasets of a run, and the datasets by step."""
    store = Store(str(tmp_path_factory.mktemp("champions")))
    return store, prepare_datasets(store)


@pytest.fixture
def datasets(prepared_store, store):
    """Copy the datasets into the test's own store."""
    import shutil

    shutil.copytree(prepared_store[0].uri, store.uri)
    return prepared_store[1]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the clean process by one that looks answers up."""
    monkeypatch.setattr("tasks.champion.scoring.CleanPrediction", AnsweringProcess)
    monkeypatch.setattr("tasks.champion.scoring.predict_cleanly", lambda jobs: AnsweringProcess(jobs).finish())
