"""The types of each job are those of its module's `main`."""

import importlib
import json
import subprocess
import sys
from typing import get_type_hints

import pytest

from tasks.champion.gate_request import REPORT
from tasks.data import pad, profile, sample, split
from tasks.processes.messages import Message, Resumed, read_line, write_line
from tasks.training.training_request import TRAINING
from tests.places import PROJECT_ROOT

JOBS = {job.module: job for job in (sample.JOB, split.JOB, pad.JOB, profile.JOB, TRAINING, REPORT)}


@pytest.mark.slow
@pytest.mark.parametrize("module", JOBS)
def test_a_job_s_records_are_what_its_module_takes_and_gives(module):
    loaded, job = importlib.import_module(module), JOBS[module]
    hints = get_type_hints(loaded.main)
    assert loaded.JOB is job
    assert (next(iter(hints.values())), hints["return"]) == (job.request, job.answer)


def test_a_message_comes_back_as_it_was():
    line = write_line(Resumed(4), Message)
    assert json.loads(line) == {"epoch": 4, "kind": "resumed"}
    assert read_line(line, Message) == Resumed(4)


@pytest.mark.parametrize("line", ["", "null", "{}", '{"kind": "resumed"}', '{"kind": "shouted", "epoch": 1}'])
def test_what_is_no_message_is_refused(line):
    with pytest.raises(ValueError, match="validation error"):
        read_line(line, Message)


def test_whoever_asks_for_a_training_or_a_report_imports_none_of_their_libraries():
    script = "import tasks.training.training_request, tasks.evaluation.report_request, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert {"tensorflow", "keras", "matplotlib", "scipy", "prefect", "pydantic"} & set(done.stdout.split()) == set()
