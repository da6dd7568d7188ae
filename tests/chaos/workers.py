"""Trainings on real workers: kill workers while they train, and measure the time that a second worker saves."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.runs import read_run, verify_store
from storage.store import Store
from tests.benchmarks.run import REAL_ARCHIVE, spread
from tests.chaos.processes import StartedCommand, end_orphans, list_run_ids, start
from tests.e2e.servers import PREFECT, deploy, end, kill_whole, open_client

Rows = list[tuple[str, str]]


def start_worker(environment: dict[str, str], folder: Path, name: str) -> StartedCommand:
    command = [PREFECT, "worker", "start", "--pool", "training", "--limit", "1", "--name", name]
    return start(environment, command, folder / "workers")


@contextmanager
def workers_on(environment: dict[str, str], folder: Path, count: int) -> Iterator[list[StartedCommand]]:
    """Run so many workers, and yield them in a list. At the end, the workers in the list are ended."""
    running = [start_worker(environment, folder, f"worker-{number}") for number in range(count)]
    try:
        yield running
    finally:
        for worker in running:
            end(worker.process)


def start_hand_out(
    environment: dict[str, str], store: Path, folder: Path, options: argparse.Namespace
) -> StartedCommand:
    """Start a run whose trainings, four variants with each seed, are handed to workers."""
    command = [sys.executable, "-m", "flows", "run", "--placement", "workers", "--no-baselines", "--store", str(store)]
    return start(environment, [*command, *run_options(options)], folder / "logs")


def run_options(options: argparse.Namespace) -> list[str]:
    """Return the options of a run with four variants and each seed: on the real archive if it is there."""
    source = str(REAL_ARCHIVE) if REAL_ARCHIVE.is_file() and not options.sample else "sample"
    given = ["--source", source, "--seeds", ",".join(str(42 + number) for number in range(options.seeds))]
    if options.epochs:
        # With this patience no training stops early.
        given += ["--epochs", str(options.epochs), "--patience", str(options.epochs)]
    return given


def ends_within(started: StartedCommand, seconds: float) -> bool:
    """Wait at most so many seconds for the end of a command; return whether it ended."""
    try:
        started.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def lose_workers(environment: dict[str, str], folder: Path, options: argparse.Namespace) -> tuple[Rows, int]:
    """Kill a worker every few seconds, start another in its place, and count the trainings that finish.

    Returns:
        The rows of the results, and the number of lost trainings, damaged files and orphans.
    """
    chance, store, planned = random.Random(options.seed), folder / "store", 4 * options.seeds
    deploy(environment)
    marks: list[str] = []
    lost, idle, began = 0, 0, time.monotonic()
    with workers_on(environment, folder, options.workers) as workers:
        started = start_hand_out(environment, store, folder, options)
        while not ends_within(started, options.every_seconds):
            place = chance.randrange(len(workers))
            processes = kill_whole(workers[place].process)
            # A worker without a flow run is a single process.
            lost, idle = lost + 1, idle + (processes == 1)
            marks.append(workers[place].mark)
            workers[place] = start_worker(environment, folder, f"replacement-{lost}")
            done = len(list(store.glob("runs/*/*/training.json")))
            at = f"{time.monotonic() - began:4.0f} s"
            print(f"  {at}  killed a worker, {processes} processes; {done} of {planned} trainings done", flush=True)
        code, errors = started.wait(5)
        marks += [one.mark for one in (started, *workers)]
    orphans = [orphan for mark in marks for orphan in end_orphans(mark)]
    damaged = verify_store(Store(str(store))).damaged
    finished = read_run(Store(str(store)), list_run_ids(store)[-1]).trainings if list_run_ids(store) else ()
    for line in [line for line in errors.splitlines() if line.startswith("retrain run:")] + list(damaged) + orphans:
        print(f"  {line}")
    rows = [
        ("trainings that finished", f"{len(finished)} of {planned}"),
        ("workers; one killed every", f"{options.workers}; {options.every_seconds:g} s"),
        ("workers killed with all their processes; of which had no work", f"{lost}; {idle}"),
        ("trainings handed out again", str(errors.count("it is submitted again"))),
        ("the run's exit code", str(code)),
        ("files damaged", str(len(damaged))),
        ("processes left 30 s after everything ended", str(len(orphans))),
    ]
    return rows, (planned - len(finished)) + len(damaged) + len(orphans)


def measure_throughput(environment: dict[str, str], folder: Path, options: argparse.Namespace) -> Rows:
    """Run the same trainings on one worker and on two; return the rows of the results."""
    deploy(environment)
    rows, spans = [], []
    for count in (1, 2):
        with workers_on(environment, folder, count) as workers:
            began = time.monotonic()
            started = start_hand_out(environment, folder / "store", folder, options)
            code, errors = started.wait(7200)
            wall = time.monotonic() - began
        if code or len(workers) != count:
            raise RuntimeError(f"the run on {count} workers ended with exit code {code}: {errors}")
        store = Store(str(folder / "store"))
        run = read_run(store, list_run_ids(folder / "store")[-1])
        flow_runs = list_training_flow_runs(environment, run.run_id)
        own = {f"train {one.variant}, seed {one.seed}": one.seconds for one in run.trainings}
        spans.append(span := max(one["end"] for one in flow_runs) - min(one["start"] for one in flow_runs))
        plural = "s" if count > 1 else ""
        rows += [
            (f"{len(flow_runs)} trainings on {count} worker{plural}, first start to last end", f"{span:.0f} s"),
            ("… whole command", f"{wall:.0f} s"),
            (
                "… between two trainings on the same worker",
                spread(measure_gaps(flow_runs)) if len(flow_runs) > count else "none",
            ),
            ("… a training's own time, from its request", spread([own[one["name"]]["total"] for one in flow_runs])),
            ("… of which fitting", spread([own[one["name"]]["fit"] for one in flow_runs])),
            (
                "… flow run beyond its training",
                spread([one["end"] - one["start"] - own[one["name"]]["total"] for one in flow_runs]),
            ),
        ]
        print("\n".join(f"  {what}: {figure}" for what, figure in rows[-6:]), flush=True)
    rows.append(("one worker / two workers, first start to last end", f"{spans[0] / spans[1]:.2f}"))
    return rows


def list_training_flow_runs(environment: dict[str, str], run_id: str) -> list[dict[str, Any]]:
    """Return the flow runs of a run's trainings: name, and start and end in seconds since 1970."""
    asked = {"flows": {"name": {"any_": ["train-variant"]}}, "limit": 200}
    with open_client(environment) as client:
        found = client.post("/flow_runs/filter", json=asked).raise_for_status().json()
    return [
        {
            "name": one["name"],
            "start": datetime.fromisoformat(one["start_time"]).timestamp(),
            "end": datetime.fromisoformat(one["end_time"]).timestamp(),
        }
        for one in found
        if one["parameters"]["run_folder"] == f"runs/{run_id}"
    ]


def measure_gaps(flow_runs: list[dict[str, Any]]) -> list[float]:
    """Return the seconds between the end of each training and the start of the next one on the same worker."""
    waiting = sorted(one["end"] for one in flow_runs)
    starts = sorted(one["start"] for one in flow_runs)
    places = sum(start < waiting[0] for start in starts)
    return [start - end for end, start in zip(waiting, starts[places:], strict=False)]
