"""Declare every parameter of the nightly flow once. Imports nothing heavy, so that `retrain --help` is quick.

The command line, the checks, Prefect's form and docs/parameters.md are made from `NightlyParameters`. Tests compare the
flow's signature, the records of the steps and the report with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

from flows.declarations import About, list_parameters
from storage.records import LANGUAGES
from tasks.variants import VARIANTS

DEFAULT_STORE = "output"
PLACEMENTS = ("local", "workers")
LARGEST_SEED = 2**32 - 1
SOURCES = "imdb, sample, a file, an http(s) address, or auto: imdb, or sample if it cannot be reached"
BASELINES = "train the baselines: SimpleRNN, a bag of words, the majority class"

Flow = TypeVar("Flow", bound=Callable[..., Any])


@dataclass(frozen=True)
class NightlyParameters:
    """The parameters of the nightly flow, and their defaults."""

    source: Annotated[str, About("data", SOURCES, at_terminal="auto")] = "imdb"
    sha256: Annotated[
        str | None, About("data", "what the archive must hash to; needed with an address of your own")
    ] = None
    sample_reviews: Annotated[int, About("data", "size of the sample corpus", least=20, most=500_000)] = 50_000
    num_words: Annotated[int, About("data", "size of the vocabulary", least=5, most=65536)] = 500
    maxlen: Annotated[int, About("data", "tokens of each review that are used, its last", least=1)] = 100
    validation_fraction: Annotated[
        float, About("data", "share of the training reviews kept for validation", above=0, below=1)
    ] = 0.2
    split_seed: Annotated[
        int, About("data", "seed of the draw of the validation reviews", least=0, most=LARGEST_SEED)
    ] = 42
    variants: Annotated[tuple[str, ...], About("models", "models to train", metavar="A,B")] = tuple(
        variant.name for variant in VARIANTS
    )
    seeds: Annotated[
        tuple[int, ...],
        About("models", "one training of each variant per seed", least=0, most=LARGEST_SEED, metavar="N,M"),
    ] = (42,)
    embedding_dim: Annotated[int, About("models", "size of a word's vector", least=1)] = 16
    baselines: Annotated[bool, About("models", BASELINES)] = True
    epochs: Annotated[int, About("training", "epochs of each training: at most this many", least=1)] = 100
    batch_size: Annotated[int, About("training", "reviews per step", least=1)] = 64
    patience: Annotated[int, About("training", "epochs without a lower val_loss before a training stops", least=1)] = 3
    learning_rate: Annotated[float, About("training", "learning rate of RMSprop", above=0)] = 1e-4
    jobs: Annotated[
        int | None,
        About(
            "machine",
            "trainings at once on this machine; workers have limits of their own",
            least=1,
            when_absent="as many as CPUs and memory allow",
        ),
    ] = None
    placement: Annotated[str, About("machine", "where trainings run: this machine, or workers", choices=PLACEMENTS)] = (
        "local"
    )
    timeout_seconds: Annotated[
        float, About("machine", "seconds after which one training is ended", above=0, metavar="S")
    ] = 3600
    store: Annotated[
        str | None,
        About(
            "machine",
            "folder or s3://bucket/prefix for everything",
            when_absent=f"RETRAIN_STORE, or {DEFAULT_STORE}",
            metavar="URI",
        ),
    ] = None
    language: Annotated[str, About("report", "language of the report", choices=LANGUAGES, option="lang")] = "en"


DEFAULTS = NightlyParameters()
PARAMETERS = list_parameters(NightlyParameters)


def annotate_parameters(flow: Flow) -> Flow:
    """Put the declared bounds and help into a flow's annotations, where Prefect reads them; return the flow."""
    flow.__annotations__ |= get_type_hints(NightlyParameters, include_extras=True)
    return flow


def choose_store(store: str | None) -> str:
    """Return the store's address: the given one, else `RETRAIN_STORE`, else the folder `output`.

    Blank ones count as none. Spaces and line ends around an address are left out; files of variables often have some.
    """
    given = (address.strip() for address in (store, os.environ.get("RETRAIN_STORE")) if address)
    return next(filter(None, given), DEFAULT_STORE)
