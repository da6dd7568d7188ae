"""The nightly flow: prepare the reviews, train every variant side by side, report."""

# ruff: noqa: ARG001 - the body takes all parameters from the runtime

from __future__ import annotations

from dataclasses import replace

import prefect.runtime.flow_run
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.capacity import count_jobs
from flows.checks import check_parameters
from flows.local_trainings import train_locally
from flows.outcome import leave_outcome
from flows.parameters import DEFAULTS, NightlyParameters, annotate_parameters
from flows.preparation import prepare_reviews
from flows.run_record import name_run, record_run
from flows.stopwatch import Stopwatch
from flows.workers.hand_out import train_on_workers
from reports.sections.decision_section import Decision
from reports.sections.gate_policy import GatePolicy, parse_policy
from storage.records import FailedTraining, Run, TrainingResult
from storage.runs import run_folder
from storage.store import Store
from storage.store_address import choose_store
from tasks.gate import carry_out, decide_about
from tasks.processes.children import Children, children_of_run
from tasks.report import PublishedReport, compute_evidence, write_report
from tasks.train import PlannedTraining, TrainingInputs
from tasks.training.training_request import TRAINING, TrainingParameters
from tasks.variants import BASELINES, VARIANTS


@flow(name="nightly-retraining", flow_run_name="{source}", persist_result=False, task_runner=ThreadPoolTaskRunner())  # type: ignore[arg-type]  # Prefect infers Never
@annotate_parameters
def nightly_retraining(
    source: str = DEFAULTS.source,
    sha256: str | None = DEFAULTS.sha256,
    reviews: str | None = DEFAULTS.reviews,
    encoding: str | None = DEFAULTS.encoding,
    text_column: str | None = DEFAULTS.text_column,
    label_column: str | None = DEFAULTS.label_column,
    delimiter: str | None = DEFAULTS.delimiter,
    quoting: str | None = DEFAULTS.quoting,
    label_map: str | None = DEFAULTS.label_map,
    max_rejected: float = DEFAULTS.max_rejected,
    vocabulary: str | None = DEFAULTS.vocabulary,
    tokens: str = DEFAULTS.tokens,
    texts: bool = DEFAULTS.texts,
    check_balance: tuple[float, ...] = DEFAULTS.check_balance,
    check_duplicates: tuple[float, ...] = DEFAULTS.check_duplicates,
    check_fewer: tuple[float, ...] = DEFAULTS.check_fewer,
    check_drift: tuple[float, ...] = DEFAULTS.check_drift,
    check_unknown_words: tuple[float, ...] = DEFAULTS.check_unknown_words,
    check_new_against_old: tuple[float, ...] = DEFAULTS.check_new_against_old,
    gate: str = DEFAULTS.gate,
    champion: str = DEFAULTS.champion,
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
        The run's record, in a Completed state with the verdict, or in a Failed one if a training failed or a check
        stopped the run.

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
        prepared = prepare_reviews(parameters, opened, children, stopwatch)
        results: list[TrainingResult | FailedTraining] = []
        if not prepared.stopped:
            hyperparameters = TrainingParameters(
                num_words, maxlen, embedding_dim, epochs, batch_size, patience, learning_rate
            )
            folder = run_folder(run_id)
            inputs = TrainingInputs(prepared.padded, prepared.pairs, hyperparameters, opened, folder, timeout_seconds)
            with stopwatch.time_step("train"):
                if placement == "local":
                    results = list(train_locally(planned, inputs, at_once, children))
                else:
                    results = list(train_on_workers(planned, inputs, children))
        used = replace(parameters, jobs=at_once if placement == "local" else None, store=opened.absolute_uri)
        run = record_run(run_id, used, prepared, planned, results, stopwatch)
        published, decision = publish_with_decision(run, parse_policy(gate), champion, opened, children)
        # Whoever waits for the end gives Prefect's server some seconds; a promotion must not be cut off by that.
        is_promoted = decision is not None and decision.outcome == "promote"
        leave_outcome(published.run, is_over=not is_promoted)
        lost = carry_out(published, decision, opened) if decision else ""
        leave_outcome(published.run)
    return choose_state(published, lost)


def publish_with_decision(
    run: Run, policy: GatePolicy, name: str, store: Store, children: Children
) -> tuple[PublishedReport, Decision | None]:
    """Compute the evidence, let the gate decide, and publish the report, which leads with the decision.

    A run on made-up reviews, or one that trained nothing, never touches the champion.
    """
    has_gate = policy.mode != "off" and not run.is_sample and not run.stopped
    run = compute_evidence(run, store, children, is_decided_about=has_gate)
    if not has_gate:
        return write_report(run, store, children), None
    answer = decide_about(run, policy, name, store, children)
    return write_report(answer.run, store, children), answer.decision


def plan_trainings(variants: tuple[str, ...], seeds: tuple[int, ...], *, baselines: bool) -> list[PlannedTraining]:
    """Return the run's trainings in the declared order of the variants, then the baselines with the first seed only."""
    planned = [PlannedTraining(variant, seed) for variant in VARIANTS if variant.name in variants for seed in seeds]
    return planned + [PlannedTraining(variant, seeds[0]) for variant in BASELINES if baselines]


def choose_state(published: PublishedReport, lost: str = "") -> State[Run]:
    """Return the flow's final state: Failed if a check stopped the run or a training failed; it names the report.

    Args:
        published: The published run.
        lost: Why a promotion that the gate decided could not be recorded; "" if it was, or if none was due.
    """
    run, address = published.run, published.address
    if run.stopped:
        reasons = " ".join(run.stopped)
        return Failed(message=f"Stopped before training. {reasons} The report says so: {address}", data=run)
    if run.failures:
        names = ", ".join(failure.name for failure in run.failures)
        return Failed(message=f"{names} failed; the report says so: {address}", data=run)
    if lost:
        return Completed(message=f"The page says that the model is promoted, and it is not: {lost} {address}", data=run)
    return Completed(message=f"{published.verdict} Report: {address}", data=run)
