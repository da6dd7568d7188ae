"""Sources of reviews, and the SHA-256 of their files."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.location import find_mistake, holds_secret

WORD_INDEX_NAME = "imdb_word_index.json"
WEB = ("http", "https")


@dataclass(frozen=True)
class Source:
    """The addresses of an archive and of its word index, and their SHA-256.

    Attributes:
        archive: An http(s) address, or a path.
        sha256: Of the archive, 64 hexadecimal digits.
        word_index: An http(s) address, or a path; None if the source has no word index with a known SHA-256.
        word_index_sha256: Of the word index; None if there is none.
    """

    archive: str
    sha256: str
    word_index: str | None = None
    word_index_sha256: str | None = None


# The addresses and the hashes of the files that `keras.datasets.imdb` serves.
IMDB = Source(
    archive="https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
    sha256="69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    word_index=f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{WORD_INDEX_NAME}",
    word_index_sha256="027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
)


MUST = "`source` must be auto, imdb, sample, a file or an http(s) address."
NO_SECRETS = (
    "`{option}` must not hold a secret, because addresses are logged, kept by Prefect and written into the report. "
    "Received: one with a user, a password or a key. Fetch the file by other means, and give its path."
)


def resolve_source(source: str, sha256: str | None) -> Source:
    """Return the source with the given name, path or address.

    Args:
        source: "imdb", a path, or a `file:`, `http:` or `https:` address.
        sha256: Of the archive. It may be None for "imdb", where it is known, and for a file, where it is computed.

    Raises:
        ValueError: `sha256` or the address is malformed, `sha256` is missing, or the address holds a secret.
        FileNotFoundError: The file does not exist.
    """
    source = source.strip()
    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"`sha256` must be 64 hexadecimal digits in lower case. Received: sha256={sha256!r}.")
    if source == "imdb":
        return IMDB if sha256 is None else Source(IMDB.archive, sha256, IMDB.word_index, IMDB.word_index_sha256)
    if check_address(source, sha256, "source", MUST) in WEB and sha256 is not None:
        return Source(source, sha256)
    return _resolve_file(find_path(source), sha256)


def check_address(source: str, sha256: str | None, option: str, must: str) -> str:
    """Check a path or an address without any access to it, and return its scheme, "" for a plain path.

    Args:
        source: Without spaces around it.
        sha256: What an http(s) address must hash to.
        option: The parameter's name, for error messages.
        must: What it must be, a sentence.

    Raises:
        ValueError: It is malformed, holds a secret, or is an http(s) address without a SHA-256.
    """
    if mistake := find_mistake(source):
        secret = NO_SECRETS.format(option=option)
        raise ValueError(secret if "@" in source else f"{must} Received: {option}={source!r}, {mistake}")
    scheme = _read_scheme(source, option)
    if scheme in WEB:
        # A user name without a password may be a token.
        if holds_secret(source) or "@" in source.partition("://")[2].partition("/")[0]:
            raise ValueError(NO_SECRETS.format(option=option))
        if sha256 is None:
            raise ValueError(
                f"`sha256` must be given with an address of your own. Received: {option}={source!r} alone."
            )
    return scheme


def find_path(source: str) -> Path:
    """Return the path that a plain path or a `file:` address names."""
    path = Path(unquote(urlsplit(source).path) if source.startswith("file:") else source)
    # `~` without a home is a folder of this name.
    with suppress(RuntimeError):
        path = path.expanduser()
    return path


def _read_scheme(source: str, option: str) -> str:
    try:
        return urlsplit(source).scheme
    except ValueError:
        # Half an IPv6 address, for example. The original message repeats the address, which may hold a secret.
        raise ValueError(f"`{option}` must be an address that can be read. Received: one that cannot.") from None


def _resolve_file(path: Path, sha256: str | None) -> Source:
    if not _is_file(path):
        raise FileNotFoundError(f"{MUST} No file at {path}.")
    beside = path.with_name(WORD_INDEX_NAME)
    if not beside.is_file():
        return Source(str(path), sha256 or hash_path(path))
    return Source(str(path), sha256 or hash_path(path), str(beside), hash_path(beside))


def _is_file(path: Path) -> bool:
    """Return whether there is such a file; also if a folder on the way cannot be read, there is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def hash_path(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
