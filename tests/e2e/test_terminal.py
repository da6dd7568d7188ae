"""`retrain run` as a process of its own, on a temporary Prefect server. The trainings are stubs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from storage.runs import verify_store
from storage.store import Store
from tests.places import PROJECT_ROOT
from tests.stubs import STUB

pytestmark = pytest.mark.usefixtures("migrated_home")
SMALL = ["--source", "sample", "--sample-reviews", "400", "--epochs", "2", "--maxlen", "40", "--variants", "lstm,gru"]

# Runs the command in its own interpreter, and then prints the exit code, the imported libraries and the peak memory.
MEASURED = """
import json, pathlib, re, sys
from flows.cli.command import main
code = main(sys.argv[1:])
costly = {"tensorflow", "keras", "numba", "prefect.server", "scipy.stats", "sklearn", "pandas", "matplotlib"}
heavy = sorted(costly & set(sys.modules))
# The maximum of getrusage would include the memory of the parent process before exec.
status = pathlib.Path("/proc/self/status")
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024 if status.exists() else None
print(json.dumps({"code": code, "heavy": heavy, "peak_bytes": peak}))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder for all runs."""
    return tmp_path_factory.mktemp("store")


def retrain(store, *arguments):
    """Run the command; return its lines, standard error, and the measurements."""
    command = [sys.executable, "-c", MEASURED, "run", "--store", str(store), *SMALL, *arguments]
    environment = os.environ | STUB
    answer = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    *printed, measured = answer.stdout.splitlines()
    return printed, answer.stderr, json.loads(measured)


def test_a_run_prints_verdict_table_and_report_and_imports_no_large_library(store):
    printed, stderr, measured = retrain(store)
    assert measured["code"] == 0, stderr
    assert measured["heavy"] == []
    # None if the system has no /proc.
    assert measured["peak_bytes"] is None or measured["peak_bytes"] < 350_000_000
    assert "By the rule (lowest validation loss) " in printed[0]
    assert printed[1].split()[:3] == ["training", "epochs", "best"]
    assert {line.split()[0] for line in printed[2:4]} == {"lstm-seed42", "gru-seed42"}
    assert printed[4].startswith("simple_rnn-seed42 (baseline)")
    assert printed[-2] == "Made-up reviews: this run trained on the sample corpus."
    report = Path(printed[-1].removeprefix("report: "))
    assert report.is_relative_to(store)
    assert "\n".join((*printed, stderr)).count(str(report)) == 1
    assert "Nightly retraining" in report.read_text()
    assert re.search(r"gru-seed42 epoch 2/2  loss \d\.\d{4}", stderr)
    assert "Traceback" not in stderr
    assert verify_store(Store(str(store))).damaged == ()


def test_a_run_with_a_failed_training_ends_with_exit_code_1_and_one_line(store):
    # Without its timeout this training would take ten seconds.
    options = ["--variants", "gru", "--no-baselines", "--epochs", "100", "--timeout-seconds", "0.5"]
    printed, stderr, measured = retrain(store, *options)
    assert measured["code"] == 1, stderr
    reason = "retrain run: gru-seed42 failed: it was ended after its timeout of 0.5 s"
    assert [line for line in stderr.splitlines() if line.startswith("retrain run:")] == [reason]
    assert "Traceback" not in stderr
    assert "No model: every training failed." in Path(printed[-1].removeprefix("report: ")).read_text()
