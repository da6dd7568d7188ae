"""Prepare what the trainings read: an archive's reviews, a team's own, or both."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import cast

from prefect import get_run_logger

from flows.capacity import count_cpus
from flows.earlier_reviews import find_earlier_reviews
from flows.parameters import NightlyParameters
from flows.stopwatch import Stopwatch
from reports.page.check_sentences import describe_check, name_check
from reports.page.language import Language
from storage.records import Dataset, StoredFile
from storage.store import Store
from tasks.data.checks.check_reviews import CheckThresholds, read_checks
from tasks.data.encoding.encoder import Encoder, make_web_encoder
from tasks.data.encoding.tokenise import TokenKind
from tasks.data.fetching import SourceUnreachableError
from tasks.data.parts.assignment import PARTS
from tasks.data.reading.readings import OwnSource, ReadingOptions
from tasks.data.reading.source_addresses import is_address, is_archive, settle_source
from tasks.data.shards.shard import Shard
from tasks.data.split import SplitParameters
from tasks.download import download_reviews, download_word_index
from tasks.own_reviews import (
    assign_reviews,
    build_vocabulary,
    check_reviews,
    encode_reviews,
    join_reviews,
    read_reviews,
    store_encoder,
)
from tasks.prepare import make_sample, pad_reviews, profile_pairs, profile_reviews, split_reviews
from tasks.processes.children import Children
from tasks.sources import IMDB, resolve_source


@dataclass
class Prepared:
    """What was prepared.

    Attributes:
        datasets: By step.
        source: Where the reviews come from, for people.
        notice: What a reader of the report has to know before anything else, or None.
        shards: The team's own reviews, one for each file.
        stopped: A sentence for each check that stops the run before it trains.
        gone: Names of own source files that the last run read and that are no longer there.
    """

    source: str
    datasets: dict[str, Dataset] = field(default_factory=dict)
    notice: str | None = None
    shards: tuple[Shard, ...] = ()
    stopped: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def padded(self) -> Dataset:
        """The padded reviews that the trainings read: "train", "validation" and "test"."""
        joined = self.datasets.get("join")
        if joined is None:
            return self.datasets["pad"]
        return replace(joined, files={part: joined.files[part] for part in PARTS})

    @property
    def is_sample(self) -> bool:
        """Whether the run trains on made-up reviews."""
        archive = self.datasets.get("archive")
        return archive is not None and archive.step == "sample"

    @property
    def pairs(self) -> StoredFile | None:
        """The encoded minimal pairs, if the vocabulary has their words."""
        profile = self.datasets.get("profile") or self.datasets.get("pairs")
        return profile.files.get("minimal_pairs") if profile else None


@dataclass(frozen=True)
class Surroundings:
    """What the steps of one run share: its store, its child processes, its stopwatch."""

    store: Store
    children: Children
    stopwatch: Stopwatch


def find_own_source(parameters: NightlyParameters) -> str | None:
    """Return the address of the team's own reviews, a path as an absolute one; None if the run has none."""
    own = parameters.reviews or (None if is_archive(parameters.source) else parameters.source)
    return own and settle_source(own)


def prepare_reviews(parameters: NightlyParameters, store: Store, children: Children, stopwatch: Stopwatch) -> Prepared:
    """Prepare all reviews of a run.

    Args:
        parameters: The flow's parameters.
        store: Where everything is stored.
        children: The run's child processes.
        stopwatch: Times the steps.
    """
    here = Surroundings(store, children, stopwatch)
    own = find_own_source(parameters)
    prepared = Prepared(parameters.source)
    if is_archive(parameters.source):
        _prepare_archive(parameters, prepared, here)
    if own:
        _prepare_own(own, parameters, prepared, here)
    return prepared


def choose_archive_hash(parameters: NightlyParameters) -> str | None:
    """Return what the archive must hash to: `sha256`, unless that belongs to an http(s) address of own reviews."""
    return None if is_address(parameters.reviews or "") else parameters.sha256


def _prepare_archive(parameters: NightlyParameters, prepared: Prepared, here: Surroundings) -> None:
    store, children, stopwatch, datasets = here.store, here.children, here.stopwatch, prepared.datasets
    num_words, maxlen = parameters.num_words, parameters.maxlen
    with stopwatch.time_step("archive"):
        datasets["archive"], prepared.notice = get_archive(
            parameters.source, choose_archive_hash(parameters), parameters.sample_reviews, store, children
        )
    prepared.source = datasets["archive"].source
    with stopwatch.time_step("split"):
        split_parameters = SplitParameters(num_words, parameters.validation_fraction, parameters.split_seed)
        datasets["split"] = split_reviews.submit(datasets["archive"], split_parameters, store, children).result()
    with stopwatch.time_step("pad"):
        datasets["pad"] = pad_reviews.submit(datasets["split"], maxlen, store, children).result()
    with stopwatch.time_step("profile"):
        datasets["profile"] = profile_reviews.submit(
            datasets["archive"], datasets["split"], num_words, maxlen, store, children
        ).result()


