"""Hash texts so that equal reviews have equal keys, however they were typed."""

from __future__ import annotations

import hashlib
import itertools
import unicodedata

import numpy as np
import pyarrow as pa

# Fixed for ever: another salt would move every review to another part.
SALT = b"own reviews"
WHITE = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
MARKUP = (b"<br/>", b"<br>")
# In UTF-8: quotes that mean the same, and spaces that are not ASCII.
SAME = tuple((one.encode(), other) for one, other in (("’", b"'"), ("‘", b"'"), ("“", b'"'), ("”", b'"')))
SPACES = ("\u00a0".encode(), "\u3000".encode(), "\u200b".encode(), "\ufeff".encode())
_CURLY = b"\xe2\x80"


def normalised_key(texts: pa.StringArray) -> pa.Array:
    """Return a salted hash of each text, squeezed: binary(16). Equal texts have equal keys."""
    if not len(texts):
        return pa.array([], pa.binary(16))
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1].tolist()
    content = texts.buffers()[2].to_pybytes() if texts.buffers()[2] is not None else b""
    keys = [_hash(_squeeze(content[start:end])) for start, end in itertools.pairwise(offsets)]
    return pa.array(keys, pa.binary(16))


def _squeeze(content: bytes) -> bytes:
    """Return a text without what does not make it another one: case, white space, line breaks, forms of quotes.

    Example:
        >>> _squeeze("It’s  GOOD.<br />Really".encode())
        b"it'sgood.really"
    """
    if content.isascii():  # noqa: SIM108 - two ways, one a line
        content = content.lower().translate(None, WHITE)
    else:
        content = _squeeze_others(content)
    for mark in MARKUP:
        if b"<br" not in content:
            break
        content = content.replace(mark, b"")
    return content


def _squeeze_others(content: bytes) -> bytes:
    text = content.decode()
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    content = text.lower().encode().translate(None, WHITE)
    if _CURLY in content:
        for one, other in SAME:
            content = content.replace(one, other)
    for space in SPACES:
        content = content.replace(space, b"")
    return content


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, salt=SALT).digest()
