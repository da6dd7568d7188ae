"""Import much at once, and quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Keep Python from looking for garbage in the block, which hundreds of imports have none of.

    A quarter of the time of importing TensorFlow's 3,400 modules went into that. What was imported is never looked at
    again either, so that later collections are as quick as if it were not there.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
