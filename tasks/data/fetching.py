"""Fetch an archive and its word index from an address or a file into the store, and check their SHA-256 first."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from storage.archive import check_archive
from storage.proxies import find_certificates, find_proxy
from storage.records import StoredFile
from storage.store import CHUNK_BYTES, Store
from tasks.sources import Source

# The IMDB archive has 17 MB.
MAXIMUM_FILE_BYTES = 256 << 20
MAXIMUM_REDIRECTS = 20
# The SHA-256 is that of the file, not that of a copy which the server compresses for the transfer.
UNCOMPRESSED = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class TimeLimits:
    """Time limits of a download, in seconds.

    With the defaults, three attempts and their pauses report within 15 s that there is no network.

    Attributes:
        connect: To look the host's name up, and again to connect.
        read: To wait for the next bytes.
        total: For one file.
    """

    connect: float = 3.0
    read: float = 10.0
    total: float = 900.0


DEFAULT_LIMITS = TimeLimits()


class SourceUnreachableError(ConnectionError):
    """An address could not be fetched.

    Attributes:
        transient: Whether another attempt may succeed.
    """

    def __init__(self, url: str, reason: str, *, transient: bool) -> None:
        advice = "Check the network, or give `source` a file or another address."
        super().__init__(f"{url} could not be fetched: {reason.rstrip('.')}. {advice}")
        self.transient = transient


def fetch_source(store: Store, source: Source, limits: TimeLimits) -> dict[str, StoredFile]:
    """Fetch the archive and, if the source has one, its word index into the store.

    Args:
        store: Where the files are published.
        source: Where the files are, and their SHA-256.
        limits: Time limits of each file.

    Returns:
        The files by name: "archive" and "word_index".

    Raises:
        ValueError: A file has another SHA-256, or the archive is not a whole .npz file.
        SourceUnreachableError: A file could not be fetched.
    """
    path = f"raw/{source.sha256[:16]}.npz"
    files = {"archive": fetch_file(store, path, source.archive, source.sha256, limits)}
    if source.word_index and source.word_index_sha256:
        path = f"raw/{source.word_index_sha256[:16]}.json"
        files["word_index"] = fetch_file(store, path, source.word_index, source.word_index_sha256, limits)
    return files


def fetch_file(store: Store, path: str, address: str, sha256: str, limits: TimeLimits) -> StoredFile:
    """Fetch a file into a temporary file, check it, and publish it. A file that fails a check is not published.

    Args:
        store: Where the file is published.
        path: Its path in the store; one that ends in ".npz" must be a whole archive.
        address: An http(s) address, or the path of a file outside the store.
        sha256: The expected SHA-256, 64 hexadecimal digits.
        limits: Time limits.

    Raises:
        ValueError: The file has another SHA-256, or is not a whole .npz file.
        SourceUnreachableError: The address could not be fetched.
    """
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as temporary:
        for chunk in read_chunks(address, limits):
            digest.update(chunk)
            temporary.write(chunk)
        if digest.hexdigest() != sha256:
            raise ValueError(
                f"{address} must have SHA-256 {sha256}. Received: {digest.hexdigest()}, {temporary.tell()} bytes."
            )
        temporary.seek(0)
        if path.endswith(".npz"):
            check_archive(temporary, address)
            temporary.seek(0)
        return store.write_chunks(path, iter(lambda: temporary.read(CHUNK_BYTES), b""), sha256)


def fetch_to_file(path: Path, address: str, sha256: str, limits: TimeLimits, most_bytes: int) -> None:
    """Fetch an http(s) address into a file outside the store, and check its SHA-256.

    Args:
        path: The file to write; it is removed if a check fails.
        address: The address.
        sha256: The expected SHA-256, 64 hexadecimal digits.
        limits: Time limits.
        most_bytes: The largest size allowed.

    Raises:
        ValueError: The file has another SHA-256.
        SourceUnreachableError: The address could not be fetched.
    """
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in read_chunks(address, limits, most_bytes):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != sha256:
        size = path.stat().st_size
        path.unlink()
        raise ValueError(f"{address} must have SHA-256 {sha256}. Received: {digest.hexdigest()}, {size} bytes.")


def read_chunks(address: str, limits: TimeLimits, most_bytes: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file or of an http(s) address; a terminal shows a progress bar of the download.

    Raises:
        SourceUnreachableError: The server did not answer, answered with an error or with more than
            `most_bytes`, exceeded a time limit, or closed the connection early.
        ValueError: The file has more than `most_bytes`.
    """
    most_bytes = MAXIMUM_FILE_BYTES if most_bytes is None else most_bytes
    if urlsplit(address).scheme not in ("http", "https"):
        with Path(address).open("rb") as file:
            _check_size(file.seek(0, io.SEEK_END), most_bytes)
            file.seek(0)
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")
        return
    try:
        yield from _stream(address, limits, most_bytes)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        reason = f"the server answered {status} {error.response.reason_phrase}"
        raise SourceUnreachableError(address, reason, transient=status >= 500 or status == 429) from error
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL, ValueError) as error:
        raise SourceUnreachableError(address, str(error), transient=False) from error
    except (httpx.TransportError, TimeoutError, socket.gaierror) as error:
        raise SourceUnreachableError(address, str(error) or type(error).__name__, transient=True) from error


