"""A limit on what a hostile file can make a library reserve."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits.
    resource = None  # type: ignore[assignment]

_PAGES = Path("/proc/self/statm")
# The limit is the process's, so one block at a time may set it and take it back.
_limiting = threading.Lock()


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    """Let this process reserve at most so many bytes more in the block; what asks for others gets a `MemoryError`.

    Only on Linux, where a process can find out how much it has.
    """
    if resource is None or not _PAGES.exists():
        yield
        return
    with _limiting:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = int(_PAGES.read_text().split()[0]) * resource.getpagesize() + most
        if soft != resource.RLIM_INFINITY:
            limit = min(limit, soft)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
