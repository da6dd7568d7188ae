"""Hash texts so that equal reviews have equal keys, however they were typed."""

from __future__ import annotations

import hashlib
import itertools
import unicodedata

import pyarrow as pa

from tasks.data.text_buffers import LOWER, leave_out_ascii, read_buffers

# Fixed for ever: another salt would move every review to another part.
SALT = b"own reviews"
WHITE = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
MARKUP = (b"<br/>", b"<br>")
# In UTF-8: quotes that mean the same, and spaces that are not ASCII.
REPLACED = tuple(
    (one.encode(), other)
    for one, other in (
        ("’", b"'"),
        ("‘", b"'"),
        ("“", b'"'),
        ("”", b'"'),
        ("\u00a0", b""),
        ("\u3000", b""),
        ("\u200b", b""),
        ("\ufeff", b""),
    )
)


def normalised_key(texts: pa.StringArray) -> pa.Array:
    """Return a salted hash of each text, squeezed: binary(16). Equal texts have equal keys."""
    content, offsets = read_buffers(texts)
    keys = [_hash(_squeeze(content[start:end])) for start, end in itertools.pairwise(offsets.tolist())]
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
    others = leave_out_ascii(content)
    if not LOWER.fullmatch(others):
        text = content.decode()
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        others = content = text.lower().encode()
    content = content.lower().translate(None, WHITE)
    for one, other in REPLACED:
        if one in others:
            content = content.replace(one, other)
    return content


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, salt=SALT).digest()