def _stream(url: str, limits: TimeLimits, most_bytes: int) -> Iterator[bytes]:
    deadline = time.monotonic() + limits.total
    with _open_address(url, limits) as response, _make_progress_bar() as progress:
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0)) or None
        _check_size(size or 0, most_bytes)
        bar = progress.add_task(url.rsplit("/", 1)[-1], total=size)
        # `iter_raw` without a size yields bytes as they arrive. It would wait for a whole chunk if it had a size, and
        # a slow server would pass the deadline meanwhile.
        received = 0
        for chunk in response.iter_raw():
            received += len(chunk)
            _check_size(received, most_bytes)
            progress.update(bar, advance=len(chunk))
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {limits.total:g} s")
            yield chunk


@contextmanager
def _open_address(url: str, limits: TimeLimits) -> Iterator[httpx.Response]:
    """Yield the answer of an address. Each redirect is asked through the proxy of its own host.

    Raises:
        ValueError: A variable names a proxy or certificates that cannot be used.
        httpx.TooManyRedirects: There are more than `MAXIMUM_REDIRECTS`.
    """
    timeout = httpx.Timeout(limits.read, connect=limits.connect)
    for _ in range(MAXIMUM_REDIRECTS + 1):
        proxy = find_proxy(url)
        if proxy is None:
            _check_name_resolves(url, limits.connect)
        secure = "https" in (urlsplit(url).scheme, urlsplit(proxy or "").scheme)
        # Not httpx's own reading of the environment, which fails for variables that this address does not need.
        with (
            httpx.Client(trust_env=False, proxy=proxy, verify=find_certificates() if secure else True) as client,
            client.stream("GET", url, headers=UNCOMPRESSED, timeout=timeout) as response,
        ):
            if response.next_request is None:
                yield response
                return
            url = str(response.next_request.url)
    raise httpx.TooManyRedirects(f"more than {MAXIMUM_REDIRECTS} redirects")


def _check_size(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise ValueError(f"a file must have at most {most_bytes} bytes, and it has {size} or more")


def _check_name_resolves(url: str, seconds: float) -> None:
    """Look the host's name up with a time limit, which the system's resolver lacks.

    Raises:
        TimeoutError: The resolver did not answer in time.
        OSError: The name does not exist.
        ValueError: The name or the port is malformed.
    """
    address = urlsplit(url)
    failures: list[OSError | ValueError] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(address.hostname, address.port or address.scheme)
        # A malformed name or port raises a ValueError.
        except (OSError, ValueError) as error:
            failures.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"the name {address.hostname} was not resolved in {seconds:g} s")
    if failures:
        raise failures[0]


def _make_progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    is_animated = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not is_animated, transient=True
    )
