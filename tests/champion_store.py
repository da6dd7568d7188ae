"""Fixtures: a store whose champion is a real network with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from storage.champion_log import ChampionLog
from storage.schemas import padded_schema
from storage.store import Store
from tasks.champion.promotion import promote
from tasks.data.pad import tokens_of
from tests.champions import MAXLEN, because, prepare_datasets, publish_champion_run, publish_model
from tests.networks import NETWORKS, RUN_ID, build, save


@pytest.fixture(scope="session")
def gru():
    """A GRU of 8 units for texts of 40 tokens."""
    return build(NETWORKS["gru"], maxlen=MAXLEN)


@pytest.fixture(scope="session")
def champion_store(tmp_path_factory, gru):
    """A store with a champion, which is that GRU, and its run with the GRU's real predictions."""
    store = Store(str(tmp_path_factory.mktemp("champion")))
    datasets = prepare_datasets(store)
    table = store.read_table(datasets["pad"].files["test"], padded_schema(MAXLEN))
    said = gru.predict(tokens_of(table).astype(np.int32), verbose=0)[:, 0]
    model = publish_model(store, RUN_ID, datasets, "lstm", 42, said, "a", val_loss=0.43)
    file = store.write_bytes(model.files["model.keras"].path, save(gru))
    model = replace(model, files={**model.files, "model.keras": file})
    publish_champion_run(store, datasets, RUN_ID, model)
    promote(ChampionLog(store), RUN_ID, "lstm-seed42", because(), is_checked=True)
    return store
