"""Name a run, time its steps, and build the record that `run.json` holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import prefect.runtime.flow_run

from flows.parameters import NightlyParameters
from flows.provenance import describe_cpu, list_versions, read_code_version
from storage.records import Dataset, FailedTraining, Run, TrainingResult
from tasks.train import PlannedTraining


class Stopwatch:
    """Measures a run and its steps.

    Attributes:
        began: When the run began, in seconds since 1970.
        step_seconds: How long each finished step took, by its name.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.step_seconds: dict[str, float] = {}

    @contextmanager
    def time_step(self, step: str) -> Iterator[None]:
        """Note how many seconds the block takes."""
        began = time.perf_counter()
        yield
        self.step_seconds[step] = time.perf_counter() - began


def name_run() -> str:
    """Return the run's id: its scheduled UTC time, by which names sort, and the start of its flow run's id.

    Both stay the same if Prefect retries the flow run.
    """
    scheduled = prefect.runtime.flow_run.scheduled_start_time
    return f"{scheduled.astimezone(UTC):%Y%m%dT%H%M%SZ}-{str(prefect.runtime.flow_run.id)[:6]}"


def record_run(
    run_id: str,
    parameters: NightlyParameters,
    datasets: dict[str, Dataset],
    notice: str | None,
    planned: Sequence[PlannedTraining],
    results: Sequence[TrainingResult | FailedTraining],
    stopwatch: Stopwatch,
) -> Run:
    """Return the run's record, without its report.

    Args:
        run_id: The run's id.
        parameters: The parameters as they were used.
        datasets: By step: "archive", "split", "pad" and "profile".
        notice: What a reader has to know before anything else, or None.
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
        source=datasets["archive"].source,
        is_sample=datasets["archive"].step == "sample",
        notice=notice,
        parameters=_list_values(parameters),
        versions=list_versions(finished),
        datasets=datasets,
        trainings=tuple(result for result in finished if result.variant in parameters.variants),
        baselines=tuple(result for result in finished if result.variant not in parameters.variants),
        failures=tuple(result for result in ordered if isinstance(result, FailedTraining)),
        code=read_code_version(),
        cpu=describe_cpu(),
    )


def _list_values(parameters: NightlyParameters) -> dict[str, Any]:
    """Return the parameters as `run.json` gives them back: with lists, so that a report from there is the same."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(parameters).items()}
