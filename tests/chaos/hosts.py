"""A site on several hosts: Prefect's server with its database, an object store, a run, and one host for each worker."""

from __future__ import annotations

import argparse
import itertools
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.network import Network
from tests.chaos.processes import MARK, end_orphans
from tests.e2e.postgresql import INSTALLED, PostgreSQL
from tests.e2e.servers import ALARMS, PREFECT, SHORT_WINDOWS, end, make_environment, upgrade
from tests.object_server import CREDENTIALS
from tests.waiting import wait_until

Rows = list[tuple[str, str]]
SERVER, STORE, RUN = "server", "store", "run"
SERVER_PORT, STORE_PORT, BUCKET = 4200, 9000, "retraining"
ASK = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)"


class Site:
    """The hosts and their processes. All files of a host's processes are below a folder of its own.

    Attributes:
        network: The hosts.
        environment: The variables of every process, but for the folders.
        mark: The value of `MARK` in the environment of every worker and run.
    """

    def __init__(self, folder: Path, workers: list[str], **variables: str) -> None:
        self.folder, self.mark = folder, f"hosts-{random.SystemRandom().randrange(10**9)}"
        self.network = Network(SERVER, STORE, RUN, *workers)
        self._ends: list[Callable[[], None]] = [self.network.close]
        self._logs = ExitStack()
        address = self.network.addresses
        self.environment = {
            **make_environment(folder),
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": f"http://{address[STORE]}:{STORE_PORT}",
            "PREFECT_API_URL": f"http://{address[SERVER]}:{SERVER_PORT}/api",
            "RETRAIN_STORE": f"s3://{BUCKET}/site",
            MARK: self.mark,
            **variables,
        }

    def open(self, migrate: Callable[[Path], None] | None = None) -> None:
        """Start the server, the object store and the workers, and create the deployments.

        Args:
            migrate: It puts a database with Prefect's tables into a folder, for a site without PostgreSQL.
        """
        self._start_store()
        server = self.environment_of(SERVER)
        if INSTALLED:
            database = PostgreSQL(tuple(self.network.command_on(SERVER)))
            self._ends.append(database.stop)
            database.run_client("createdb", "prefect")
            self.environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.url("prefect")
            server = self.environment_of(SERVER)
            code, said = self.network.run(SERVER, [PREFECT, "server", "database", "upgrade", "-y"], server)
            assert code == 0, said
        elif migrate:
            migrate(Path(server["PREFECT_HOME"]))
        else:
            upgrade(server)
        self.server = self.start_server()
        self._ends.append(lambda: end(self.server))
        code, said = self.network.run(RUN, ["make", "deploy"], self.environment_of(RUN))
        assert code == 0, said
        self.workers = {
            host: self.start_worker(host) for host in self.network.addresses if host not in (SERVER, STORE, RUN)
        }

    def _start_store(self) -> None:
        words = [
            sys.executable,
            "-m",
            "tests.chaos.object_host",
            self.network.addresses[STORE],
            str(STORE_PORT),
            BUCKET,
        ]
        process = subprocess.Popen(
            self.network.command_on(STORE, *words),
            env=self.environment_of(STORE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._ends.append(lambda: end(process))
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"

    def environment_of(self, host: str) -> dict[str, str]:
        return self.environment | {"PREFECT_HOME": str(self.folder / host)}

    def log_of(self, host: str) -> Path:
        return self.folder / f"{host}.txt"

    def _start(self, host: str, words: list[str]) -> subprocess.Popen[str]:
        log = self._logs.enter_context(self.log_of(host).open("a"))
        return self.network.start(host, words, self.environment_of(host), log)

    def start_server(self) -> subprocess.Popen[str]:
        """Start Prefect's server, and return when it answers the host of the run."""
        address = self.network.addresses[SERVER]
        server = self._start(SERVER, [PREFECT, "server", "start", "--host", address, "--port", str(SERVER_PORT)])
        ask = [sys.executable, "-c", ASK, f"{self.environment['PREFECT_API_URL']}/health"]
        environment = self.environment_of(RUN)
        wait_until(lambda: self.network.run(RUN, ask, environment)[0] == 0, 180, "the server's start", every=0.5)
        return server

    def restart_server(self) -> None:
        end(self.server)
        self.server = self.start_server()

    def start_worker(self, host: str) -> subprocess.Popen[str]:
        words = [PREFECT, "worker", "start", "--pool", "training", "--limit", "1", "--name", host]
        worker = self._start(host, words)
        self._ends.append(lambda: end(worker))
        return worker

    def shorten_alarms(self) -> None:
        """Load the alarms with windows for tests."""
        text = ALARMS.read_text()
        for window, shorter in SHORT_WINDOWS.items():
            text = text.replace(window, shorter)
        path = self.folder / "short-alarms.yaml"
        path.write_text(text)
        code, said = self.network.run(RUN, [sys.executable, "-m", "flows.alarms", str(path)], self.environment_of(RUN))
        assert code == 0, said

    def start_run(self, *options: str) -> subprocess.Popen[str]:
        """Start a run that hands its trainings to the workers."""
        words = [sys.executable, "-m", "flows", "run", "--placement", "workers", "--no-baselines", *options]
        return self._start(RUN, words)

    def verify(self) -> tuple[int, str]:
        """Do `retrain verify`; return its exit code and what it printed."""
        return self.network.run(RUN, [sys.executable, "-m", "flows", "verify"], self.environment_of(RUN))

    def close(self) -> list[str]:
        """Stop everything; return the command lines of what still ran 30 s later."""
        for host in self.network.addresses:
            self.network.heal(host)
        for stop in reversed(self._ends[1:]):
            stop()
        left = end_orphans(self.mark)
        self._ends[0]()
        self._logs.close()
        return left


@contextmanager
def site_on_hosts(
    folder: Path, workers: list[str], migrate: Callable[[Path], None] | None = None, **variables: str
) -> Iterator[Site]:
    site = Site(folder, workers, **variables)
    try:
        site.open(migrate)
        yield site
    finally:
        site.close()


def lose_hosts(folder: Path, options: argparse.Namespace, given: list[str]) -> tuple[Rows, int]:
    """Cut hosts off and heal them, again and again, while 12 trainings run on two workers.

    Args:
        folder: For the files of all hosts.
        options: The campaign's options.
        given: The run's options.

    Returns:
        The rows of the results, and the number of lost trainings, damaged files and orphans.
    """
    planned, chance = 4 * options.seeds, random.Random(options.seed)
    site = Site(folder, ["first", "second"])
    try:
        site.open()
        faults = itertools.cycle(_list_faults(site, chance))
        run, done, began = site.start_run(*given), [], time.monotonic()
        while not _ends_within(run, options.every_seconds):
            name, fault = next(faults)
            fault()
            done.append(name)
            print(f"  {time.monotonic() - began:4.0f} s  {name}", flush=True)
        said = site.log_of(RUN).read_text()
        code, verified = site.verify()
    finally:
        left = site.close()
    # The rows of the table that the run prints at its end.
    finished = len(set(re.findall(r"^(\S+-seed\d+) +\d+ ", said, re.MULTILINE)))
    for line in [line for line in said.splitlines() if line.startswith("retrain run:")] + left:
        print(f"  {line}")
    rows = [
        ("trainings that finished", f"{finished} of {planned}"),
        ("hosts: server with its database, object store, run, workers", "5"),
        ("faults", ", ".join(f"{name} {done.count(name)}" for name in dict.fromkeys(done))),
        ("trainings handed out again", str(said.count("it is submitted again"))),
        ("the run's exit code", str(run.returncode)),
        ("`retrain verify`", verified.strip().splitlines()[-1] if verified.strip() else str(code)),
        ("processes left 30 s after everything ended", str(len(left))),
    ]
    return rows, (planned - finished) + (code != 0) + (run.returncode != 0) + len(left)


def _list_faults(site: Site, chance: random.Random) -> list[tuple[str, Callable[[], None]]]:
    def away(host: Callable[[], str], seconds: float) -> Callable[[], None]:
        def cut_and_heal() -> None:
            cut = host()
            site.network.cut(cut)
            time.sleep(seconds)
            site.network.heal(cut)

        return cut_and_heal

    def any_worker() -> str:
        return chance.choice(list(site.workers))

    return [
        ("a worker cut off for 20 s", away(any_worker, 20)),
        ("the server cut off for 30 s", away(lambda: SERVER, 30)),
        ("a worker cut off for 150 s", away(any_worker, 150)),
        ("the object store cut off for 20 s", away(lambda: STORE, 20)),
        ("the server restarted", site.restart_server),
    ]


def _ends_within(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
