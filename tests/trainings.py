"""Reviews to train on, and requests for training children."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from storage.store import Store
from tasks.data import pad as pad_child
from tasks.data import sample as sample_child
from tasks.data import split as split_child
from tasks.train import TrainingParameters
from tasks.variants import Variant

PARAMETERS = TrainingParameters(
    num_words=500, maxlen=40, embedding_dim=16, epochs=2, batch_size=64, patience=3, learning_rate=1e-3
)


def prepare_reviews(root: str) -> tuple[Store, dict[str, Any]]:
    """Make a store that holds 400 padded sample reviews; return it and its files by part."""
    archive = sample_child.main({"reviews": 400, "store": root, "folder": "sample"})["archive"]
    split: dict[str, dict[str, Any]] = {}
    for part in ("train", "test"):
        parameters = {"num_words": 500, "validation_fraction": 0.2, "split_seed": 42}
        request = {"part": part, "archive": archive, "source": "sample", "store": root, "folder": "split"}
        split |= split_child.main({**request, "parameters": parameters})
    padded = pad_child.main({"files": split, "maxlen": 40, "store": root, "folder": "pad"})
    return Store(root), padded


def request_for(
    prepared: tuple[Store, dict[str, Any]], variant: Variant, folder: str, seed: int = 42, **changes: Any
) -> dict[str, Any]:
    """Return the request for a training child; `changes` are of the parameters."""
    store, files = prepared
    return {
        "variant": variant.name,
        "description": " ".join(str(one) for one in variant.layers),
        "layers": [asdict(one) for one in variant.layers],
        "seed": seed,
        "parameters": {**PARAMETERS._asdict(), **changes},
        "dataset": {"key": "0" * 16, "files": files},
        "store": store.uri,
        "folder": folder,
        "requested": time.time(),
    }
