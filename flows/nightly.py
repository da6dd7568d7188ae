"""The nightly flow: get the reviews, split, pad, train every variant side by side, report."""

from __future__ import annotations

from dataclasses import replace

import prefect.runtime.flow_run
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.capacity import count_jobs
from flows.checks import check_parameters
from flows.local_trainings import train_locally
from flows.outcome import leave_outcome
from flows.parameters import DEFAULTS, NightlyParameters, annotate_parameters, choose_store
from flows.run_record import Stopwatch, name_run, record_run
from flows.workers.hand_out import train_on_workers
from storage.records import Dataset, Run
from storage.runs import run_folder
from storage.store import Store
from tasks.data.fetching import SourceUnreachableError
from tasks.data.split import SplitParameters
from tasks.download import download_reviews
from tasks.prepare import make_sample, pad_reviews, profile_reviews, split_reviews
from tasks.processes.children import Children, children_of_run
from tasks.report import PublishedReport, write_report
from tasks.sources import resolve_source
from tasks.train import PlannedTraining, TrainingInputs
from tasks.training.training_request import TRAINING, TrainingParameters
from tasks.variants import BASELINES, VARIANTS


@flow(name="nightly-retraining", flow_run_name="{source}", persist_result=False, task_runner=ThreadPoolTaskRunner())  # type: ignore[arg-type]  # Prefect infers Never
@annotate_parameters
def nightly_retraining(
    source: str = DEFAULTS.source,
    sha256: str | None = DEFAULTS.sha256,
    reviews: str | None = DEFAULTS.reviews,  # noqa: ARG001
    encoding: str | None = DEFAULTS.encoding,  # noqa: ARG001
    text_column: str | None = DEFAULTS.text_column,  # noqa: ARG001
    label_column: str | None = DEFAULTS.label_column,  # noqa: ARG001
    label_map: str | None = DEFAULTS.label_map,  # noqa: ARG001
    max_rejected: float = DEFAULTS.max_rejected,  # noqa: ARG001
    vocabulary: str | None = DEFAULTS.vocabulary,  # noqa: ARG001
    tokens: str = DEFAULTS.tokens,  # noqa: ARG001
    texts: bool = DEFAULTS.texts,  # noqa: ARG001
    check_balance: tuple[float, ...] = DEFAULTS.check_balance,  # noqa: ARG001
    check_duplicates: tuple[float, ...] = DEFAULTS.check_duplicates,  # noqa: ARG001
    check_fewer: tuple[float, ...] = DEFAULTS.check_fewer,  # noqa: ARG001
    check_drift: tuple[float, ...] = DEFAULTS.check_drift,  # noqa: ARG001
    check_unknown_words: tuple[float, ...] = DEFAULTS.check_unknown_words,  # noqa: ARG001
    check_new_against_old: tuple[float, ...] = DEFAULTS.check_new_against_old,  # noqa: ARG001
    sample_reviews: int = DEFAULTS.sample_reviews,
    num_words: int = DEFAULTS.num_words,
    maxlen: int = DEFAULTS.maxlen,
    validation_fraction: float = DEFAULTS.validation_fraction,
    split_seed: int = DEFAULTS.split_seed,
    variants: tuple[str, ...] = DEFAULTS.variants,
    seeds: tuple[int, ...] = DEFAULTS.seeds,
    embedding_dim: int = DEFAULTS.embedding_dim,
    baselines: bool = DEFAULTS.baselines,
    epochs: int = DEFAULTS.epochs,
    batch_size: int = DEFAULTS.batch_size,
    patience: int = DEFAULTS.patience,
    learning_rate: float = DEFAULTS.learning_rate,
    jobs: int | None = DEFAULTS.jobs,
    placement: str = DEFAULTS.placement,
    timeout_seconds: float = DEFAULTS.timeout_seconds,
    store: str | None = DEFAULTS.store,
    language: str = DEFAULTS.language,  # noqa: ARG001 - the body takes it from the runtime's parameters
) -> State[Run]:
    """Retrain the variants and write one report.

    Its parameters are declared in flows/parameters.py, each with its default, its bounds and what it is.

    Returns:
        The run's record, in a Completed state with the verdict, or in a Failed one if a training failed.

    Raises:
        ValueError: A parameter is not allowed, or a stored file is damaged and cannot be made again.
        OSError: The source or the store cannot be reached.
        ChildFailedError: The process of a step other than a training failed.
    """
    parameters = NightlyParameters(**prefect.runtime.flow_run.parameters)
    check_parameters(parameters)
    stopwatch, run_id, opened = Stopwatch(), name_run(), Store(choose_store(store))
    planned = plan_trainings(variants, seeds, baselines=baselines)
    # Counted before the children start, because they take memory.
    at_once = min(jobs or count_jobs(), len(planned))
    with children_of_run() as children:
        if placement == "local":
            children.start_ahead(TRAINING, at_once)
        with stopwatch.time_step("archive"):
            archive, notice = get_archive(source, sha256, sample_reviews, opened, children)
        with stopwatch.time_step("split"):
            split_parameters = SplitParameters(num_words, validation_fraction, split_seed)
            split = split_reviews.submit(archive, split_parameters, opened, children).result()
        with stopwatch.time_step("pad"):
            padded = pad_reviews.submit(split, maxlen, opened, children).result()
        with stopwatch.time_step("profile"):
            profile = profile_reviews.submit(archive, split, num_words, maxlen, opened, children).result()
        with stopwatch.time_step("train"):
            hyperparameters = TrainingParameters(
                num_words, maxlen, embedding_dim, epochs, batch_size, patience, learning_rate
            )
            pairs = profile.files.get("minimal_pairs")
            inputs = TrainingInputs(padded, pairs, hyperparameters, opened, run_folder(run_id), timeout_seconds)
            if placement == "local":
                results = list(train_locally(planned, inputs, at_once, children))
            else:
                results = list(train_on_workers(planned, inputs, children))
        used = replace(parameters, jobs=at_once if placement == "local" else None, store=opened.absolute_uri)
        datasets = {"archive": archive, "split": split, "pad": padded, "profile": profile}
        run = record_run(run_id, used, datasets, notice, planned, results, stopwatch)
        published = write_report(run, opened, children)
        leave_outcome(published.run)
    return choose_state(published)


def plan_trainings(variants: tuple[str, ...], seeds: tuple[int, ...], *, baselines: bool) -> list[PlannedTraining]:
    """Return the run's trainings in the declared order of the variants, then the baselines with the first seed only."""
    planned = [PlannedTraining(variant, seed) for variant in VARIANTS if variant.name in variants for seed in seeds]
    return planned + [PlannedTraining(variant, seeds[0]) for variant in BASELINES if baselines]


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


def choose_state(published: PublishedReport) -> State[Run]:
    """Return the flow's final state: Failed if a training failed, else Completed; its message names the report."""
    run, address = published.run, published.address
    if run.failures:
        names = ", ".join(failure.name for failure in run.failures)
        return Failed(message=f"{names} failed; the report says so: {address}", data=run)
    return Completed(message=f"{published.verdict} Report: {address}", data=run)
