"""Trainings on many machines: each is a flow run that any free worker takes, and answered through the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from uuid import UUID

import prefect.runtime.flow_run
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling, Crashed

from flows.workers.worker_results import Order, find_finished, find_progress, read_result
from storage.records import Dataset, FailedTraining, StoredFile, TrainingResult, training_name
from storage.store import Store
from tasks.report import prepare_report
from tasks.train import TrainingParameters, TrainingStage
from tasks.variants import Variant

DEPLOYMENT = "train-variant/worker"
POOL = "training"
POLL_SECONDS = 2.0
# The server gives out at most 200 flow runs at a time.
RUNS_PER_REQUEST = 100
MAX_RESUBMISSIONS = 2
# A live training is ended by its own supervisor, which tries it twice; whatever runs on after that has lost its worker.
SUPERVISED_ATTEMPTS = 2
GRACE_SECONDS = 60.0
# Pending: a worker has it, and may be lost before it has started it.
TAKEN = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@dataclass
class _Training:
    """A training that has been handed to the workers.

    Attributes:
        run: Its flow run.
        resubmissions: How often its worker was lost since it last got on.
        progress: Its newest checkpoint when it was last submitted.
        taken_since: `time.monotonic()` when it was first seen with a worker, None before.
    """

    variant: Variant
    seed: int
    run: FlowRun
    resubmissions: int = 0
    progress: str = ""
    taken_since: float | None = None

    @property
    def name(self) -> str:
        return training_name(self.variant.name, self.seed)

    def fail(self, reason: str) -> FailedTraining:
        return FailedTraining(self.variant.name, self.seed, reason)


def train_on_workers(
    planned: list[tuple[Variant, int]],
    padded: Dataset,
    parameters: TrainingParameters,
    store: Store,
    run_folder: str,
    timeout_seconds: float,
    minimal_pairs: StoredFile | None = None,
) -> Iterator[TrainingResult | FailedTraining]:
    """Hand all trainings to the workers, the longest first; yield each as it ends, failed ones too.

    What an earlier attempt of this flow run finished is taken as it is. When this flow is ended, so are its trainings.
    """
    order = Order(padded, parameters, store, run_folder, timeout_seconds, minimal_pairs)
    names = [training_name(variant.name, seed) for variant, seed in planned]
    get_run_logger().info("training %s on workers", ", ".join(names), extra={"planned": names})
    open_trainings: list[_Training] = []
    with get_client(sync_client=True) as client:
        try:
            for variant, seed in sorted(planned, key=lambda training: training[0].relative_cost, reverse=True):
                finished = find_finished(variant, seed, order)
                if finished:
                    yield finished
                else:
                    open_trainings.append(_Training(variant, seed, _submit(variant, seed, order)))
            prepare_report()
            yield from _wait_for_all(open_trainings, order, client)
        finally:
            for training in open_trainings:
                client.set_flow_run_state(training.run.id, Cancelling(message="the night's flow run was ended"))


def _submit(variant: Variant, seed: int, order: Order) -> FlowRun:
    """Return the training's flow run: a new one, or the one that an earlier attempt of this flow run left at work."""
    parameters = {
        "variant": variant.name,
        "seed": seed,
        "parameters": order.parameters._asdict(),
        "padded": asdict(order.padded),
        "minimal_pairs": asdict(order.minimal_pairs) if order.minimal_pairs else None,
        "store": order.store.absolute_uri,
        "run_folder": order.run_folder,
        "timeout_seconds": order.timeout_seconds,
    }
    key = f"{prefect.runtime.flow_run.id}-{training_name(variant.name, seed)}"
    for attempt in count(1):
        try:
            run: FlowRun = run_deployment(  # type: ignore[assignment]  # it is no coroutine outside an event loop
                DEPLOYMENT,
                parameters=parameters,
                flow_run_name=f"train {variant.name}, seed {seed}",
                timeout=0,
                as_subflow=True,
                idempotency_key=f"{key}-{attempt}",
            )
        except ObjectNotFound as error:
            raise ValueError(
                f"`placement` must be local where the server has no deployment {DEPLOYMENT}; `make deploy` creates it. "
                "Received: placement=workers."
            ) from error
        # One that is over was lost, or what it made is damaged; or it has ended since the store was last looked at.
        if run.state is None or not run.state.is_final():
            break
        if run.state.is_completed() and find_finished(variant, seed, order):
            break
    return run


