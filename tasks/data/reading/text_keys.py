"""Hash texts so that equal reviews have equal keys, however they were typed. Vectorised over the bytes of all texts."""

from __future__ import annotations

import hashlib
import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Fixed for ever: another salt would move every review to another part.
SALT = b"own reviews"
WHITE = b" \t\n\r\x0b\x0c"
MARKUP = ("<br />", "<br/>", "<br>")
_IS_KEPT = np.ones(256, bool)
_IS_KEPT[list(WHITE)] = False
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})


def squeeze_text(text: str) -> str:
    """Return a text without what does not make it another one: case, white space, line breaks, forms of quotes.

    Example:
        >>> squeeze_text("It’s  GOOD.<br />Really")
        "it'sgood.really"
    """
    text = unicodedata.normalize("NFC", text).translate(_SAME).lower()
    for mark in MARKUP:
        text = text.replace(mark, " ")
    return "".join(text.split())


def normalised_key(texts: pa.StringArray) -> pa.Array:
    """Return a salted hash of each text, squeezed: binary(16). Equal texts have equal keys."""
    keys = np.empty(len(texts), object)
    is_ascii = pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)
    others = np.flatnonzero(~is_ascii)
    for place, text in zip(others.tolist(), texts.take(pa.array(others)).to_pylist(), strict=True):
        keys[place] = _hash(squeeze_text(text).encode())
    keys[is_ascii] = _hash_ascii(texts.filter(pa.array(is_ascii)))
    return pa.array(keys.tolist(), pa.binary(16))


def _hash_ascii(texts: pa.StringArray) -> list[bytes]:
    """Return the keys of texts in ASCII; the same as those of `squeeze_text`, whose steps are done on all at once."""
    if not len(texts):
        return []
    texts = pc.ascii_lower(texts)
    for mark in MARKUP:
        texts = pc.replace_substring(texts, mark, " ")
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    content = memoryview(texts.buffers()[2])[int(offsets[0]) : int(offsets[-1])]
    kept = np.concatenate([[0], np.cumsum(_IS_KEPT[np.frombuffer(content, np.uint8)], dtype=np.int64)])
    ends = kept[offsets - offsets[0]].tolist()
    squeezed = memoryview(bytes(content).translate(None, WHITE))
    return [_hash(squeezed[start:end]) for start, end in itertools.pairwise(ends)]


def _hash(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=16, salt=SALT).digest()
