"""Resolve a store's address to a file system and a path in it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from storage.proxies import find_proxy

# With these, a dead endpoint is reported within about a minute, and one that is busy for seconds is waited for.
CONNECT_SECONDS, SILENCE_SECONDS, ATTEMPTS = 5, 8, 4

AMAZON = "https://s3.amazonaws.com"
ADDRESSES = "`store` must be a folder, a file: URI, s3://bucket/prefix or another URI that pyarrow.fs opens."
ADVICE = "Check the network and the address, and in the environment the endpoint, the region and the credentials."
NO_KEYS = (
    "`store` must not hold a secret, because addresses are logged and kept. Received: one with a secret. "
    "Give it in the environment instead, for S3 as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
# What begins like a URI and is none: "s3:/b/x", "s3 ://b", "C:x", "s3//b", "s3;//b". Only "file:/x" is allowed.
_MISTYPED_URI = re.compile(r"(?!file:/(?!/))[a-z][a-z0-9+.-]*\s*:(?!//)|[a-z][a-z0-9+.-]+\s+://", re.IGNORECASE)
_MISTYPED_SCHEME = re.compile(r"(s3a?|gs|gcs|hdfs|abfss?|file|https?)\s*([;,.]?//|[:;]?\\)", re.IGNORECASE)
# A variable that a shell would have replaced, as in a file of environment variables.
_VARIABLE = re.compile(r"\$[{(\w]|%[a-zA-Z]/")
# Searched in the whole address instead of its parts, because a key may hold slashes and would be taken for a path.
_QUOTES = ("'", '"', "`", "“", "”", "‘", "’")
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


def find_mistake(address: str) -> str:
    """Return what is wrong with an address that looks mistyped, as the end of a sentence; "" if it looks right.

    Example:
        >>> find_mistake("s3:/bucket/x")
        'which looks like a mistyped URI. Write s3://bucket/x, or ./s3:/bucket/x for a folder of this name.'
        >>> find_mistake("/srv/store")
        ''
    """
    if any(unicodedata.category(character) == "Cc" for character in address):
        return "which holds control characters."
    if address[:1] in _QUOTES or address[-1:] in _QUOTES:
        return "which is in quotes. Leave them out."
    if _VARIABLE.match(address):
        return "whose variable nobody has replaced. Write the folder itself."
    for pattern in (_MISTYPED_URI, _MISTYPED_SCHEME):
        if pattern.match(address):
            scheme = re.match(r"[a-zA-Z][\w+.-]*?(?=[\W_]|$)", address)
            name = scheme[0] if scheme else ""
            rest = address[len(name) :].lstrip(" :;,./\\")
            return f"which looks like a mistyped URI. Write {name}://{rest}, or ./{address} for a folder of this name."
    return ""


def _expand_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    # There is no such user, or no home.
    except RuntimeError as error:
        raise ValueError(f"{ADDRESSES} Received: store={path!r} ({error}).") from error


def resolve_location(uri: str) -> Location:
    """Return the file system and the path of a store's address, without any access to them.

    Args:
        uri: A folder, a `file:` URI, `s3://bucket/prefix`, or any other URI that `pyarrow.fs` opens.

    Raises:
        ValueError: The address is malformed, or holds a secret, which the message does not repeat.
    """
    if holds_secret(uri):
        raise ValueError(NO_KEYS)
    uri = uri.strip()
    if mistake := find_mistake(uri):
        raise ValueError(NO_KEYS if "@" in uri else f"{ADDRESSES} Received: store={uri!r}, {mistake}")
    if re.match(r"file:/(?!/)", uri, re.IGNORECASE):
        uri = f"file://{uri[5:]}"
    if "://" not in uri and uri:
        uri = _expand_home(uri).absolute().as_uri()
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
    endpoint = read_endpoint()
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        proxy_options=find_proxy(endpoint or AMAZON),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        # One request for a small object instead of three.
        allow_delayed_open=True,
    )


def read_endpoint() -> str | None:
    """Return the object store's own address, or None for Amazon's."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        endpoint = os.environ.get(name, "").strip()
        if "@" in endpoint:
            raise ValueError(f"{name} must be an address alone. Received: one with a user or a password.")
        if endpoint and not re.fullmatch(r"https?://[^\s'\"/?#]+/?", endpoint):
            raise ValueError(f"{name} must be an http:// or https:// address of a host. Received: {endpoint}.")
        if endpoint:
            return endpoint
    return None
