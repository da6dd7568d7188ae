"""Find out how many trainings this machine can run at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

# The largest memory of a training's process, measured on the recipe and rounded up.
CHILD_BYTES = 1_000_000_000
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def count_jobs() -> int:
    """Return how many trainings fit the CPUs and the memory that this process may use; at least one."""
    available = available_bytes()
    fitting = count_cpus() if available is None else available // CHILD_BYTES
    return max(1, min(count_cpus(), fitting))


def count_cpus() -> int:
    """Return the number of CPUs that this process may use: by its affinity, and by the quotas of its control groups."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_read_quota(group) for group in _own_groups("cpu")]
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas if quota is not None)]))


def available_bytes() -> int | None:
    """Return the memory that this process may still use: of the machine, and of its control groups; None if unknown."""
    known = [_read_room(group) for group in _own_groups("memory")]
    try:
        known.append(int(psutil.virtual_memory().available))
    # psutil raises what it meets, for example if /proc cannot be read.
    except Exception:
        known.append(None)
    found = [room for room in known if room is not None]
    return max(0, min(found)) if found else None


def _own_groups(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups, the innermost first, of version 2 and of version 1."""
    try:
        lines = OWN_CGROUP.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    # A container sees its own group as the root, whatever path its process is said to have.
    roots = {CGROUPS, CGROUPS / controller}
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        root = CGROUPS / controllers if controllers else CGROUPS
        if controllers and controller not in controllers.split(","):
            continue
        group = root / path.strip("/")
        while ".." not in group.parts and group != root and root in group.parents:
            yield group
            group = group.parent
        roots.add(root)
    yield from roots


def _read_quota(group: Path) -> float | None:
    """Return the CPUs that a group's quota allows; None without a quota."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        microseconds, of = int(quota), int(period)
    # Without a quota version 2 holds the word "max", and version 1 holds -1.
    except (OSError, ValueError):
        return None
    return microseconds / of if microseconds > 0 and of > 0 else None


def _read_room(group: Path) -> int | None:
    """Return the bytes that a group may still use; None without a limit. Cached files do not count: they give way."""
    if (group / "memory.max").exists():
        limits = [_read_integer(group / name) for name in ("memory.max", "memory.high")]
        used, cached = _read_integer(group / "memory.current"), "inactive_file"
    else:
        limits = [_read_integer(group / "memory.limit_in_bytes")]
        used, cached = _read_integer(group / "memory.usage_in_bytes"), "total_inactive_file"
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    return min(known) - (used or 0) + _read_cached(group / "memory.stat", cached)


def _read_integer(path: Path) -> int | None:
    try:
        return int(path.read_text())
    # Without a limit the file holds the word "max".
    except (OSError, ValueError):
        return None


def _read_cached(path: Path, name: str) -> int:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
        return next(int(words[1]) for words in lines if words[:1] == [name])
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
