"""Do many faults to real runs, and write to RESULTS.md what came of them: `make chaos`.

Kills at random, kills at each step of each write, flipped bits in files of every kind, workers lost while they train,
and the time that more workers save. Every part says its seed, and does the same again with it, as far as the machine's
own timing allows.
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
from tests.chaos.kills import RandomKills, add_up, kill_at_random
from tests.chaos.processes import server_in
from tests.chaos.results import write_section
from tests.chaos.workers import lose_workers, measure_throughput
from tests.chaos.writes import sweep_writes
from tests.e2e.postgresql import INSTALLED, PostgreSQL

Rows = list[tuple[str, str]]


def count_by_name(counts: dict) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=str)) or "none"


def kills(options: argparse.Namespace, folder: Path) -> Rows:
    with server_in(folder) as environment:
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
        ("runs in all; those that went on with a killed flow run", f"{found.runs}; {found.resumed}"),
        ("exit codes of runs in which somebody was killed", count_by_name(found.codes)),
        ("runs that nobody disturbed; nights published", f"{found.undisturbed}; {found.published}"),
        ("files damaged, lost or changed; runs that ended otherwise than allowed", str(len(found.wrong))),
        ("processes left 30 s after their run", str(len(found.orphans))),
    ]


def writes(options: argparse.Namespace, folder: Path) -> Rows:
    with server_in(folder) as environment:
        found = sweep_writes(environment, folder, most_seconds=60 * options.minutes)
    for sentence in found.wrong + found.orphans:
        print(f"  WRONG: {sentence}")
    options.bad += len(found.wrong) + len(found.orphans)
    return [
        ("steps of writes at which the writer was killed, each once", str(len(found.steps))),
        ("runs, each beginning where the one before it died; the last ended well", str(found.runs)),
        ("files damaged, lost or changed", str(len(found.wrong))),
        ("processes left 30 s after their run", str(len(found.orphans))),
    ]


def flips(options: argparse.Namespace, folder: Path) -> Rows:
    with server_in(folder) as environment:
        sound = make_finished_store(environment, folder)
    found = flip_bits(sound, folder, options.flips, options.seed)
    for sentence in found.missed:
        print(f"  MISSED: {sentence}")
    options.bad += len(found.missed)
    return [
        ("flipped bits and truncations, one in each copy of a store", str(found.done.total())),
        ("… by kind of file", count_by_name(found.done)),
        ("not found by the reader of that kind", str(len(found.unread))),
        ("not found by `retrain verify`, or blamed on another file", str(len(found.unverified))),
        ("not put aside by the next run's look for it", str(len(found.unmended))),
    ]


@contextmanager
def server_for_workers(folder: Path) -> Iterator[tuple[dict[str, str], Rows]]:
    """Run a Prefect server as a site with several workers does: on PostgreSQL, where it is installed.

    On SQLite the server's own services lock each other out, for as long as a minute.
    """
    if not INSTALLED:
        with server_in(folder) as environment:
            yield environment, [("the Prefect server's database", "SQLite, for there is no PostgreSQL here")]
        return
    database = PostgreSQL()
    try:
        database.client("createdb", "prefect")
        variables = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database.url("prefect")}
        with server_in(folder, **variables) as environment:
            yield environment, [("the Prefect server's database", f"PostgreSQL {database.version}")]
    finally:
        database.stop()


def workers(options: argparse.Namespace, folder: Path) -> Rows:
    with server_for_workers(folder) as (environment, setting):
        rows, wrong = lose_workers(environment, folder, options)
    options.bad += wrong
    return rows + setting


def throughput(options: argparse.Namespace, folder: Path) -> Rows:
    with server_for_workers(folder) as (environment, setting):
        return measure_throughput(environment, folder, options) + setting


PARTS: dict[str, tuple[str, Callable[[argparse.Namespace, Path], Rows]]] = {
    "kills": ("Kills at random moments", kills),
    "writes": ("Kills at each step of each write", writes),
    "flips": ("Flipped bits", flips),
    "workers": ("Workers lost while they train", workers),
    "throughput": ("More workers", throughput),
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    add = parser.add_argument
    add("--part", choices=PARTS, action="append", help="do this part alone; may be given again (all parts)")
    add("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of all that is random (a new one)")
    add("--kills", type=int, default=200, help="SIGKILLs at random moments (200)")
    add("--lanes", type=int, default=2, help="random kills side by side, each on a store of its own (2)")
    add("--minutes", type=float, default=float("inf"), help="end each part that kills after so long (when all is done)")
    add("--flips", type=int, default=1000, help="bits flipped and files cut (1000)")
    add("--workers", type=int, default=4, help="workers of which one is lost again and again (4)")
    add("--every-seconds", type=float, default=20, help="how often a worker is lost (20)")
    add("--seeds", type=int, default=3, help="seeds of each of the four variants on workers (3)")
    add("--epochs", type=int, help="of each training on workers (the recipe's own early stop)")
    add("--sample", action="store_true", help="train on workers on the sample even where the real archive is there")
    return parser


def repeat(part: str, options: argparse.Namespace) -> str:
    """Return the options that do one part again."""
    names = {
        "kills": ("kills", "lanes", "minutes"),
        "writes": ("minutes",),
        "flips": ("flips",),
        "throughput": ("seeds", "epochs"),
    }
    names["workers"] = ("workers", "every_seconds", *names["throughput"])
    values = [("part", part), *((name, getattr(options, name)) for name in (*names[part], "seed"))]
    given = [f"--{name.replace('_', '-')} {value}" for name, value in values if value is not None]
    return " ".join(given + ["--sample"] * (options.sample and part in ("workers", "throughput")))


def main() -> int:
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
        write_section(title, f'make chaos ARGS="{repeat(part, options)}"', rows)
    return 1 if options.bad else 0


if __name__ == "__main__":
    os.environ.pop("RETRAIN_STORE", None)
    sys.exit(main())
