"""The nightly flow: get the reviews, split, pad, train every variant side by side, report."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import prefect.runtime.flow_run
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.capacity import count_jobs
from flows.checks import check_parameters
from flows.parameters import DEFAULTS, annotate_parameters, choose_store
from flows.provenance import describe_cpu, read_code_version
from flows.workers.hand_out import train_on_workers
from storage.records import Dataset, FailedTraining, Run, TrainingResult
from storage.runs import run_folder
from storage.store import Store
from tasks.data.fetching import SourceUnreachableError
from tasks.data.split import SplitParameters
from tasks.download import download_reviews
from tasks.evaluation.report_request import REPORT
from tasks.prepare import make_sample, pad_reviews, profile_reviews, split_reviews
from tasks.processes.children import Children, children_of_run
from tasks.progress import TrainingFailed, TrainingsPlanned, log_progress
from tasks.report import write_report
from tasks.sources import resolve_source
from tasks.train import PlannedTraining, TrainingInputs, train_variant
from tasks.training.training_request import TRAINING, TrainingParameters
from tasks.variants import BASELINES, VARIANTS

LIBRARIES = ("keras", "prefect", "pyarrow", "numpy", "numba", "scipy", "scikit-learn", "statsmodels", "matplotlib")


@flow(name="nightly-retraining", flow_run_name="{source}", persist_result=False, task_runner=ThreadPoolTaskRunner())  # type: ignore[arg-type]  # Prefect infers Never
@annotate_parameters
def nightly_retraining(
    source: str = DEFAULTS.source,
    sha256: str | None = DEFAULTS.sha256,
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
    language: str = DEFAULTS.language,
) -> State[Run]:
    """Retrain the variants and write one report.

    Its parameters are declared in flows/parameters.py, each with its default, its bounds and what it is.

    Returns:
        The run's record, in a Completed state with the verdict, or in a Failed one when a training failed.
    """
    parameters = dict(prefect.runtime.flow_run.parameters)
    check_parameters(parameters)
    opened, began = Store(choose_store(store)), time.time()
    run_id = name_run()
    planned = plan_trainings(variants, seeds, baselines=baselines)
    # Counted before the children are there, whose memory would count against them.
    at_once = min(jobs or count_jobs(), len(planned))
    durations: dict[str, float] = {}
    with children_of_run() as children:
        if placement == "local":
            children.start_ahead(TRAINING, at_once)
        with timed(durations, "archive"):
            archive, notice = get_archive(source, sha256, sample_reviews, opened, children)
        split_parameters = SplitParameters(num_words, validation_fraction, split_seed)
        datasets = {"archive": archive}
        datasets |= prepare_datasets(archive, split_parameters, maxlen, opened, children, durations)
        inputs = TrainingInputs(
            datasets["pad"],
            datasets["profile"].files.get("minimal_pairs"),
            TrainingParameters(num_words, maxlen, embedding_dim, epochs, batch_size, patience, learning_rate),
            opened,
            run_folder(run_id),
            timeout_seconds,
        )
        with timed(durations, "train"):
            if placement == "local":
                results = list(train_here(planned, inputs, at_once, children))
            else:
                results = list(train_on_workers(planned, inputs, children))
        # Lists, as they come back from run.json, so that the report reads the same from there.
        recorded = {**parameters, "variants": list(variants), "seeds": list(seeds), "language": language}
        recorded |= {"jobs": at_once if placement == "local" else None, "store": opened.absolute_uri}
        run = record_run(run_id, began, recorded, datasets, notice, planned, results, durations)
        published = write_report(run, opened, children)
    if run.failures:
        names = ", ".join(failure.name for failure in run.failures)
        return Failed(message=f"{names} failed; the report says so: {published.address}", data=published.run)
    return Completed(message=f"{published.verdict} Report: {published.address}", data=published.run)


def prepare_datasets(
    archive: Dataset,
    parameters: SplitParameters,
    maxlen: int,
    store: Store,
    children: Children,
    durations: dict[str, float],
) -> dict[str, Dataset]:
    """Split, pad and profile the reviews. A step that was done before is found in the store."""
    with timed(durations, "split"):
        split = split_reviews.submit(archive, parameters, store, children).result()
    with timed(durations, "pad"):
        padded = pad_reviews.submit(split, maxlen, store, children).result()
    with timed(durations, "profile"):
        profiled = profile_reviews.submit(archive, split, parameters.num_words, maxlen, store, children).result()
    return {"split": split, "pad": padded, "profile": profiled}


def record_run(
    run_id: str,
    began: float,
    parameters: dict[str, Any],
    datasets: dict[str, Dataset],
    notice: str | None,
    planned: list[PlannedTraining],
    results: list[TrainingResult | FailedTraining],
    durations: dict[str, float],
) -> Run:
    """Return the run's record, its trainings in the order in which they were planned."""
    order = [training.name for training in planned]
    results = sorted(results, key=lambda result: order.index(result.name))
    finished = [result for result in results if isinstance(result, TrainingResult)]
    variants = parameters["variants"]
    return Run(
        run_id=run_id,
        started=datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=time.time() - began,
        step_seconds=durations,
        source=datasets["archive"].source,
        is_sample=datasets["archive"].step == "sample",
        notice=notice,
        parameters=parameters,
        versions=list_versions(finished),
        datasets=datasets,
        trainings=tuple(result for result in finished if result.variant in variants),
        baselines=tuple(result for result in finished if result.variant not in variants),
        failures=tuple(result for result in results if isinstance(result, FailedTraining)),
        code=read_code_version(),
        cpu=describe_cpu(),
    )


