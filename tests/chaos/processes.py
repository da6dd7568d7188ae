"""Real runs in processes of their own, a real Prefect server for all of them, and whatever they leave behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.servers import make_environment, open_client, prefect_server
from tests.places import PROJECT_ROOT
from tests.stubs import WITH_HOOK
from tests.waiting import wait_until

MARK = "FAULT_MARK"
SMALL = {
    "--source": "sample",
    "--sample-reviews": "300",
    "--epochs": "2",
    "--maxlen": "40",
    "--variants": "gru",
    "--jobs": "1",
}


@contextmanager
def server_in(folder: Path, **variables: str) -> Iterator[dict[str, str]]:
    """Run a Prefect server on loopback; yield the environment in which processes find it."""
    environment = make_environment(folder) | variables
    with (folder / "server.txt").open("w") as log, prefect_server(environment, log):
        yield environment


@dataclass
class Night:
    """A run of the command in a process of its own, and the mark by which all processes that it starts are known."""

    process: subprocess.Popen[str]
    mark: str
    errors: Path
    began: float = field(default_factory=time.monotonic)

    def wait(self, seconds: float = 300) -> tuple[int, str]:
        """Return the exit code and what was said of all but epochs; kill everything that takes too long."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for process in marked(self.mark):
                process.kill()
            raise AssertionError(f"the run was not over after {seconds} s: {self.said()}") from None
        return code, self.said()

    def said(self) -> str:
        lines = self.errors.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if " epoch " not in line)

    def last_line(self) -> str:
        """Return what the command said of itself."""
        lines = [line for line in self.errors.read_text().splitlines() if line.startswith("retrain run: ")]
        return lines[-1] if lines else ""

    def signal(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)

    def children(self, module: str = "") -> list[psutil.Process]:
        """Return the living processes that the run started, those of one module where it is named."""
        return [
            process
            for process in marked(self.mark)
            if process.pid != self.process.pid and (not module or module in command_of(process))
        ]


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes that have a mark in their environment, wherever they have been moved to."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def start(environment: dict[str, str], command: list[str], logs: Path, **variables: str) -> Night:
    """Start a command with a mark of its own."""
    mark = uuid.uuid4().hex
    logs.mkdir(parents=True, exist_ok=True)
    errors = logs / f"{mark}.txt"
    with errors.open("w") as log:
        process = subprocess.Popen(
            command,
            env={**environment, MARK: mark, **variables},
            cwd=PROJECT_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
    return Night(process, mark, errors)


def start_night(environment: dict[str, str], store: Path | str, logs: Path, **changes: Any) -> Night:
    """Start `retrain run` on a small sample; `changes` are options, and variables where they are in capitals."""
    options = SMALL | {
        f"--{name.replace('_', '-')}": str(value) for name, value in changes.items() if not name.isupper()
    }
    command = [sys.executable, "-m", "flows", "run", "--no-baselines", "--store", str(store)]
    command += [word for option in options.items() for word in option]
    return start(environment, command, logs, **{name: value for name, value in changes.items() if name.isupper()})


def with_plan(folder: Path, only: list[str] | None) -> dict[str, str]:
    """Write a plan of steps to die at (None: all); return the variables that make a run and its children follow it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "only.json").write_text(json.dumps(only))
    (folder / "died.txt").touch()
    return {"FAULT_PLAN": str(folder), "PYTHONPATH": WITH_HOOK}


def orphans_after(mark: str, seconds: float = 30) -> list[str]:
    """Return the processes of a run that is over which are still there after so many seconds, and end them."""
    with suppress(AssertionError):
        wait_until(lambda: not marked(mark), seconds, "the end of a run's processes")
    left = marked(mark)
    described = [" ".join(command_of(process)) for process in left]
    for process in left:
        process.kill()
    return described


def newest_state(environment: dict[str, str]) -> dict[str, Any]:
    """Return the state of the flow run that was started last."""
    started = {"flow_runs": {"start_time": {"is_null_": False}}, "sort": "START_TIME_DESC", "limit": 1}
    with open_client(environment) as client:
        (flow_run,) = client.post("/flow_runs/filter", json=started).raise_for_status().json()
    state: dict[str, Any] = flow_run["state"]
    return state


def run_ids(store: Path) -> list[str]:
    """Return the ids of the runs that are published."""
    return sorted(path.parent.name for path in store.glob("runs/*/run.json"))


def is_one_line(text: str) -> bool:
    """Return whether the command said what was wrong in one line, with no traceback."""
    said = [line for line in text.splitlines() if line.startswith("retrain run: ")]
    return len(said) == 1 and not re.search(r"Traceback|^\s+File ", text, re.MULTILINE)
