"""Resolve a store's address to a file system and a path in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

# With these, a dead endpoint is reported within about a minute, and one that is busy for seconds is waited for.
CONNECT_SECONDS, SILENCE_SECONDS, ATTEMPTS = 5, 8, 4

ADDRESSES = "`store` must be a folder, a file: URI, s3://bucket/prefix or another URI that pyarrow.fs opens."
ADVICE = "Check the network and the address, and in the environment the endpoint, the region and the credentials."
NO_KEYS = (
    "`store` must not hold a secret, because addresses are logged and kept. Received: one with a secret. "
    "Give it in the environment instead, for S3 as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
# Searched in the whole address instead of its parts, because a key may hold slashes and would be taken for a path.
_USER_AND_PASSWORD = re.compile(r"://.*:.*@")
_SECRET_OPTION = re.compile(r"://.*[?&][^=&]*(secret|passw|token|key|sig|credential)[^=&]*=", re.IGNORECASE)


@dataclass(frozen=True)
class Location:
    """Where a store is.

    Attributes:
        filesystem: A file system of `pyarrow.fs`.
        root: The store's path in it, without a slash at the end.
        address: The store's address for people: an absolute path, or a URI without its options.
    """

    filesystem: fs.FileSystem
    root: str
    address: str

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    @contextmanager
    def open_filesystem(self) -> Iterator[fs.FileSystem]:
        """Yield the file system, and re-raise object-store errors with the store's address and what to check."""
        try:
            yield self.filesystem
        except OSError as error:
            if self.is_local or isinstance(error, FileNotFoundError):
                raise
            reason = " ".join(str(error).split()).rstrip(" .:")
            raise OSError(f"The store {self.address} could not be used: {reason}. {ADVICE}") from error


def holds_secret(address: str) -> bool:
    """Return whether an address holds a password, a key or another secret.

    Example:
        >>> holds_secret("https://user:word@example.org/x"), holds_secret("https://example.org/x?page=2")
        (True, False)
    """
    return bool(_USER_AND_PASSWORD.search(address) or _SECRET_OPTION.search(address))


def resolve_location(uri: str) -> Location:
    """Return the file system and the path of a store's address, without any access to them.

    Args:
        uri: A folder, a `file:` URI, `s3://bucket/prefix`, or any other URI that `pyarrow.fs` opens.

    Raises:
        ValueError: The address is malformed, or holds a secret, which the message does not repeat.
    """
    if holds_secret(uri):
        raise ValueError(NO_KEYS)
    if "://" not in uri and uri.strip():
        uri = Path(uri).expanduser().absolute().as_uri()
    scheme, _, place = uri.partition("://")
    scheme = scheme.lower()
    if scheme == "s3":
        return _locate_bucket(place)
    # A name between file:// and the next slash is that of another machine.
    if not scheme.strip() or (scheme == "file" and not place.startswith("/")):
        raise ValueError(f"{ADDRESSES} Received: store={uri!r}.")
    try:
        filesystem, root = fs.FileSystem.from_uri(uri)
    # The scheme is unknown, pyarrow was built without it, or a library for it is missing.
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{ADDRESSES} Received: store={uri!r} ({reason}).") from error
    root = root.rstrip("/")
    return Location(filesystem, root, root if scheme == "file" else uri.partition("?")[0].rstrip("/"))


def _locate_bucket(place: str) -> Location:
    bucket = place.partition("/")[0]
    if "@" in bucket or ":" in bucket:
        raise ValueError(NO_KEYS)
    if not bucket:
        raise ValueError(f"{ADDRESSES} Received: store='s3://{place}', which names no bucket.")
    if "?" in place or "#" in place:
        raise ValueError(
            "`store` must be s3://bucket/prefix with nothing behind it: endpoint, region and credentials come from the "
            f"environment (AWS_ENDPOINT_URL, AWS_REGION, ...). Received: options behind s3://{bucket}."
        )
    root = place.rstrip("/")
    return Location(_open_s3(), root, f"s3://{root}")


def _open_s3() -> fs.FileSystem:
    """Return an S3 file system with time limits, which a URI cannot set.

    pyarrow reads region and credentials from the environment by itself, but the endpoint only if it gets a URI.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint and "@" in endpoint:
        raise ValueError("AWS_ENDPOINT_URL must be an address alone. Received: one with a user or a password.")
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        # One request for a small object instead of three.
        allow_delayed_open=True,
    )
