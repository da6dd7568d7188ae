"""Let another thread work on batches while the next ones are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager

from tasks.data.reading.rejects import Batch

# Batches that may wait, so that memory stays bounded.
BATCHES_AHEAD = 2


@contextmanager
def passing_on(pool: Executor, work: Callable[[Batch], None]) -> Iterator[Callable[[Batch], None]]:
    """Yield a function that hands a batch to `work` in the pool's only thread. All are done when the block ends.

    Raises:
        BaseException: What `work` raised, at the next batch or at the block's end.
    """
    waiting: deque[Future[None]] = deque()

    def pass_on(batch: Batch) -> None:
        waiting.append(pool.submit(work, batch))
        if len(waiting) > BATCHES_AHEAD:
            waiting.popleft().result()

    yield pass_on
    for one in waiting:
        one.result()
