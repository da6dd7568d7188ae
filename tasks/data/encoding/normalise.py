"""Replace what web pages write instead of plain apostrophes, spaces and line breaks."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.text_buffers import read_buffers

APOSTROPHES = "’‘ʼ´"
MARKUP = ("<br />", "<br/>", "<br>", "<BR>", "<BR />", "<BR/>")
_SPACES = re.compile("[\u0085\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]")


def normalise_texts(texts: pa.StringArray, normalisation: Literal["none", "web"]) -> pa.StringArray:
    """Return texts with the replacements of "web", or as they are.

    Most texts are ASCII and need only the mark-up replaced; the slower replacements are made in the others.
    """
    if normalisation == "none":
        return texts
    present, _ = read_buffers(texts)
    for mark in (*MARKUP, "\r"):
        # One look at all bytes is quicker than a replacement that finds nothing.
        if mark.encode() in present:
            texts = pc.replace_substring(texts, mark, " ")
    others = ~pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)
    if not others.any():
        return texts
    # Python is quicker here than Arrow's regular expressions.
    mended = [_mend(text) for text in texts.filter(pa.array(others)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(np.asarray(others)), pa.array(mended, pa.string()))


def _mend(text: str) -> str:
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    for apostrophe in APOSTROPHES:
        text = text.replace(apostrophe, "'")
    return _SPACES.sub(" ", text)
