"""Pages that can be verified without a manifest: each ends in the SHA-256 of everything before it."""

from __future__ import annotations

import hashlib
import re

# An HTML comment, which browsers do not show.
_SEAL = "<!-- SHA-256 of all before this line: {} -->\n"
_SEALED = re.compile(rb"<!-- SHA-256 of all before this line: ([0-9a-f]{64}) -->\n\Z")


def seal_page(page: str) -> bytes:
    """Return the page as bytes, with its SHA-256 in an additional last line."""
    content = page.encode()
    return content + _SEAL.format(hashlib.sha256(content).hexdigest()).encode()


def is_intact(content: bytes) -> bool:
    """Return whether a page has the bytes that `seal_page` returned.

    Example:
        >>> is_intact(seal_page("<p>good</p>")), is_intact(seal_page("<p>good</p>").replace(b"good", b"well"))
        (True, False)
    """
    found = _SEALED.search(content)
    return found is not None and hashlib.sha256(content[: found.start()]).hexdigest().encode() == found[1]
