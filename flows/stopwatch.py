"""Measure how long a run and its steps take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Measures a run and its steps.

    Attributes:
        began: When the run began, in seconds since 1970.
        step_seconds: How long each finished step took, by its name.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.step_seconds: dict[str, float] = {}

    @contextmanager
    def time_step(self, step: str) -> Iterator[None]:
        """Note how many seconds the block takes."""
        began = time.perf_counter()
        yield
        self.step_seconds[step] = time.perf_counter() - began
