"""Look at the bytes of many texts at once, as Arrow holds them."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ASCII_END = 0x80
# In UTF-8, characters that the normal form C leaves as they are: U+0080 to U+00FF, dashes, quotes and other signs,
# Korean syllables.
_COMMON = (
    rb"\xe2\x80[\x82-\xbf]|\xe2[\x82\x83\x86-\x8b\x94-\x9e].|\xe2\x84\xa2"
    rb"|\xea[\xb0-\xbf].|[\xeb\xec]..|\xed[\x80-\x9d]."
)
COMPOSED = re.compile(rb"(?:[\xc2\xc3][\x80-\xbf]|" + _COMMON + rb")*+", re.DOTALL)
# The same without capital letters.
LOWER = re.compile(rb"(?:\xc2[\x80-\xbf]|\xc3[\xa0-\xbf]|" + _COMMON + rb")*+", re.DOTALL)


def leave_out_ascii(content: bytes) -> bytes:
    """Return the bytes of all characters that are not ASCII."""
    values = np.frombuffer(content, np.uint8)
    return values[values >= ASCII_END].tobytes()


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
