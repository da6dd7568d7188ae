"""Find the processes of trainings, and check whether a process has ended."""

from __future__ import annotations

import psutil


def training_children(*parents: psutil.Process) -> list[psutil.Process]:
    """Return the processes of trainings below the given processes, or below this one; their command names them."""
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
    """Return whether a process has ended. A zombie has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
