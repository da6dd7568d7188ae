"""Work on several batches at once, and take the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Taken = TypeVar("Taken")
Given = TypeVar("Given")


def map_in_order(function: Callable[[Taken], Given], batches: Iterable[Taken], threads: int) -> Iterator[Given]:
    """Yield the function's results in order. Only a few batches are in work, so that memory stays bounded.

    Arrow and NumPy leave Python's lock free for most of the time, so threads are enough.

    Args:
        function: Called with each batch.
        batches: The batches.
        threads: How many to work on at once.
    """
    waiting: deque[Future[Given]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            waiting.append(pool.submit(function, batch))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
