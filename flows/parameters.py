"""Declare every parameter of the nightly flow once. Imports nothing heavy, so that `retrain --help` is quick.

The command line, the checks, Prefect's form and docs/parameters.md are made from `NightlyParameters`. Tests compare the
flow's signature, the records of the steps and the report with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

from flows.declarations import About, list_parameters
from storage.records import LANGUAGES
from storage.store_address import DEFAULT_STORE
from tasks.data.reading.readings import DELIMITERS, QUOTINGS
from tasks.variants import VARIANTS

PLACEMENTS = ("local", "workers")
LARGEST_SEED = 2**32 - 1
SOURCES = (
    "imdb, sample, an archive like IMDB's, reviews of your own as for `reviews`, or auto: imdb, or sample if it cannot "
    "be reached"
)
REVIEWS = "reviews of your own beside the source's: a file, a folder, an http(s) address, or an object-store URI"
GATE = (
    "when a model may replace the champion, and what is done then: mode=off, report_only, propose or automatic; "
    "policy=better or refresh; and limits (docs/champion.md)"
)
BASELINES = "train the baselines: SimpleRNN, a bag of words, the majority class"

Flow = TypeVar("Flow", bound=Callable[..., Any])


@dataclass(frozen=True)
class NightlyParameters:
    """The parameters of the nightly flow, and their defaults."""

    source: Annotated[str, About("data", SOURCES, at_terminal="auto")] = "imdb"
    sha256: Annotated[
        str | None, About("data", "what the file must hash to; needed with an http(s) address of your own")
    ] = None
    reviews: Annotated[str | None, About("own reviews", REVIEWS, metavar="PATH")] = None
    encoding: Annotated[
        str | None,
        About("own reviews", "text encoding of the files, such as cp949", when_absent="UTF-8, or by the BOM"),
    ] = None
    text_column: Annotated[
        str | None, About("own reviews", "column of the texts", when_absent="found by its name", metavar="NAME")
    ] = None
    label_column: Annotated[
        str | None, About("own reviews", "column of the labels", when_absent="found by its name", metavar="NAME")
    ] = None
    delimiter: Annotated[
        str | None,
        About(
            "own reviews",
            "what separates the columns of CSV and its relatives",
            choices=tuple(DELIMITERS),
            when_absent="found by looking",
        ),
    ] = None
    quoting: Annotated[
        str | None,
        About(
            "own reviews",
            "whether quotes enclose the fields of CSV and its relatives, or are characters of the text",
            choices=QUOTINGS,
            when_absent="found by looking",
        ),
    ] = None
    label_map: Annotated[
        str | None,
        About(
            "own reviews",
            'which labels are negative and positive, such as "1-4=neg,7-10=pos"',
            when_absent="0/1, neg/pos and the like are understood",
            metavar="MAP",
        ),
    ] = None
    max_rejected: Annotated[
        float, About("own reviews", "share of rejected records above which the run stops", least=0, most=1)
    ] = 0.01
    vocabulary: Annotated[
        str | None,
        About(
            "own reviews",
            "whose words are the vocabulary: IMDB's, or your own, which is kept until rebuild",
            choices=("imdb", "build", "rebuild"),
            when_absent="imdb with IMDB, else build",
        ),
    ] = None
    tokens: Annotated[
        str,
        About(
            "own reviews",
            "what texts are taken apart into; characters or morphemes for Korean",
            choices=("words", "characters", "morphemes"),
        ),
    ] = "words"
    texts: Annotated[bool, About("own reviews", "keep the texts for report, log and artifacts")] = True
    check_balance: Annotated[
        tuple[float, ...],
        About("checks", "share of the rarer label: warn below, stop below", least=0, most=1, metavar="W,S"),
    ] = (0.2, 0.02)
    check_duplicates: Annotated[
        tuple[float, ...],
        About("checks", "share of reviews that repeat another: warn above, stop above", least=0, most=1, metavar="W,S"),
    ] = (0.1, 0.5)
    check_fewer: Annotated[
        tuple[float, ...],
        About(
            "checks",
            "share of the last run's number of reviews that is missing: warn above, stop above",
            least=0,
            most=1,
            metavar="W,S",
        ),
    ] = (0.1, 0.5)
    check_drift: Annotated[
        tuple[float, ...],
        About(
            "checks", "PSI of lengths and of labels, new against old: warn above, stop above", least=0, metavar="W,S"
        ),
    ] = (0.1, 0.25)
    check_unknown_words: Annotated[
        tuple[float, ...],
        About(
            "checks",
            "rise of the share of unknown words, new against old: warn above, stop above",
            least=0,
            most=1,
            metavar="W,S",
        ),
    ] = (0.05, 0.2)
    check_new_against_old: Annotated[
        tuple[float, ...],
        About(
            "checks",
            "AUC of a classifier that tells new from old reviews: warn above, stop above",
            least=0,
            most=1,
            metavar="W,S",
        ),
    ] = (0.65, 0.8)
    gate: Annotated[str, About("champion", GATE, metavar="NAME=VALUE,...")] = "mode=report_only"
    champion: Annotated[str, About("champion", "name of the log of champions", metavar="NAME")] = "main"
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
