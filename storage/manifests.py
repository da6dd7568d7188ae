"""Manifests: JSON files that carry the SHA-256 of their own content."""

from __future__ import annotations

import hashlib
import json

from storage.records import JsonObject


def seal_manifest(content: JsonObject) -> bytes:
    """Return the bytes of a manifest; the same content gives the same bytes."""
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    sealed = {"content": content, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def open_manifest(raw: bytes) -> JsonObject | None:
    """Return the content of a manifest; None if the bytes are not those that `seal_manifest` gave."""
    try:
        content = json.loads(raw)["content"]
        is_intact = isinstance(content, dict) and seal_manifest(content) == raw
    # RecursionError: of lists in lists without end.
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(content) if is_intact else None
