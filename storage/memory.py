"""Limit the memory that a library can reserve while it reads a hostile file."""

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
# The limit is that of the whole process, so only one block at a time may set and reset it.
_limiting = threading.Lock()


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    """Let this process reserve at most `most` more bytes in the block; further allocations raise a `MemoryError`.

    On systems other than Linux there is no limit, because a process cannot read there how much it has reserved.
    """
    reserved = _reserved_bytes()
    if resource is None or reserved is None:
        yield
        return
    with _limiting:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = reserved + most
        if soft != resource.RLIM_INFINITY:
            limit = min(limit, soft)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _reserved_bytes() -> int | None:
    """Return the bytes that this process has reserved; None if the system does not tell."""
    try:
        return int(_PAGES.read_text().split()[0]) * resource.getpagesize() if resource else None
    except (OSError, ValueError, IndexError):
        return None
