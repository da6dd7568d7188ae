"""Find out which code runs, with which libraries, and on which machine. Whatever fails here is recorded as unknown."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flows.capacity import count_cpus
from storage.records import CodeVersion, TrainingResult
from tasks.processes.child_process import PROJECT_ROOT

# For all questions to git together. The report waits for the answers.
GIT_SECONDS = 5
# The checkout may belong to another user, whose code runs here already; so git may read it. It starts no program that
# the repository's own settings name, and writes nothing.
GIT_OPTIONS = ("--no-optional-locks", "-c", f"safe.directory={PROJECT_ROOT}", "-c", "core.fsmonitor=false")
LIBRARIES = ("keras", "prefect", "pyarrow", "numpy", "numba", "scipy", "scikit-learn", "statsmodels", "matplotlib")
CPU_FACTS = Path("/proc/cpuinfo")


def read_code_version() -> CodeVersion:
    """Return git's commit of the project, and whether its files differ from it; neither if git cannot say."""
    # Otherwise git would answer for a repository that merely contains the project's folder.
    if not (PROJECT_ROOT / ".git").exists():
        return CodeVersion()
    deadline = time.monotonic() + GIT_SECONDS
    commit = _ask_git(deadline, "rev-parse", "HEAD")
    changes = _ask_git(deadline, "status", "--porcelain")
    if not commit or changes is None:
        return CodeVersion()
    return CodeVersion(commit, changes != "")


def _ask_git(deadline: float, *arguments: str) -> str | None:
    """Return git's answer; None if there is no git, it fails, or it does not answer before `deadline`."""
    # Variables such as GIT_DIR would let git answer for another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(PROJECT_ROOT), *GIT_OPTIONS, *arguments]
    try:
        answer = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=max(0.0, deadline - time.monotonic()),
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    # The names of files may have any bytes.
    return answer.stdout.decode(errors="replace").strip()


def describe_cpu() -> str:
    """Return the processor's name and the number of CPUs that this process may use."""
    name = platform.machine() or "unknown processor"
    # Only Linux has this file, it may be unreadable, and not for every processor does it have this line.
    with suppress(OSError, StopIteration):
        lines = CPU_FACTS.read_text(errors="replace").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {count_cpus()} CPUs"


def list_versions(trainings: Iterable[TrainingResult]) -> dict[str, str]:
    """Return the versions of Python and of each library, by name.

    TensorFlow's version comes from the trainings, because only their processes import it.
    """
    versions = {"python": platform.python_version()} | {library: _find_version(library) for library in LIBRARIES}
    for training in trainings:
        versions |= training.versions
    return versions


def _find_version(library: str) -> str:
    try:
        # None if the library's own files name no version.
        return version(library) or "unknown"
    except (PackageNotFoundError, OSError, KeyError, ValueError):
        return "unknown"
