"""Replace what web pages write instead of plain apostrophes, spaces and line breaks. Vectorised over the bytes."""

from __future__ import annotations

import unicodedata
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.text_buffers import ASCII_END, COMPOSED, read_buffers

APOSTROPHES = "’‘ʼ´"
SPACES = "\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
# In lower case.
MARKUP = (b"<br />", b"<br/>", b"<br>")
LOWER_CASE = 0x20

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


def normalise_texts(texts: pa.StringArray, normalisation: Literal["none", "web"]) -> pa.StringArray:
    """Return texts with the replacements of "web", or as they are.

    What becomes a space becomes one for each of its bytes, so that it keeps its place; the tokens are the same.
    """
    if normalisation == "none":
        return texts
    content, offsets = read_buffers(texts)
    values = np.frombuffer(content, np.uint8).copy()
    others = np.flatnonzero(values >= ASCII_END)
    if not COMPOSED.fullmatch(values[others].tobytes()):
        content, offsets = read_buffers(_compose(texts, others, offsets))
        values = np.frombuffer(content, np.uint8).copy()
        others = np.flatnonzero(values >= ASCII_END)
    values[values == ord("\r")] = ord(" ")
    _blank_markup(values)
    blanked, shortened = _find_others(values, others)
    values[blanked] = ord(" ")
    if len(shortened):
        values, offsets = _leave_out(values, shortened, offsets)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(values)])


def _compose(texts: pa.StringArray, others: Places, offsets: npt.NDArray[np.int32]) -> pa.StringArray:
    """Return texts in the normal form C. Few are in another one."""
    has_others = np.diff(np.searchsorted(others, offsets)) > 0
    composed = [unicodedata.normalize("NFC", text) for text in texts.filter(pa.array(has_others)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(has_others), pa.array(composed, pa.string()))


def _blank_markup(values: Bytes) -> None:
    """Write spaces over line breaks of HTML."""
    starts = np.flatnonzero(values == ord("<"))
    for mark in MARKUP:
        inside = starts[starts <= len(values) - len(mark)]
        places = inside[:, None] + np.arange(len(mark))
        # The letters may be capitals.
        expected = np.frombuffer(mark, np.uint8)
        is_letter = expected >= ord("a")
        found = places[((values[places] | np.where(is_letter, LOWER_CASE, 0)) == expected).all(axis=1)]
        values[found] = ord(" ")


def _find_others(values: Bytes, others: Places) -> tuple[Places, Places]:
    """Write plain apostrophes, and return the places of bytes to blank, and of those to leave out.

    Args:
        values: UTF-8; changed.
        others: The places of all bytes of characters that are not ASCII.
    """
    blanked, left_out = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for width, first in ((2, 0xC0), (3, 0xE0)):
        leads = others[(values[others] >= first) & (values[others] < first + 0x20)]
        places = leads[:, None] + np.arange(width)
        codes = values[places].astype(np.int64) @ (256 ** np.arange(width)[::-1])
        blanked.append(places[np.isin(codes, _codes(SPACES, width))].reshape(-1))
        apostrophes = places[np.isin(codes, _codes(APOSTROPHES, width))]
        values[apostrophes[:, 0]] = ord("'")
        left_out.append(apostrophes[:, 1:].reshape(-1))
    return np.concatenate(blanked), np.concatenate(left_out)


def _codes(characters: str, width: int) -> list[int]:
    """Return as numbers those characters that have so many bytes in UTF-8."""
    return [int.from_bytes(one.encode()) for one in characters if len(one.encode()) == width]


def _leave_out(values: Bytes, left_out: Places, offsets: npt.NDArray[np.int32]) -> tuple[Bytes, npt.NDArray[np.int32]]:
    """Return the texts without some of their bytes, and where each text begins then."""
    kept = np.ones(len(values), bool)
    kept[left_out] = False
    shorter = np.searchsorted(np.sort(left_out), offsets)
    return values[kept], (offsets - shorter).astype(np.int32)
