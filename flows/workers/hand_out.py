"""Train on many machines: each training is a flow run that any free worker takes, with its result in the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
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

from flows.workers.worker_results import find_finished, find_progress, read_result
from storage.records import FailedTraining, TrainingResult
from tasks.artifacts import REQUEST_SECONDS, UNREACHABLE, brief_requests
from tasks.champion.gate_request import REPORT
from tasks.processes.children import Children
from tasks.progress import TrainingDone, TrainingFailed, TrainingsPlanned, TrainingStarted, log_progress
from tasks.train import PlannedTraining, TrainingInputs

DEPLOYMENT = "train-variant/worker"
POOL = "training"
POLL_SECONDS = 2.0
# The server returns at most 200 flow runs for one request.
FLOW_RUNS_PER_REQUEST = 100
MAX_RESUBMISSIONS = 2
# A worker ends a training after its timeout, and tries it twice. If a training takes longer, its worker was lost.
SUPERVISED_ATTEMPTS = 2
GRACE_SECONDS = 60.0
# Pending counts, because a worker can be lost between taking a flow run and starting it.
TAKEN = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@dataclass
class _HandedOut:
    """A training that has been handed to the workers.

    Attributes:
        planned: Which training.
        flow_run: The flow run that a worker takes.
        resubmissions: How often its worker was lost since its last progress.
        progress: Path of its newest checkpoint when it was last submitted.
        taken_since: `time.monotonic()` when it was first seen with a worker; None before.
    """

    planned: PlannedTraining
    flow_run: FlowRun
    resubmissions: int = 0
    progress: str = ""
    taken_since: float | None = None

    def fail(self, reason: str) -> FailedTraining:
        return FailedTraining(self.planned.variant.name, self.planned.seed, reason)


def train_on_workers(
    planned: list[PlannedTraining], inputs: TrainingInputs, children: Children
) -> Iterator[TrainingResult | FailedTraining]:
    """Hand all trainings to the workers, the longest first. If this flow is ended, it cancels them.

    Args:
        planned: Which trainings.
        inputs: What all of them share.
        children: The run's child processes.

    Yields:
        Each training as it ends, in any order; a failed one as its failure. Trainings that an earlier attempt of this
        flow run finished come first.

    Raises:
        ValueError: The server has no deployment of the trainings.
    """
    log_progress(TrainingsPlanned(tuple(training.name for training in planned), "on workers"))
    handed_out: list[_HandedOut] = []
    with get_client(sync_client=True) as client:
        try:
            for training in sorted(planned, key=lambda one: one.variant.relative_cost, reverse=True):
                finished = find_finished(training, inputs)
                if finished:
                    yield finished
                else:
                    handed_out.append(_HandedOut(training, _submit(training, inputs)))
            children.start_ahead(REPORT, 1)
            yield from _wait_for_all(handed_out, inputs, client)
        finally:
            for one in handed_out:
                # A server that is away cannot be told; then its worker goes on, and the result is not used.
                with suppress(*UNREACHABLE), brief_requests():
                    client.set_flow_run_state(
                        one.flow_run.id, Cancelling(message="the run that asked for it was ended")
                    )


def _submit(planned: PlannedTraining, inputs: TrainingInputs) -> FlowRun:
    """Return the training's flow run: a new one, or the unfinished one of an earlier attempt of this flow run."""
    key = f"{prefect.runtime.flow_run.id}-{planned.name}"
    for attempt in count(1):
        flow_run = _request_flow_run(planned, inputs, f"{key}-{attempt}")
        # A flow run with a final state was lost, or its result is damaged, or it ended after the store was searched.
        if flow_run.state is None or not flow_run.state.is_final():
            break
        if flow_run.state.is_completed() and find_finished(planned, inputs):
            break
    return flow_run


def _request_flow_run(planned: PlannedTraining, inputs: TrainingInputs, idempotency_key: str) -> FlowRun:
    """Return the flow run with this key, which the server creates if it has none."""
    parameters = {
        "variant": planned.variant.name,
        "seed": planned.seed,
        "parameters": asdict(inputs.parameters),
        "padded": asdict(inputs.padded),
        "minimal_pairs": asdict(inputs.minimal_pairs) if inputs.minimal_pairs else None,
        "store": inputs.store.absolute_uri,
        "run_folder": inputs.run_folder,
        "timeout_seconds": inputs.timeout_seconds,
    }
    try:
        flow_run: FlowRun = run_deployment(  # type: ignore[assignment]  # not a coroutine outside an event loop
            DEPLOYMENT,
            parameters=parameters,
            flow_run_name=f"train {planned.variant.name}, seed {planned.seed}",
            timeout=0,
            as_subflow=True,
            idempotency_key=idempotency_key,
        )
    except ObjectNotFound as error:
        raise ValueError(
            f"`placement` must be local if the server has no deployment {DEPLOYMENT}; `make deploy` creates it. "
            "Received: placement=workers."
        ) from error
    return flow_run


