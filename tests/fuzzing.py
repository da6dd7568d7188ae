"""Settings for the fuzz tests: few examples by default, a hundred times as many with the profile "thorough".

HYPOTHESIS_PROFILE=thorough pytest tests/storage/test_fuzz_archive.py tests/storage/test_fuzz_store.py
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
# Memory that reading a small hostile file may take, in addition to that of the process before.
MOST_MEGABYTES = 400


def examples(count: int) -> settings:
    """Return settings for `count` examples: the same ones in every run, so that a failure can be repeated."""
    return settings(
        max_examples=count * (100 if THOROUGH else 1),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Fail if the block's peak of memory is `MOST_MEGABYTES` or more above the peak before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MOST_MEGABYTES


@st.composite
def mutated(draw: st.DrawFn, good: bytes, splices: tuple[bytes, ...] = (b"",)) -> bytes:
    """Draw bytes with one to four changes: bits flipped, numbers overwritten, parts cut, doubled or replaced."""
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
