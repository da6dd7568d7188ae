"""How a command ends: its exit code, and one line to standard error if anything is wrong."""

from __future__ import annotations

import sys

ALL_WELL, TRAINING_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def complain(command: str, error: Exception) -> int:
    """Print what is wrong in one line; return the exit code."""
    print(f"retrain {command}: {' '.join(str(error).split())}", file=sys.stderr)
    return BAD_INPUT
