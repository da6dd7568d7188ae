"""Load stored models with plain Keras and predict with them, in a process that has nothing of this project.

So it is seen each night that a model can be used without this project, with today's libraries.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.text import on_one_line
from tasks.processes.environment import make_environment

TIMEOUT_SECONDS = 300
# The program of that process. It ends if its standard input does, which the parent holds open as long as it lives.
PROGRAM = r"""
import json, os, sys, threading

class Stranger:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("flows", "tasks", "storage", "reports", "tests"):
            raise ModuleNotFoundError(f"{name} is no part of a clean process", name=name)

sys.meta_path.insert(0, Stranger())
import keras, numpy

# The jobs are there when a line comes.
if not sys.stdin.readline():
    os._exit(1)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
for number, job in enumerate(json.load(open("jobs.json"))):
    try:
        model = keras.saving.load_model(f"{number}.keras", compile=False, safe_mode=True)
        tokens = numpy.fromfile(f"{number}.tokens", numpy.uint16).reshape(job["rows"], job["maxlen"])
        said = model.predict(tokens.astype("int32"), batch_size=1000, verbose=0)
        said = numpy.asarray(said, numpy.float32)
        if said.shape != (job["rows"], 1):
            raise ValueError(f"it must give one probability a review. Received: an output of shape {said.shape}.")
        said.tofile(f"{number}.said")
    except Exception as error:
        open(f"{number}.error", "w").write(f"{type(error).__name__}: {error}")
os._exit(0)
"""


class CleanProcessError(ValueError):
    """A model could not be loaded, or could not predict, in a process without this project."""


@dataclass(frozen=True)
class CleanJob:
    """A stored model, and what it is asked.

    Attributes:
        name: Of the model, for messages.
        model: The bytes of its `model.keras`.
        tokens: uint16, shape (reviews, maxlen).
    """

    name: str
    model: bytes
    tokens: npt.NDArray[np.uint16]


class CleanProcess:
    """A process that imports Keras, and then waits for jobs.

    Start it before anything limits this process's memory, because it inherits the limit.
    """

    def __init__(self) -> None:
        # Among the files of the process that calls this, which are removed even if it is killed.
        self.folder = Path(tempfile.mkdtemp(prefix="clean-"))
        environment = make_environment(
            {"TMPDIR": str(self.folder), "KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(self.folder)}
        )
        # TensorFlow's remarks about the processor are no errors.
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""}
        with (self.folder / "stderr.txt").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", PROGRAM],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    def give(self, jobs: Sequence[CleanJob]) -> None:
        """Let the process begin."""
        described = [{"rows": len(job.tokens), "maxlen": job.tokens.shape[1]} for job in jobs]
        (self.folder / "jobs.json").write_text(json.dumps(described))
        for number, job in enumerate(jobs):
            (self.folder / f"{number}.keras").write_bytes(job.model)
            np.ascontiguousarray(job.tokens, np.uint16).tofile(self.folder / f"{number}.tokens")
        # If it has died, its end says so.
        with suppress(BrokenPipeError):
            if self.process.stdin:
                self.process.stdin.write(b"go\n")
                self.process.stdin.flush()

    def close(self) -> None:
        """End the process if it still runs, and remove its files."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self) -> str:
        """Wait for the end of the process; return how it ended, "" if well."""
        try:
            code = self.process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return f"the process was ended after {TIMEOUT_SECONDS} s"
        lines = (self.folder / "stderr.txt").read_text(errors="replace").strip().splitlines()
        last = on_one_line(lines[-1]) if lines else "it said nothing"
        return "" if code == 0 else f"the process ended with exit code {code}: {last}"


_waiting: list[CleanProcess] = []


def start_ahead() -> None:
    """Start a clean process, whose imports then overlap with other work. The next prediction takes it."""
    if not _waiting:
        _waiting.append(CleanProcess())


def end_waiting() -> None:
    """End the process that was started ahead, if nobody took it."""
    while _waiting:
        _waiting.pop().close()


class CleanPrediction:
    """Predictions of a clean process, while this process does other work."""

    def __init__(self, jobs: Sequence[CleanJob]) -> None:
        self.jobs = jobs
        self.process = _waiting.pop() if _waiting else CleanProcess()
        self.process.give(jobs)

    def finish(self) -> list[npt.NDArray[np.float64] | CleanProcessError]:
        """Wait for the process, and return for each job the probabilities, or why there are none.

        Returns:
            float64, shape (reviews,), 0 to 1; or the error.
        """
        try:
            ended = self.process.wait()
            folder = self.process.folder
            return [_read_result(folder, number, job, ended) for number, job in enumerate(self.jobs)]
        finally:
            self.close()

    def close(self) -> None:
        """End the process if it still runs."""
        self.process.close()


def predict_cleanly(jobs: Sequence[CleanJob]) -> list[npt.NDArray[np.float64] | CleanProcessError]:
    """Return for each job the probabilities that its reviews are positive, or why there are none.

    Args:
        jobs: Worked on one after another in one process.
    """
    return CleanPrediction(jobs).finish() if jobs else []


def _read_result(folder: Path, number: int, job: CleanJob, ended: str) -> npt.NDArray[np.float64] | CleanProcessError:
    what = f"{job.name} must load and predict in a process without this project"
    error, said = folder / f"{number}.error", folder / f"{number}.said"
    if error.exists():
        return CleanProcessError(f"{what}: {on_one_line(error.read_text())}")
    if not said.exists():
        return CleanProcessError(f"{what}: {ended or 'it left no result'}.")
    probabilities = np.fromfile(said, np.float32).astype(np.float64)
    # Not `min() < 0 or max() > 1`, which NaN would pass.
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        return CleanProcessError(f"{what}: its outputs must be probabilities. Received: others, or NaN.")
    return probabilities
