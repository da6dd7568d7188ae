"""A Prefect server that disappears during a run: trainings keep their speed, and the report is published."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.runs import list_runs
from storage.store import Store
from tests.e2e.servers import end, make_environment, open_client, start_server, wait_for_server
from tests.stubs import STUB
from tests.waiting import wait_until

EPOCHS, EPOCH_SECONDS = 12, 0.5


class LostServer:
    """A server of its own, and one run that is started on it."""

    def __init__(self, folder: Path, log):
        self.environment = make_environment(folder) | STUB | {"STUB_EPOCH_SECONDS": str(EPOCH_SECONDS)}
        self.folder, self.log = folder, log
        self.server = start_server(self.environment, log)

    def wait(self):
        with open_client(self.environment) as client:
            wait_for_server(self.server, client)

    def start_run(self) -> subprocess.Popen:
        """Start a run, and return its process when its third epoch is over."""
        options = f"--source sample --sample-reviews 400 --epochs {EPOCHS} --variants lstm --no-baselines"
        run = subprocess.Popen(
            [sys.executable, "-m", "flows", "run", *options.split()],
            env=self.environment,
            stdout=(self.folder / "out.txt").open("w"),
            stderr=(self.folder / "log.txt").open("w"),
        )
        wait_until(lambda: "epoch 3/" in self.read("log.txt"), 120, "the third epoch")
        return run

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def site(tmp_path, migrated_home):
    with (tmp_path / "server.txt").open("w") as log:
        lost = LostServer(tmp_path, log)
        migrated_home(Path(lost.environment["PREFECT_HOME"]))
        try:
            lost.wait()
            yield lost
        finally:
            lost.server.send_signal(signal.SIGCONT)
            end(lost.server)


def test_a_run_whose_server_is_killed_publishes_its_report_and_says_that_prefect_was_not_told(site):
    run = site.start_run()
    site.server.kill()
    # If each of its epochs waited for the server, it would take several minutes.
    assert run.wait(90) == 0
    log, printed = site.read("log.txt"), site.read("out.txt")
    assert len(re.findall("lstm-seed42 epoch", log)) == EPOCHS
    assert len(list_runs(Store(site.environment["RETRAIN_STORE"]))) == 1
    assert "report: " in printed
    assert "Traceback" not in log
    assert log.splitlines()[-1] == (
        "retrain run: Prefect's server could not be told how the run ended; the report is published all the same"
    )


def test_a_run_whose_server_does_not_answer_ends_within_ten_seconds_of_a_signal(site):
    run = site.start_run()
    site.server.send_signal(signal.SIGSTOP)
    time.sleep(1)
    run.terminate()
    # Prefect would try for minutes to tell its server.
    assert run.wait(60) == 128 + signal.SIGTERM
    assert site.read("log.txt").splitlines()[-1] == "retrain run: interrupted; no run was published"