def _wait_for_all(
    handed_out: list[_HandedOut], inputs: TrainingInputs, client: SyncPrefectClient
) -> Iterator[TrainingResult | FailedTraining]:
    """Yield each training as it ends, and remove it from the list. While the server is away, look in the store."""
    idle_since = last_contact = time.monotonic()
    while handed_out:
        try:
            states = _read_states([training.flow_run.id for training in handed_out], client)
            last_contact = time.monotonic()
            for training in handed_out[:]:
                state = states[training.flow_run.id]
                if state.type in TAKEN and training.taken_since is None:
                    training.taken_since = time.monotonic()
                    log_progress(TrainingStarted(training.planned.name))
                # A training may wait for a worker as long as another one runs.
                if state.type in TAKEN or state.is_final():
                    idle_since = time.monotonic()
                outcome = _find_outcome(training, state, idle_since, inputs, client)
                if outcome:
                    handed_out.remove(training)
                    _log_outcome(outcome)
                    yield outcome
        except UNREACHABLE as error:
            yield from _go_on_without_server(handed_out, inputs, last_contact, error)
            # Nobody knows whether a worker was free meanwhile.
            idle_since = time.monotonic()
        if handed_out:
            time.sleep(POLL_SECONDS)


def _go_on_without_server(
    handed_out: list[_HandedOut], inputs: TrainingInputs, last_contact: float, error: Exception
) -> Iterator[TrainingResult | FailedTraining]:
    """Yield the trainings that workers have finished meanwhile. If the server stays away too long, give up the rest."""
    away = time.monotonic() - last_contact
    if away < POLL_SECONDS + REQUEST_SECONDS:
        get_run_logger().warning("Prefect's server is away (%s); the trainings go on, and their results count", error)
    limit = SUPERVISED_ATTEMPTS * inputs.timeout_seconds + GRACE_SECONDS
    for training in handed_out[:]:
        outcome: TrainingResult | FailedTraining | None = find_finished(training.planned, inputs)
        if outcome is None and away > limit:
            outcome = training.fail(f"Prefect's server was away for {limit:g} s, and the store has no result")
        if outcome:
            handed_out.remove(training)
            _log_outcome(outcome)
            yield outcome


def _log_outcome(outcome: TrainingResult | FailedTraining) -> None:
    if isinstance(outcome, FailedTraining):
        log_progress(TrainingFailed(outcome.name, outcome.error))
    else:
        log_progress(TrainingDone(outcome.name, "is done"))


def _read_states(identifiers: list[UUID], client: SyncPrefectClient) -> dict[UUID, State]:
    """Return the state of each flow run; a deleted one counts as cancelled."""
    states: dict[UUID, State] = dict.fromkeys(identifiers, Cancelled(message="its flow run was deleted"))
    for start in range(0, len(identifiers), FLOW_RUNS_PER_REQUEST):
        asked = FlowRunFilter(id=FlowRunFilterId(any_=identifiers[start : start + FLOW_RUNS_PER_REQUEST]))
        # Asked again soon, so one request need not be patient. The requests that change something are.
        with brief_requests():
            flow_runs = client.read_flow_runs(flow_run_filter=asked, limit=FLOW_RUNS_PER_REQUEST)
        for flow_run in flow_runs:
            if flow_run.state:
                states[flow_run.id] = flow_run.state
    return states


def _find_outcome(
    training: _HandedOut, state: State, idle_since: float, inputs: TrainingInputs, client: SyncPrefectClient
) -> TrainingResult | FailedTraining | None:
    """Return a training's result or failure, or None while it is unfinished. Submit it again if its worker was lost."""
    if state.is_completed():
        return _read_result(training, inputs)
    if state.is_crashed():
        return _resubmit(training, state.message or "its worker was lost", inputs)
    if state.is_final():
        return training.fail(state.message or state.name or str(state.type))
    if training.taken_since is not None:
        limit = SUPERVISED_ATTEMPTS * inputs.timeout_seconds + GRACE_SECONDS
        if time.monotonic() - training.taken_since > limit:
            reason = f"it was not over {limit:g} s after a worker took it, so that worker was lost"
            client.set_flow_run_state(training.flow_run.id, Crashed(message=reason), force=True)
            return _resubmit(training, reason, inputs)
    elif time.monotonic() - idle_since > inputs.timeout_seconds:
        reason = f"no worker of the pool {POOL} took it within {inputs.timeout_seconds:g} s"
        client.set_flow_run_state(training.flow_run.id, Cancelled(message=reason))
        return training.fail(reason)
    return None


def _read_result(training: _HandedOut, inputs: TrainingInputs) -> TrainingResult | FailedTraining:
    try:
        return read_result(training.planned, inputs)
    except (OSError, ValueError) as error:
        return training.fail(f"its flow run ended Completed, but {error}")


def _resubmit(training: _HandedOut, reason: str, inputs: TrainingInputs) -> FailedTraining | None:
    """Submit a lost training again, or return its failure if it was lost too often without progress.

    Losses before its newest checkpoint do not count. If workers are lost again and again, a long training is lost often
    too, but it goes on from its last checkpoint each time. A training that crashes its worker makes no progress.
    """
    progress = find_progress(training.planned, inputs)
    if progress > training.progress:
        training.resubmissions, training.progress = 0, progress
    if training.resubmissions == MAX_RESUBMISSIONS:
        return training.fail(f"{reason}; it was lost {MAX_RESUBMISSIONS + 1} times without progress")
    get_run_logger().warning("%s: %s; it is submitted again", training.planned.name, reason)
    training.flow_run = _submit(training.planned, inputs)
    training.resubmissions += 1
    training.taken_since = None
    return None
