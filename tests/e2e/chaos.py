"""Inject many faults into real runs, and write the results to RESULTS.md: `make chaos`.

The parts: kills at random moments, kills at each step of each write, flipped bits in files of every kind, workers lost
while they train, hosts that lose each other, and the time that more workers save. Every part prints its seed. With the
same seed it makes the same random choices, but the machine's timing differs.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.finished_store import make_finished_store
from tests.chaos.flips import flip_bits
from tests.chaos.hosts import lose_hosts
from tests.chaos.kills import RandomKills, add_up, kill_at_random
from tests.chaos.network import find_obstacle
from tests.chaos.processes import run_server
from tests.chaos.results import write_section
from tests.chaos.workers import lose_workers, measure_throughput, run_options
from tests.chaos.writes import sweep_writes
from tests.e2e.postgresql import INSTALLED, PostgreSQL

Rows = list[tuple[str, str]]


def count_by_name(counts: dict) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=str)) or "none"


def run_kills(options: argparse.Namespace, folder: Path) -> Rows:
    """Kill processes at random moments, in several lanes at once; return the rows of the results."""
    with run_server(folder) as environment:
        shares = [(options.kills + lane) // options.lanes for lane in range(options.lanes)]

        def kill(lane: int) -> RandomKills:
            place = folder / f"lane-{lane}"
            return kill_at_random(environment, place, shares[lane], options.seed + lane, 60 * options.minutes)

        with ThreadPoolExecutor(options.lanes) as pool:
            found = add_up(list(pool.map(kill, range(options.lanes))))
    for sentence in found.wrong + found.orphans:
        print(f"  WRONG: {sentence}")
    options.bad += len(found.wrong) + len(found.orphans)
    return [
        ("SIGKILLs at random moments", f"{found.kills} of {options.kills}, in {options.lanes} lanes"),
        ("… of which", count_by_name(found.targets)),
        ("runs in all; those that resumed a killed flow run", f"{found.runs}; {found.resumed}"),
        ("exit codes of runs with a killed process", count_by_name(found.codes)),
        ("runs without kills; published runs", f"{found.undisturbed}; {found.published}"),
        ("files damaged, lost or changed; runs with an end that is not allowed", str(len(found.wrong))),
        ("processes left 30 s after their run", str(len(found.orphans))),
    ]


def run_writes(options: argparse.Namespace, folder: Path) -> Rows:
    """Kill the writing process at each step of each write; return the rows of the results."""
    with run_server(folder) as environment:
        found = sweep_writes(environment, folder, most_seconds=60 * options.minutes)
    for sentence in found.wrong + found.orphans:
        print(f"  WRONG: {sentence}")
    options.bad += len(found.wrong) + len(found.orphans)
    return [
        ("steps of writes at which the writing process was killed, each once", str(len(found.steps))),
        ("runs, each after the kill of the one before; the last one succeeded", str(found.runs)),
        ("files damaged, lost or changed", str(len(found.wrong))),
        ("processes left 30 s after their run", str(len(found.orphans))),
    ]


def run_flips(options: argparse.Namespace, folder: Path) -> Rows:
    """Damage files of every kind in copies of a store; return the rows of the results."""
    with run_server(folder) as environment:
        sound = make_finished_store(environment, folder)
    found = flip_bits(sound, folder, options.flips, options.seed)
    for sentence in found.missed:
        print(f"  MISSED: {sentence}")
    options.bad += len(found.missed)
    return [
        ("flipped bits and truncations, one in each copy of a store", str(found.done.total())),
        ("… by kind of file", count_by_name(found.done)),
        ("not found by the reader of that kind", str(len(found.unread))),
        ("not found by `retrain verify`, or found in another file too", str(len(found.unverified))),
        ("not moved to quarantine by the next run's search", str(len(found.unmended))),
    ]


@contextmanager
def server_for_workers(folder: Path) -> Iterator[tuple[dict[str, str], Rows]]:
    """Run a Prefect server for several workers: on PostgreSQL if it is installed, else on SQLite.

    On SQLite the server's own services block each other, for up to a minute.

    Yields:
        The environment for the server's clients, and a row of the results that names the database.
    """
    if not INSTALLED:
        with run_server(folder) as environment:
            yield environment, [("the Prefect server's database", "SQLite, because PostgreSQL is not installed")]
        return
    database = PostgreSQL()
    try:
        database.run_client("createdb", "prefect")
        variables = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database.url("prefect")}
        with run_server(folder, **variables) as environment:
            yield environment, [("the Prefect server's database", f"PostgreSQL {database.version}")]
    finally:
        database.stop()


def run_workers(options: argparse.Namespace, folder: Path) -> Rows:
    """Kill workers while they train; return the rows of the results."""
    with server_for_workers(folder) as (environment, setting):
        rows, wrong = lose_workers(environment, folder, options)
    options.bad += wrong
    return rows + setting


def run_hosts(options: argparse.Namespace, folder: Path) -> Rows:
    """Cut hosts off from each other while they train; return the rows of the results."""
    if obstacle := find_obstacle():
        return [("not done", obstacle)]
    rows, wrong = lose_hosts(folder, options, run_options(options))
    options.bad += wrong
    return rows


def run_throughput(options: argparse.Namespace, folder: Path) -> Rows:
    """Measure the time that a second worker saves; return the rows of the results."""
    with server_for_workers(folder) as (environment, setting):
        return measure_throughput(environment, folder, options) + setting


PARTS: dict[str, tuple[str, Callable[[argparse.Namespace, Path], Rows]]] = {
    "kills": ("Kills at random moments", run_kills),
    "writes": ("Kills at each step of each write", run_writes),
    "flips": ("Flipped bits", run_flips),
    "workers": ("Workers lost while they train", run_workers),
    "hosts": ("Hosts that lose each other", run_hosts),
    "throughput": ("More workers", run_throughput),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the campaign's options."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    add = parser.add_argument
    add("--part", choices=PARTS, action="append", help="do only this part; can be given several times (all parts)")
    add(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(10**6),
        help="seed of all random choices (a new one)",
    )
    add("--kills", type=int, default=200, help="SIGKILLs at random moments (200)")
    add("--lanes", type=int, default=2, help="how many runs with random kills go on at once, each on its own store (2)")
    add("--minutes", type=float, default=float("inf"), help="end each part with kills after so many minutes (no limit)")
    add("--flips", type=int, default=1000, help="bits flipped and files cut (1000)")
    add("--workers", type=int, default=4, help="number of workers in the part that kills workers (4)")
    add("--every-seconds", type=float, default=20, help="seconds between two faults of workers and hosts (20)")
    add("--seeds", type=int, default=3, help="seeds of each of the four variants on workers (3)")
    add("--epochs", type=int, help="epochs of each training on workers (the recipe's)")
    add("--sample", action="store_true", help="train workers on the sample even if the real archive exists")
    return parser


def format_options(part: str, options: argparse.Namespace) -> str:
    """Return the options that repeat one part."""
    names = {
        "kills": ("kills", "lanes", "minutes"),
        "writes": ("minutes",),
        "flips": ("flips",),
        "throughput": ("seeds", "epochs"),
    }
    names["hosts"] = ("every_seconds", *names["throughput"])
    names["workers"] = ("workers", *names["hosts"])
    values = [("part", part), *((name, getattr(options, name)) for name in (*names[part], "seed"))]
    given = [f"--{name.replace('_', '-')} {value}" for name, value in values if value is not None]
    return " ".join(given + ["--sample"] * (options.sample and part in ("workers", "hosts", "throughput")))


def main() -> int:
    """Run the chosen parts and write their results; return exit code 1 if anything was wrong."""
    options = build_parser().parse_args()
    options.bad = 0
    for part in options.part or PARTS:
        title, do = PARTS[part]
        print(f"{title}, seed {options.seed}", flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
            rows = do(options, Path(folder))
        rows.append(("time for all of it", f"{time.monotonic() - began:.0f} s"))
        for what, figure in rows:
            print(f"  {what}: {figure}", flush=True)
        write_section(title, f'make chaos ARGS="{format_options(part, options)}"', rows)
    return 1 if options.bad else 0


if __name__ == "__main__":
    os.environ.pop("RETRAIN_STORE", None)
    sys.exit(main())
