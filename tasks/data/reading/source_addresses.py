"""Tell of a source's address what it is: an archive or reviews, on this machine or elsewhere."""

from __future__ import annotations

import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from tasks.sources import WEB, find_path

LOCAL = ("", "file")
NAMED_SOURCES = ("imdb", "sample", "auto")
ARCHIVE_SUFFIX = ".npz"


def is_archive(source: str) -> bool:
    """Return whether a source is an archive like IMDB's, or the name of one; else it is a source of reviews."""
    if source.strip() in NAMED_SOURCES:
        return True
    if find_scheme(source) in ("http", "https", "s3", "gs", "gcs", "hdfs", "abfs", "abfss"):
        return urlsplit(source).path.lower().endswith(ARCHIVE_SUFFIX)
    path = find_local_path(source)
    try:
        return path.is_file() and zipfile.is_zipfile(path) if path.suffix.lower() != ARCHIVE_SUFFIX else True
    except OSError:
        return False


def settle_source(source: str) -> str:
    """Return a source whose path does not depend on the working folder; an address stays as it is.

    Later runs find by it what an earlier one has read.
    """
    return source.strip() if find_scheme(source) not in LOCAL else str(find_local_path(source))


def is_address(source: str) -> bool:
    """Return whether a source is an http(s) address, whose file has to have a known SHA-256."""
    return find_scheme(source) in WEB


def find_scheme(source: str) -> str:
    """Return the scheme of an address, "" for a path; `file:/x` is an address with one slash too."""
    source = source.strip()
    if "://" in source:
        return source.partition("://")[0].lower()
    return "file" if source.startswith("file:/") else ""


def find_local_path(source: str) -> Path:
    """Return the path of a source on this machine; it does not depend on the working folder."""
    return find_path(source.strip()).absolute()
