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

from flows.workers.worker_results import find_finished, find_progress, read_result
from storage.records import FailedTraining, TrainingResult
from tasks.evaluation.report_request import REPORT
from tasks.processes.children import Children
from tasks.progress import TrainingDone, TrainingFailed, TrainingsPlanned, TrainingStarted, log_progress
from tasks.train import PlannedTraining, TrainingInputs

DEPLOYMENT = "train-variant/worker"
POOL = "training"
POLL_SECONDS = 2.0
# The server gives out at most 200 flow runs at a time.
RUNS_PER_REQUEST = 100
MAX_RESUBMISSIONS = 2
# A worker ends a training that takes too long, and tries it twice. One that goes on after that has lost its worker.
SUPERVISED_ATTEMPTS = 2
GRACE_SECONDS = 60.0
# Pending: a worker has it, and may be lost before it has started it.
TAKEN = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@dataclass
class _HandedOut:
    """A training that has been handed to the workers.

    Attributes:
        planned: Which one.
        run: Its flow run.
        resubmissions: How often its worker was lost since it last got on.
        progress: Its newest checkpoint when it was last submitted.
        taken_since: `time.monotonic()` when it was first seen with a worker, None before.
    """

    planned: PlannedTraining
    run: FlowRun
    resubmissions: int = 0
    progress: str = ""
    taken_since: float | None = None

    def fail(self, reason: str) -> FailedTraining:
        return FailedTraining(self.planned.variant.name, self.planned.seed, reason)


def train_on_workers(
    planned: list[PlannedTraining], inputs: TrainingInputs, children: Children
) -> Iterator[TrainingResult | FailedTraining]:
    """Hand all trainings to the workers, the longest first; yield each as it ends, failed ones too.

    What an earlier attempt of this flow run finished is taken as it is. When this flow is ended, so are its trainings.
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
                client.set_flow_run_state(one.run.id, Cancelling(message="the run that asked for it was ended"))


def _submit(planned: PlannedTraining, inputs: TrainingInputs) -> FlowRun:
    """Return the training's flow run: a new one, or the one that an earlier attempt of this flow run left at work."""
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
    key = f"{prefect.runtime.flow_run.id}-{planned.name}"
    for attempt in count(1):
        try:
            run: FlowRun = run_deployment(  # type: ignore[assignment]  # it is no coroutine outside an event loop
                DEPLOYMENT,
                parameters=parameters,
                flow_run_name=f"train {planned.variant.name}, seed {planned.seed}",
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
        if run.state.is_completed() and find_finished(planned, inputs):
            break
    return run


def _wait_for_all(
    handed_out: list[_HandedOut], inputs: TrainingInputs, client: SyncPrefectClient
) -> Iterator[TrainingResult | FailedTraining]:
    """Yield each training as it ends, and take it off the list."""
    idle_since = time.monotonic()
    while handed_out:
        states = _read_states([training.run.id for training in handed_out], client)
        for training in handed_out[:]:
            state = states[training.run.id]
            if state.type in TAKEN and training.taken_since is None:
                training.taken_since = time.monotonic()
                log_progress(TrainingStarted(training.planned.name))
            # Others wait for a worker as long as any of them is at work.
            if state.type in TAKEN or state.is_final():
                idle_since = time.monotonic()
            outcome = _look_after(training, state, idle_since, inputs, client)
            if outcome:
                handed_out.remove(training)
                if isinstance(outcome, FailedTraining):
                    log_progress(TrainingFailed(outcome.name, outcome.error))
                else:
                    log_progress(TrainingDone(outcome.name, "is done"))
                yield outcome
        if handed_out:
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


def _look_after(
    training: _HandedOut, state: State, idle_since: float, inputs: TrainingInputs, client: SyncPrefectClient
) -> TrainingResult | FailedTraining | None:
    """Return what became of a training, or None while it goes on; one whose worker was lost is submitted again."""
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
            client.set_flow_run_state(training.run.id, Crashed(message=reason), force=True)
            return _resubmit(training, reason, inputs)
    elif time.monotonic() - idle_since > inputs.timeout_seconds:
        reason = f"no worker of the pool {POOL} took it within {inputs.timeout_seconds:g} s"
        client.set_flow_run_state(training.run.id, Cancelled(message=reason))
        return training.fail(reason)
    return None


def _read_result(training: _HandedOut, inputs: TrainingInputs) -> TrainingResult | FailedTraining:
    try:
        return read_result(training.planned, inputs)
    except (OSError, ValueError) as error:
        return training.fail(f"its flow run ended Completed, but {error}")


def _resubmit(training: _HandedOut, reason: str, inputs: TrainingInputs) -> FailedTraining | None:
    """Submit a lost training again, or return its failure once that was done often enough without any progress.

    Not often enough in all: on a night that loses workers again and again, a long training is lost again and again,
    and each time goes on from its last checkpoint. One that takes its worker with it never gets to its next.
    """
    progress = find_progress(training.planned, inputs)
    if progress > training.progress:
        training.resubmissions, training.progress = 0, progress
    if training.resubmissions == MAX_RESUBMISSIONS:
        return training.fail(f"{reason}; it was lost {MAX_RESUBMISSIONS + 1} times without progress")
    get_run_logger().warning("%s: %s; it is submitted again", training.planned.name, reason)
    training.run = _submit(training.planned, inputs)
    training.resubmissions += 1
    training.taken_since = None
    return None
