"""Find out how many trainings this machine can run at once."""

from __future__ import annotations

from pathlib import Path

import psutil
from joblib import cpu_count

# The largest memory of a training's process, measured on the recipe and rounded up.
CHILD_BYTES = 1_000_000_000


def count_jobs() -> int:
    """Return how many trainings fit the CPUs that this process may use (affinity, cgroup quota) and the free memory."""
    return max(1, min(int(cpu_count()), _available_bytes() // CHILD_BYTES))


def _available_bytes() -> int:
    available = int(psutil.virtual_memory().available)
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        return min(available, int(limit.read_text()) - int(used.read_text()))
    # Without cgroups the files do not exist; without a limit the first one holds the word "max".
    except (OSError, ValueError):
        return available
