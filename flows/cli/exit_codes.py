"""How a command ends: its exit code, and one line to standard error if anything is wrong."""

from __future__ import annotations

import sys

ALL_WELL, TRAINING_FAILED, BAD_INPUT, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130
# Of `retrain predict`: some rows could not be scored.
SOME_FAILED = 1


def complain(command: str, error: Exception) -> int:
    """Print an error in one line to standard error; return the exit code for bad input."""
    print(f"retrain {command}: {' '.join(str(error).split())}", file=sys.stderr)
    return BAD_INPUT