def _prepare_own(own: str, parameters: NightlyParameters, prepared: Prepared, here: Surroundings) -> None:
    store, children, stopwatch, datasets = here.store, here.children, here.stopwatch, prepared.datasets
    options = ReadingOptions.take_from(parameters)
    source = OwnSource(own, parameters.sha256 if is_address(own) else None, options)
    threads, earlier = count_cpus(), find_earlier_reviews(store, own)
    seen = earlier.seen if earlier else ()
    with stopwatch.time_step("read"):
        shards = prepared.shards = read_reviews.submit(source, seen, threads, store, children).result()
    with stopwatch.time_step("assign"):
        datasets["assign"] = assign_reviews.submit(
            shards, parameters.label_map, parameters.validation_fraction, store, children
        ).result()
    with stopwatch.time_step("encode"):
        encoder = _choose_encoder(parameters, prepared, here)
        vocabulary = datasets["encoder"].files["vocabulary"]
        encoded = encode_reviews.submit(
            shards, encoder, vocabulary, parameters.maxlen, threads, store, children
        ).result()
    with stopwatch.time_step("check"):
        datasets["check"] = check_reviews.submit(
            shards,
            encoded,
            datasets["assign"],
            earlier.assigned if earlier else None,
            choose_thresholds(parameters),
            parameters.texts,
            store,
            children,
        ).result()
        prepared.stopped = report_checks(datasets["check"], store)
        prepared.gone = tuple(sorted({file.name for file in seen} - {shard.name for shard in shards}))
    if prepared.gone:
        names = ", ".join(prepared.gone)
        get_run_logger().warning("files that the last run read are gone, and their reviews with them: %s", names)
    if prepared.stopped:
        return
    with stopwatch.time_step("join"):
        archive: dict[str, Dataset] = {step: datasets[step] for step in ("archive", "pad") if step in datasets}
        datasets["join"] = join_reviews.submit(
            shards, encoded, datasets["assign"], archive, parameters.maxlen, store, children
        ).result()
    if "profile" not in datasets:
        datasets["pairs"] = profile_pairs.submit(
            vocabulary, prepared.source, parameters.num_words, parameters.maxlen, store, children
        ).result()


def choose_thresholds(parameters: NightlyParameters) -> CheckThresholds:
    """Return when the checks warn and stop. The flow's check has seen that each is a pair."""

    def pair(values: tuple[float, ...]) -> tuple[float, float]:
        return values[0], values[1]

    return CheckThresholds(
        rejected=(parameters.max_rejected, parameters.max_rejected),
        balance=pair(parameters.check_balance),
        duplicates=pair(parameters.check_duplicates),
        fewer=pair(parameters.check_fewer),
        drift=pair(parameters.check_drift),
        unknown_words=pair(parameters.check_unknown_words),
        new_against_old=pair(parameters.check_new_against_old),
    )


def report_checks(dataset: Dataset, store: Store) -> tuple[str, ...]:
    """Log what the checks found, and return a sentence for each that stops the run."""
    language, logger = Language("en"), get_run_logger()
    stops = []
    for result in read_checks(store, dataset):
        sentence = f"{name_check(result, language)}: {describe_check(result, language)}"
        if result.level == "stop":
            stops.append(sentence)
        level = {"stop": logging.ERROR, "warning": logging.WARNING}.get(result.level, logging.DEBUG)
        logger.log(level, "check: %s", sentence)
    return tuple(stops)


def _choose_encoder(parameters: NightlyParameters, prepared: Prepared, here: Surroundings) -> Encoder:
    """Return the encoder of the own texts, and note its dataset."""
    datasets = prepared.datasets
    choice = parameters.vocabulary or ("imdb" if "archive" in datasets else "build")
    if choice == "imdb":
        dataset = datasets.get("archive") or download_word_index.submit(IMDB, here.store).result()
        file = dataset.files.get("word_index")
        if file is None:
            raise ValueError(
                f"{prepared.source} must have its word index beside it, to encode other reviews. Give --vocabulary "
                "build with your own reviews alone, or put imdb_word_index.json beside the archive."
            )
    else:
        anew = choice == "rebuild"
        file = (
            build_vocabulary.submit(
                prepared.shards, datasets["assign"], parameters.tokens, count_cpus(), here.store, here.children, anew
            )
            .result()
            .files["vocabulary"]
        )
    tokens = cast(TokenKind, parameters.tokens)
    encoder = make_web_encoder(file.sha256, tokens, parameters.num_words, is_built=choice != "imdb")
    datasets["encoder"] = store_encoder.submit(encoder, file, prepared.source, here.store).result()
    return encoder


def get_archive(
    source: str, sha256: str | None, sample_reviews: int, store: Store, children: Children
) -> tuple[Dataset, str | None]:
    """Download the archive of reviews, or make the sample corpus.

    Args:
        source: "sample" makes the sample corpus, and so does "auto" if IMDB cannot be reached.
        sha256: What the archive must hash to, if that is not known.
        sample_reviews: Size of the sample corpus.
        store: Where the archive is stored.
        children: The run's child processes.

    Returns:
        The archive; and what a reader of the report has to know if its reviews are made up, else None.

    Raises:
        SourceUnreachableError: The archive could not be downloaded, and `source` is not "auto".
    """
    if source == "sample":
        notice = "Made-up reviews: this run trained on the sample corpus."
    else:
        try:
            resolved = resolve_source("imdb" if source == "auto" else source, sha256)
            return download_reviews.submit(resolved, store).result(), None
        except SourceUnreachableError as error:
            if source != "auto":
                raise
            notice = f"Made-up reviews: this run trained on the sample corpus, because {error}"
            get_run_logger().warning(notice)
    return make_sample.submit(sample_reviews, store, children).result(), notice
