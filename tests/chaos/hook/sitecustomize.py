"""Inject faults into the process that imports this module, as variables of its environment say.

Python imports this module by its name in every process whose PYTHONPATH has this folder: in a run and all its children,
without a change to the project's code.

- FAULT_PLAN names a folder. The process is killed at steps of writes into the store: `only.json` lists the steps (null:
  all), and `died.txt` lists those at which a process was killed, one a line. Each step kills one process only.
- FAULT_STARVE names a variant whose trainings run out of memory.
- STUB_TRAINING: a stub trains, see `tests/stub_training_child.py`, and what it trained loads without Keras.
- HEARTBEAT_SECONDS: seconds between a run's heartbeats. Prefect's own setting allows no less than 30 s.
"""

import fcntl
import importlib.abc
import json
import os
import re
import signal
import sys
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

PLAN, STARVED = os.environ.get("FAULT_PLAN"), os.environ.get("FAULT_STARVE")
STUB = Path(__file__).parents[2] / "stub_training_child.py"
MOMENTS = ("before writing", "in the middle of writing", "before renaming", "after renaming")


def name_step(key: str, moment: str) -> str:
    """Return a name for a step of a write that is the same in every run: the file's path without ids and hashes."""
    path = re.sub(r".*/(datasets|runs|reports)/", r"\1/", key)
    path = re.sub(r"^datasets/([a-z]+)-[0-9a-f]{16}/", r"\1/", path)
    path = re.sub(r"^runs/[^/]+/|\d{8}T\d{6}Z-", "", path)
    path = re.sub(r"^reports/[0-9a-f]{6}\.html", "reports/RUN.html", path)
    path = re.sub(r"-[0-9a-f]{12}\.", ".", path)
    path = re.sub(r".*/\.writable-[0-9a-f]+", "probe", path)
    return f"{moment} {path}"


def die_at(key: str, moment: str) -> None:
    """Kill this process if the plan has this step and no process was killed at it."""
    folder, step = Path(PLAN), name_step(key, moment)
    only = json.loads((folder / "only.json").read_text())
    with (folder / "died.txt").open("a+") as died:
        fcntl.flock(died, fcntl.LOCK_EX)
        died.seek(0)
        if (only is not None and step not in only) or step in died.read().splitlines():
            return
        died.write(f"{step}\n")
        died.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def kill_at_writes(publishing) -> None:
    """Make each write of `storage.publishing` call `die_at` at its four moments."""
    original = publishing._renaming

    class Watched:
        """A file system that calls `die_at` before opening a file, and before and after renaming one."""

        def __init__(self, filesystem, key):
            self.filesystem, self.key = filesystem, key

        def __getattr__(self, name):
            return getattr(self.filesystem, name)

        def open_output_stream(self, path):
            die_at(self.key, "before writing")
            return self.filesystem.open_output_stream(path)

        def move(self, source, target):
            die_at(self.key, "before renaming")
            self.filesystem.move(source, target)
            die_at(self.key, "after renaming")

    @contextmanager
    def renaming(filesystem, key):
        with original(Watched(filesystem, key), key) as write:

            def write_halves(content):
                middle = len(content) // 2
                write(content[:middle])
                die_at(key, "in the middle of writing")
                write(content[middle:])

            yield write_halves

    publishing._renaming = renaming


def starve_training(training):
    """Make a training of the variant `STARVED` run out of memory."""
    original = training.main

    def main(request, tell):
        if request.variant.name == STARVED:
            from tests.children import run_out_of_memory

            run_out_of_memory(request, tell)
        return original(request, tell)

    training.main = main


class Patching(importlib.abc.MetaPathFinder):
    """Patches a module right after its import."""

    def __init__(self, name, patch):
        self.name, self.patch = name, patch

    def find_spec(self, fullname, path, target=None):
        if fullname != self.name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        execute = spec.loader.exec_module

        def execute_and_patch(module):
            execute(module)
            self.patch(module)

        spec.loader.exec_module = execute_and_patch
        return spec


class Replacing(importlib.abc.MetaPathFinder):
    """Loads another file in place of a module."""

    def __init__(self, name, path):
        self.name, self.path = name, path

    def find_spec(self, fullname, path, target=None):
        return spec_from_file_location(fullname, self.path) if fullname == self.name else None


def send_heartbeats_often(flow_engine):
    seconds = int(os.environ["HEARTBEAT_SECONDS"])
    flow_engine.MINIMUM_HEARTBEAT_INTERVAL = seconds
    flow_engine.BaseFlowRunEngine.heartbeat_seconds = property(lambda _engine: seconds)


def answer_for_stubs(scoring):
    """Let the models of stubs load and predict: their files hold a name alone."""

    class Answering:
        def __init__(self, jobs):
            self.jobs = jobs

        def finish(self):
            return [0.3 + 0.4 * (job.tokens.sum(axis=1) % 2) for job in self.jobs]

        def close(self):
            pass

    from tasks.champion import clean_process

    clean_process.start_ahead = lambda: None
    scoring.CleanPrediction = Answering
    scoring.predict_cleanly = lambda jobs: Answering(jobs).finish()
    scoring.check_references = lambda *_arguments: ""


if "STUB_TRAINING" in os.environ:
    sys.meta_path.insert(0, Replacing("tasks.training.training", STUB))
    sys.meta_path.insert(0, Patching("tasks.champion.scoring", answer_for_stubs))
if "HEARTBEAT_SECONDS" in os.environ:
    sys.meta_path.insert(0, Patching("prefect.flow_engine", send_heartbeats_often))
if PLAN:
    sys.meta_path.insert(0, Patching("storage.publishing", kill_at_writes))
if STARVED:
    sys.meta_path.insert(0, Patching("tasks.training.training", starve_training))
