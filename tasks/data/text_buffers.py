"""Look at the bytes of many texts at once, as Arrow holds them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def read_buffers(texts: pa.StringArray) -> tuple[bytes, npt.NDArray[np.int32]]:
    """Return the UTF-8 of all texts one after another, and int32 offsets of shape (texts + 1,): where each begins.

    If the texts are a part of a longer array, the bytes of the other texts are left out.
    """
    if not len(texts):
        return b"", np.zeros(1, np.int32)
    _, bounds, content = texts.buffers()
    offsets = np.frombuffer(bounds, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if content is None:
        return b"", np.zeros(len(texts) + 1, np.int32)
    first, last = int(offsets[0]), int(offsets[-1])
    return content.slice(first, last - first).to_pybytes(), offsets - offsets[0]
