"""How much every reader is fuzzed: a little in each run of the suite, a hundred times as much when asked for.

HYPOTHESIS_PROFILE=thorough pytest tests/test_fuzz_archive.py tests/test_fuzz_store.py
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
# Above what the process had before; a small hostile file has no business with more.
MOST_MEGABYTES = 400


def examples(count: int) -> settings:
    """Derandomized: the same examples every time, so that a failure is seen again."""
    return settings(
        max_examples=count * (100 if THOROUGH else 1),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def bounded_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MOST_MEGABYTES


@st.composite
def mutated(draw: st.DrawFn, good: bytes, splices: tuple[bytes, ...] = (b"",)) -> bytes:
    """Good bytes with up to four changes: bits flipped, numbers overwritten, parts cut, doubled or replaced."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(content)))
        end = min(len(content), position + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(("flip", "number", "cut", "truncate", "double", "splice")))
        if kind == "flip" and position < len(content):
            content[position] ^= draw(st.integers(1, 255))
        elif kind == "number":
            number = draw(
                st.sampled_from((0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1))
            )
            size = draw(st.sampled_from((1, 2, 4, 8)))
            content[position : position + size] = (number % 256**size).to_bytes(size, "little")
        elif kind == "cut":
            del content[position:end]
        elif kind == "truncate":
            del content[position:]
        elif kind == "double":
            content[position:position] = content[position:end]
        elif kind == "splice":
            content[position:end] = draw(st.sampled_from(splices))
    return bytes(content)