def _wait_for_all(
    trainings: list[_Training], order: Order, client: SyncPrefectClient
) -> Iterator[TrainingResult | FailedTraining]:
    """Yield each training as it ends, and take it off the list."""
    idle_since = time.monotonic()
    while trainings:
        states = _read_states([training.run.id for training in trainings], client)
        for training in trainings[:]:
            state = states[training.run.id]
            if state.type in TAKEN and training.taken_since is None:
                training.taken_since = time.monotonic()
                _log_stage(training, "starting")
            # Others wait for a worker as long as any of them is at work.
            if state.type in TAKEN or state.is_final():
                idle_since = time.monotonic()
            outcome = _judge(training, state, idle_since, order, client)
            if outcome:
                trainings.remove(training)
                _log_stage(training, "done" if isinstance(outcome, TrainingResult) else "failed", outcome)
                yield outcome
        if trainings:
            time.sleep(POLL_SECONDS)


def _read_states(identifiers: list[UUID], client: SyncPrefectClient) -> dict[UUID, State]:
    """Return the state of each flow run; one that was deleted counts as cancelled."""
    states: dict[UUID, State] = dict.fromkeys(identifiers, Cancelled(message="its flow run was deleted"))
    for start in range(0, len(identifiers), RUNS_PER_REQUEST):
        asked = FlowRunFilter(id=FlowRunFilterId(any_=identifiers[start : start + RUNS_PER_REQUEST]))
        for run in client.read_flow_runs(flow_run_filter=asked, limit=RUNS_PER_REQUEST):
            if run.state:
                states[run.id] = run.state
    return states


def _judge(
    training: _Training, state: State, idle_since: float, order: Order, client: SyncPrefectClient
) -> TrainingResult | FailedTraining | None:
    """Return what became of a training, or None while it goes on; one whose worker was lost is submitted again."""
    if state.is_completed():
        return _read_answer(training, order)
    if state.is_crashed():
        return _resubmit(training, state.message or "its worker was lost", order)
    if state.is_final():
        return training.fail(state.message or state.name or str(state.type))
    if training.taken_since is not None:
        limit = SUPERVISED_ATTEMPTS * order.timeout_seconds + GRACE_SECONDS
        if time.monotonic() - training.taken_since > limit:
            reason = f"it was not over {limit:g} s after a worker took it, so that worker was lost"
            client.set_flow_run_state(training.run.id, Crashed(message=reason), force=True)
            return _resubmit(training, reason, order)
    elif time.monotonic() - idle_since > order.timeout_seconds:
        reason = f"no worker of the pool {POOL} took it within {order.timeout_seconds:g} s"
        client.set_flow_run_state(training.run.id, Cancelled(message=reason))
        return training.fail(reason)
    return None


def _read_answer(training: _Training, order: Order) -> TrainingResult | FailedTraining:
    try:
        return read_result(training.variant, training.seed, order)
    except (OSError, ValueError) as error:
        return training.fail(f"its flow run ended Completed, but {error}")


def _resubmit(training: _Training, reason: str, order: Order) -> FailedTraining | None:
    """Submit a lost training again, or return its failure once that was done often enough without any progress.

    Not often enough in all: on a night that loses workers again and again, a long training is lost again and again,
    and each time goes on from its last checkpoint. One that takes its worker with it never gets to its next.
    """
    progress = find_progress(training.variant, training.seed, order)
    if progress > training.progress:
        training.resubmissions, training.progress = 0, progress
    if training.resubmissions == MAX_RESUBMISSIONS:
        return training.fail(f"{reason}; it was lost {MAX_RESUBMISSIONS + 1} times without progress")
    get_run_logger().warning("%s: %s; it is submitted again", training.name, reason)
    training.run = _submit(training.variant, training.seed, order)
    training.resubmissions += 1
    training.taken_since = None
    return None


def _log_stage(training: _Training, word: str, outcome: TrainingResult | FailedTraining | None = None) -> None:
    extra = {"stage": TrainingStage(training.name, word)}
    if isinstance(outcome, FailedTraining):
        get_run_logger().error("%s failed: %s", training.name, outcome.error, extra=extra)
    else:
        get_run_logger().info("%s: %s", training.name, word, extra=extra)
