"""How many trainings this machine can run at once."""

from __future__ import annotations

from pathlib import Path

import psutil
from joblib import cpu_count

# One training child at its largest, measured on the recipe with room to spare.
CHILD_BYTES = 1_000_000_000


def count_jobs() -> int:
    """Return how many trainings fit: the CPUs this process may use (affinity and cgroup quota), and free memory."""
    return max(1, min(int(cpu_count()), _available_bytes() // CHILD_BYTES))


def _available_bytes() -> int:
    available = int(psutil.virtual_memory().available)
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        return min(available, int(limit.read_text()) - int(used.read_text()))
    # No such file outside Linux's cgroups, and the word "max" where there is no limit.
    except (OSError, ValueError):
        return available
