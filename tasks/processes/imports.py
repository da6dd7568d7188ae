"""Import large libraries quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause garbage collection in the block, while it imports large libraries.

    Garbage collection took a quarter of the time to import TensorFlow's 3,400 modules. After the block, all objects are
    frozen, so that later collections do not examine the imported modules.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
