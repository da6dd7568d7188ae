"""Name a run, and build the record that `run.json` holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import prefect.runtime.flow_run

from flows.parameters import NightlyParameters
from flows.preparation import Prepared
from flows.provenance import describe_cpu, list_versions, read_code_version
from flows.stopwatch import Stopwatch
from storage.records import FailedTraining, Run, TrainingResult
from tasks.train import PlannedTraining


def name_run() -> str:
    """Return the run's id: its scheduled UTC time, by which names sort, and the start of its flow run's id.

    Both stay the same if Prefect retries the flow run.
    """
    scheduled = prefect.runtime.flow_run.scheduled_start_time
    return f"{scheduled.astimezone(UTC):%Y%m%dT%H%M%SZ}-{str(prefect.runtime.flow_run.id)[:6]}"


def record_run(
    run_id: str,
    parameters: NightlyParameters,
    prepared: Prepared,
    planned: Sequence[PlannedTraining],
    results: Sequence[TrainingResult | FailedTraining],
    stopwatch: Stopwatch,
) -> Run:
    """Return the run's record, without its report.

    Args:
        run_id: The run's id.
        parameters: The parameters as they were used.
        prepared: The reviews that the trainings read.
        planned: The trainings, in the order in which the record lists them.
        results: What became of them, in any order.
        stopwatch: Started when the run began.
    """
    order = [training.name for training in planned]
    ordered = sorted(results, key=lambda result: order.index(result.name))
    finished = [result for result in ordered if isinstance(result, TrainingResult)]
    return Run(
        run_id=run_id,
        started=datetime.fromtimestamp(stopwatch.began, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=time.time() - stopwatch.began,
        step_seconds=stopwatch.step_seconds,
        source=prepared.source,
        is_sample=prepared.is_sample,
        notice=prepared.notice,
        parameters=_list_values(parameters),
        versions=list_versions(finished),
        datasets=prepared.datasets,
        trainings=tuple(result for result in finished if result.variant in parameters.variants),
        baselines=tuple(result for result in finished if result.variant not in parameters.variants),
        failures=tuple(result for result in ordered if isinstance(result, FailedTraining)),
        stopped=prepared.stopped,
        gone_files=prepared.gone,
        code=read_code_version(),
        cpu=describe_cpu(),
    )


def _list_values(parameters: NightlyParameters) -> dict[str, Any]:
    """Return the parameters as `run.json` gives them back: with lists, so that a report from there is the same."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(parameters).items()}
