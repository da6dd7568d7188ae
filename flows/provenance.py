"""Which code runs, and on which machine."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from joblib import cpu_count

from storage.records import CodeVersion
from tasks.processes.children import PROJECT_ROOT

GIT_SECONDS = 10


def read_code_version() -> CodeVersion:
    """Return git's commit of the project, and whether its files differ from it; neither where it is no checkout."""
    commit = _ask_git("rev-parse", "HEAD")
    changes = _ask_git("status", "--porcelain")
    if commit is None or changes is None:
        return CodeVersion()
    return CodeVersion(commit, changes != "")


def _ask_git(*arguments: str) -> str | None:
    command = ["git", "-C", str(PROJECT_ROOT), *arguments]
    try:
        # Not of a repository that the project merely lies in.
        if not (PROJECT_ROOT / ".git").exists():
            return None
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def describe_cpu() -> str:
    """Return the processor's name, and how many CPUs this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    # Other systems, and processors of which Linux gives no such line.
    except (OSError, StopIteration):
        pass
    return f"{name}, {cpu_count()} CPUs"
