"""Check the flow's parameters at its door, with one line for each that is wrong. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from storage.records import LANGUAGES
from storage.store import Store
from tasks.sources import resolve_source
from tasks.variants import VARIANTS

DEFAULT_STORE = "output"
PLACEMENTS = ("local", "workers")


def choose_store(store: str | None) -> str:
    """Return the store's address: the one given, else `RETRAIN_STORE`, else the folder `output`."""
    return store or os.environ.get("RETRAIN_STORE") or DEFAULT_STORE


def check_parameters(parameters: dict[str, Any]) -> None:
    """Check all parameters of the nightly flow before anything is started or written.

    Raises:
        ValueError: One of them is not what it must be.
        FileNotFoundError: `source` names a file that is not there.
    """
    _check_variants(parameters["variants"])
    seeds = parameters["seeds"]
    _require(len(seeds) > 0 and len(set(seeds)) == len(seeds), "seeds", "one or more different integers", seeds)
    _require(all(0 <= seed < 2**32 for seed in seeds), "seeds", "integers from 0 to 4294967295", seeds)
    whole = {"epochs": 1, "batch_size": 1, "patience": 1, "maxlen": 1, "embedding_dim": 1}
    for name, least in whole.items():
        _require(parameters[name] >= least, name, f"an integer of at least {least}", parameters[name])
    split_seed = parameters["split_seed"]
    _require(0 <= split_seed < 2**32, "split_seed", "an integer from 0 to 4294967295", split_seed)
    for name in ("learning_rate", "timeout_seconds"):
        _require(0 < parameters[name] < float("inf"), name, "a positive number", parameters[name])
    _require(5 <= parameters["num_words"] <= 65536, "num_words", "from 5 to 65536", parameters["num_words"])
    fraction = parameters["validation_fraction"]
    _require(0 < fraction < 1, "validation_fraction", "between 0 and 1", fraction)
    _require(parameters["sample_reviews"] >= 20, "sample_reviews", "at least 20", parameters["sample_reviews"])
    jobs = parameters["jobs"]
    _require(jobs is None or jobs >= 1, "jobs", "an integer of at least 1", jobs)
    language = parameters["language"]
    _require(language in LANGUAGES, "language", f"one of {', '.join(LANGUAGES)}", language)
    if parameters["source"] == "sample":
        _require(parameters["sha256"] is None, "sha256", "left out with source=sample", parameters["sha256"])
    else:
        resolve_source("imdb" if parameters["source"] == "auto" else parameters["source"], parameters["sha256"])
    _check_placement(parameters["placement"])
    Store(choose_store(parameters["store"])).check_writable()


def _check_variants(names: Iterable[str]) -> None:
    known = [variant.name for variant in VARIANTS]
    names = list(names)
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        must = f"different names out of {', '.join(known)}"
        _require(False, "variants", must, ",".join(unknown or names))


def _check_placement(placement: str) -> None:
    _require(placement in PLACEMENTS, "placement", f"one of {', '.join(PLACEMENTS)}", placement)
    if placement == "workers":
        # It costs a second, and only workers need a server that they can reach.
        from prefect.settings import PREFECT_API_URL

        must = "local where PREFECT_API_URL is not set, for no worker could reach a temporary server"
        _require(bool(PREFECT_API_URL.value()), "placement", must, placement)


def _require(condition: bool, name: str, must: str, received: Any) -> None:
    if not condition:
        raise ValueError(f"`{name}` must be {must}. Received: {name}={received}.")
