"""Which processes there are, and whether one has ended."""

from __future__ import annotations

import psutil


def training_children(*parents: psutil.Process) -> list[psutil.Process]:
    """Return the training children of processes, by default of this one, by what they were started as."""
    children = []
    for parent in parents or (psutil.Process(),):
        for child in psutil.Process(parent.pid).children(recursive=True):
            try:
                if "tasks.training.training" in child.cmdline():
                    children.append(child)
            except psutil.NoSuchProcess:
                continue
    return children


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; one that nobody has collected yet counts as gone."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
