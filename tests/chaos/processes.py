"""Start runs as processes on a real Prefect server, and find the processes that they leave behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
def run_server(folder: Path, **variables: str) -> Iterator[dict[str, str]]:
    """Run a Prefect server on loopback, and yield the environment for its clients.

    Args:
        folder: For the server's files.
        variables: More variables for the environment.
    """
    environment = make_environment(folder) | variables
    with (folder / "server.txt").open("w") as log, prefect_server(environment, log):
        yield environment


@dataclass
class StartedCommand:
    """A command in a process of its own.

    Attributes:
        process: The command's process.
        mark: Value of `FAULT_MARK` in the environment of the process and of all that it starts.
        errors: File with its standard error.
    """

    process: subprocess.Popen[str]
    mark: str
    errors: Path

    def wait(self, seconds: float = 300) -> tuple[int, str]:
        """Wait for the end of the command.

        Returns:
            The exit code, and standard error without the lines on epochs.

        Raises:
            AssertionError: The command did not end in time; all its processes are killed.
        """
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for process in find_marked(self.mark):
                process.kill()
            raise AssertionError(f"the command did not end within {seconds} s: {self.read_errors()}") from None
        return code, self.read_errors()

    def read_errors(self) -> str:
        lines = self.errors.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if " epoch " not in line)

    def last_line(self) -> str:
        """Return the last line with the command's own name."""
        lines = [line for line in self.errors.read_text().splitlines() if line.startswith("retrain run: ")]
        return lines[-1] if lines else ""

    def signal(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)

    def children(self, module: str = "") -> list[psutil.Process]:
        """Return the living processes that the command started; with `module`, only those of that module."""
        return [
            process
            for process in find_marked(self.mark)
            if process.pid != self.process.pid and (not module or module in read_command(process))
        ]


def read_command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def find_marked(mark: str) -> list[psutil.Process]:
    """Return the living processes with a mark in their environment, also those with another parent by now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def start(environment: dict[str, str], command: list[str], logs: Path, **variables: str) -> StartedCommand:
    """Start a command with a new mark.

    Args:
        environment: Its environment.
        command: Its words.
        logs: Folder for its standard error.
        variables: More variables for its environment.
    """
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
    return StartedCommand(process, mark, errors)


def start_run(environment: dict[str, str], store: Path | str, logs: Path, **changes: Any) -> StartedCommand:
    """Start `retrain run` on a small sample.

    Args:
        environment: The command's environment.
        store: The store of the run.
        logs: Folder for standard error.
        changes: Options of the command; names in capitals are variables of its environment.
    """
    options = SMALL | {
        f"--{name.replace('_', '-')}": str(value) for name, value in changes.items() if not name.isupper()
    }
    command = [sys.executable, "-m", "flows", "run", "--no-baselines", "--store", str(store)]
    command += [word for option in options.items() for word in option]
    return start(environment, command, logs, **{name: value for name, value in changes.items() if name.isupper()})


def write_plan(folder: Path, only: list[str] | None) -> dict[str, str]:
    """Write a plan of the steps at which processes are killed.

    Args:
        folder: Where the plan is written.
        only: The steps; all if None.

    Returns:
        The variables with which a run and its children follow the plan.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "only.json").write_text(json.dumps(only))
    (folder / "died.txt").touch()
    return {"FAULT_PLAN": str(folder), "PYTHONPATH": WITH_HOOK}


def end_orphans(mark: str, seconds: float = 30) -> list[str]:
    """Kill the processes that outlive their command.

    Args:
        mark: The command's mark.
        seconds: How long they may outlive it.

    Returns:
        The command lines of those that were killed.
    """
    with suppress(AssertionError):
        wait_until(lambda: not find_marked(mark), seconds, "the end of a run's processes")
    left = find_marked(mark)
    described = [" ".join(read_command(process)) for process in left]
    for process in left:
        process.kill()
    return described


def read_newest_state(environment: dict[str, str]) -> dict[str, Any]:
    """Return the state of the flow run that started last."""
    started = {"flow_runs": {"start_time": {"is_null_": False}}, "sort": "START_TIME_DESC", "limit": 1}
    with open_client(environment) as client:
        (flow_run,) = client.post("/flow_runs/filter", json=started).raise_for_status().json()
    state: dict[str, Any] = flow_run["state"]
    return state


def list_run_ids(store: Path) -> list[str]:
    """Return the ids of the published runs."""
    return sorted(path.parent.name for path in store.glob("runs/*/run.json"))


def is_one_line(text: str) -> bool:
    """Return whether the command reported its error in one line, without a traceback."""
    lines = [line for line in text.splitlines() if line.startswith("retrain run: ")]
    return len(lines) == 1 and not re.search(r"Traceback|^\s+File ", text, re.MULTILINE)
