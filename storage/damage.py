"""The errors for stored files that cannot be used."""

from __future__ import annotations


class DamagedFileError(ValueError):
    """A stored file differs from its manifest, is missing, or has a path outside the store."""


class NewerFormatError(DamagedFileError):
    """A newer version of the project wrote the record. It is not damaged, so it must stay in its place."""
