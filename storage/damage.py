"""What is raised of a stored file that is not as it must be."""

from __future__ import annotations


class DamagedFileError(ValueError):
    """A stored file is not what its manifest says, or not where a store's files may be."""


class NewerFormatError(DamagedFileError):
    """A record was written by a newer version of the project: not damaged, so it must stay where it is."""