@contextmanager
def timed(durations: dict[str, float], step: str) -> Iterator[None]:
    """Note how many seconds the block took."""
    began = time.perf_counter()
    yield
    durations[step] = time.perf_counter() - began


def name_run() -> str:
    """Return the run's id: its scheduled UTC time, so that names sort by it, and the start of Prefect's own id.

    A flow run that Prefect retries keeps both.
    """
    scheduled = prefect.runtime.flow_run.scheduled_start_time
    return f"{scheduled.astimezone(UTC):%Y%m%dT%H%M%SZ}-{str(prefect.runtime.flow_run.id)[:6]}"


def get_archive(
    source: str, sha256: str | None, sample_reviews: int, store: Store, children: Children
) -> tuple[Dataset, str | None]:
    """Return the archive, and what a reader must know of it where it is made up."""
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


def plan_trainings(variants: tuple[str, ...], seeds: tuple[int, ...], *, baselines: bool) -> list[PlannedTraining]:
    """Return the trainings, as the variants are declared; the baselines last, with the first seed alone."""
    planned = [PlannedTraining(variant, seed) for variant in VARIANTS if variant.name in variants for seed in seeds]
    return planned + [PlannedTraining(variant, seeds[0]) for variant in BASELINES if baselines]


def train_here(
    planned: list[PlannedTraining], inputs: TrainingInputs, at_once: int, children: Children
) -> Iterator[TrainingResult | FailedTraining]:
    """Run all trainings, `at_once` at a time and the longest first; yield each as it ends, failed ones too."""
    log_progress(TrainingsPlanned(tuple(training.name for training in planned), f"{at_once} at once"))
    waiting = sorted(planned, key=lambda training: training.variant.relative_cost, reverse=True)
    running: dict[PrefectFuture[TrainingResult], PlannedTraining] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            training = waiting.pop(0)
            running[train_variant.submit(training, inputs, children)] = training
        if not waiting:
            # A CPU will be free before the last training ends.
            children.start_ahead(REPORT, 1)
        future = next(iter(as_completed(list(running))))
        yield end_training(running.pop(future), future.result(raise_on_failure=False))
    children.end_idle(TRAINING)


def end_training(training: PlannedTraining, outcome: object) -> TrainingResult | FailedTraining:
    """Return what a training's task has returned, or its failure if that is an error."""
    if isinstance(outcome, TrainingResult):
        return outcome
    failure = FailedTraining(training.variant.name, training.seed, str(outcome) or type(outcome).__name__)
    log_progress(TrainingFailed(failure.name, failure.error))
    return failure


def list_versions(results: list[TrainingResult]) -> dict[str, str]:
    """Return the versions of Python and the libraries; TensorFlow's as the children that imported it report it."""
    versions = {"python": platform.python_version()} | {library: version(library) for library in LIBRARIES}
    for result in results:
        versions |= result.versions
    return versions
