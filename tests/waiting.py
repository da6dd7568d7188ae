"""Wait for a condition, in tests and in tests/e2e/chaos.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def wait_until(condition: Callable[[], Answer], seconds: float, what: str, every: float = 0.2) -> Answer:
    """Call a condition repeatedly until its answer is true, and return the answer.

    Args:
        condition: Called at once, and then every `every` seconds.
        seconds: After this time, fail.
        what: The subject of the failure's message: "{what} did not happen in {seconds} s".
        every: Seconds between two calls.

    Raises:
        AssertionError: The answer was still false at the end.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {seconds:g} s; the last answer was {answer!r}")
        time.sleep(every)
    return answer
