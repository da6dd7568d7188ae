"""Replace what web pages write instead of plain apostrophes, spaces and line breaks."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

APOSTROPHES = "’‘ʼ´"
SPACES = "\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff\u0085"
MARKUP = "<br />", "<br/>", "<br>", "<BR>", "<BR />", "<BR/>"


def normalise_texts(texts: pa.StringArray, normalisation: Literal["none", "web"]) -> pa.StringArray:
    """Return texts with the replacements of "web", or as they are.

    Most texts are ASCII and need only the mark-up replaced; the slower replacements are made in the others.
    """
    if normalisation == "none":
        return texts
    for mark in MARKUP:
        texts = pc.replace_substring(texts, mark, " ")
    texts = pc.replace_substring(texts, "\r", " ")
    others = ~pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)
    if not others.any():
        return texts
    mended = pc.utf8_normalize(texts.filter(pa.array(others)), "NFC")
    mended = pc.replace_substring_regex(mended, f"[{APOSTROPHES}]", "'")
    mended = pc.replace_substring_regex(mended, f"[{SPACES}]", " ")
    return pc.replace_with_mask(texts, pa.array(others), mended)
