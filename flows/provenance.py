"""Find out which code runs, with which libraries, and on which machine."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from joblib import cpu_count

from storage.records import CodeVersion, TrainingResult
from tasks.processes.child_process import PROJECT_ROOT

GIT_SECONDS = 10
LIBRARIES = ("keras", "prefect", "pyarrow", "numpy", "numba", "scipy", "scikit-learn", "statsmodels", "matplotlib")


def read_code_version() -> CodeVersion:
    """Return git's commit of the project, and whether its files differ from it; neither if git cannot say."""
    commit = _ask_git("rev-parse", "HEAD")
    changes = _ask_git("status", "--porcelain")
    if commit is None or changes is None:
        return CodeVersion()
    return CodeVersion(commit, changes != "")


def _ask_git(*arguments: str) -> str | None:
    command = ["git", "-C", str(PROJECT_ROOT), *arguments]
    try:
        # Otherwise git would answer for a repository that merely contains the project's folder.
        if not (PROJECT_ROOT / ".git").exists():
            return None
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def describe_cpu() -> str:
    """Return the processor's name and the number of CPUs that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    # Only Linux has this file, and not for every processor does it have this line.
    except (OSError, StopIteration):
        pass
    return f"{name}, {cpu_count()} CPUs"


def list_versions(trainings: Iterable[TrainingResult]) -> dict[str, str]:
    """Return the versions of Python and of each library, by name.

    TensorFlow's version comes from the trainings, because only their processes import it.
    """
    versions = {"python": platform.python_version()} | {library: version(library) for library in LIBRARIES}
    for training in trainings:
        versions |= training.versions
    return versions
