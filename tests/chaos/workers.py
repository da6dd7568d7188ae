"""Trainings on real workers: lose one again and again while they train, and measure what a second one saves."""

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
from tests.chaos.processes import Night, orphans_after, run_ids, start
from tests.e2e.servers import PREFECT, deploy, end, kill_whole, open_client

Rows = list[tuple[str, str]]


def start_worker(environment: dict[str, str], folder: Path, name: str) -> Night:
    command = [PREFECT, "worker", "start", "--pool", "training", "--limit", "1", "--name", name]
    return start(environment, command, folder / "workers")


@contextmanager
def workers_on(environment: dict[str, str], folder: Path, count: int) -> Iterator[list[Night]]:
    """Run so many workers; whoever is in the list at the end is ended."""
    started = [start_worker(environment, folder, f"worker-{number}") for number in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            end(worker.process)


def start_hand_out(environment: dict[str, str], store: Path, folder: Path, options: argparse.Namespace) -> Night:
    """Start a night whose trainings, four variants with each seed, are handed to workers."""
    source = str(REAL_ARCHIVE) if REAL_ARCHIVE.is_file() and not options.sample else "sample"
    seeds = ",".join(str(42 + number) for number in range(options.seeds))
    given = ["--source", source, "--seeds", seeds]
    if options.epochs:
        # All of them, whatever the validation loss does.
        given += ["--epochs", str(options.epochs), "--patience", str(options.epochs)]
    command = [sys.executable, "-m", "flows", "run", "--placement", "workers", "--no-baselines", "--store", str(store)]
    return start(environment, [*command, *given], folder / "logs")


def lose_workers(environment: dict[str, str], folder: Path, options: argparse.Namespace) -> tuple[Rows, int]:
    """Kill a worker every few seconds, start another in its place, and see whether all trainings finish."""
    chance, store, planned = random.Random(options.seed), folder / "store", 4 * options.seeds
    deploy(environment)
    lost, idle, killed = 0, 0, []
    began = time.monotonic()
    with workers_on(environment, folder, options.workers) as workers:
        night = start_hand_out(environment, store, folder, options)
        while night.process.poll() is None:
            try:
                night.process.wait(options.every_seconds)
                break
            except subprocess.TimeoutExpired:
                place = chance.randrange(len(workers))
                died = kill_whole(workers[place].process)
                lost, idle = lost + 1, idle + (died == 1)
                killed.append(workers[place])
                workers[place] = start_worker(environment, folder, f"replacement-{lost}")
                done = len(list(store.glob("runs/*/*/training.json")))
                at = f"{time.monotonic() - began:4.0f} s"
                print(f"  {at}  killed a worker, {died} processes; {done} of {planned} trainings done", flush=True)
        code, errors = night.wait(5)
        marks = [one.mark for one in (night, *killed, *workers)]
    orphans = [orphan for mark in marks for orphan in orphans_after(mark)]
    damaged = verify_store(Store(str(store))).damaged
    finished = read_run(Store(str(store)), run_ids(store)[-1]).trainings if run_ids(store) else ()
    for line in [line for line in errors.splitlines() if line.startswith("retrain run:")] + list(damaged) + orphans:
        print(f"  {line}")
    rows = [
        ("trainings that finished", f"{len(finished)} of {planned}"),
        ("workers; one killed every", f"{options.workers}; {options.every_seconds:g} s"),
        ("workers killed with all their processes; of which had no work", f"{lost}; {idle}"),
        ("trainings handed out again", str(errors.count("it is submitted again"))),
        ("the night's exit code", str(code)),
        ("files damaged", str(len(damaged))),
        ("processes left 30 s after everything ended", str(len(orphans))),
    ]
    return rows, (planned - len(finished)) + len(damaged) + len(orphans)


def measure_throughput(environment: dict[str, str], folder: Path, options: argparse.Namespace) -> Rows:
    """Run the same trainings on one worker and on two."""
    deploy(environment)
    rows, spans = [], []
    for count in (1, 2):
        with workers_on(environment, folder, count) as workers:
            began = time.monotonic()
            night = start_hand_out(environment, folder / "store", folder, options)
            code, errors = night.wait(7200)
            wall = time.monotonic() - began
        if code or len(workers) != count:
            raise RuntimeError(f"the night on {count} workers ended with exit code {code}: {errors}")
        store = Store(str(folder / "store"))
        run = read_run(store, run_ids(folder / "store")[-1])
        runs = training_runs(environment, run.run_id)
        own = {f"train {one.variant}, seed {one.seed}": one.seconds for one in run.trainings}
        spans.append(span := max(one["end"] for one in runs) - min(one["start"] for one in runs))
        plural = "s" if count > 1 else ""
        rows += [
            (f"{len(runs)} trainings on {count} worker{plural}, first start to last end", f"{span:.0f} s"),
            ("… whole command", f"{wall:.0f} s"),
            ("… between two trainings on the same worker", spread(gaps(runs)) if len(runs) > count else "none"),
            ("… a training's own time, from its request", spread([own[one["name"]]["total"] for one in runs])),
            ("… of which fitting", spread([own[one["name"]]["fit"] for one in runs])),
            (
                "… flow run beyond its training",
                spread([one["end"] - one["start"] - own[one["name"]]["total"] for one in runs]),
            ),
        ]
        print("\n".join(f"  {what}: {figure}" for what, figure in rows[-6:]), flush=True)
    rows.append(("one worker / two workers, first start to last end", f"{spans[0] / spans[1]:.2f}"))
    return rows


def training_runs(environment: dict[str, str], run_id: str) -> list[dict[str, Any]]:
    """Return the flow runs of a night's trainings: name, and start and end in seconds."""
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


def gaps(runs: list[dict[str, Any]]) -> list[float]:
    """Return the seconds between the end of a training and the start of the next that takes its place."""
    waiting = sorted(one["end"] for one in runs)
    starts = sorted(one["start"] for one in runs)
    places = sum(start < waiting[0] for start in starts)
    return [start - end for end, start in zip(waiting, starts[places:], strict=False)]
