"""Get the reviews: from the official address, a file or an address of one's own, checked before they are believed."""

from __future__ import annotations

import hashlib
import io
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.tasks import exponential_backoff
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from storage.archive import check_archive
from storage.records import Dataset, StoredFile
from storage.store import CHUNK_BYTES, Store
from tasks.caching import reuse_or_build
from tasks.sources import Source

# The IMDB archive has 17 MB.
MAXIMUM_FILE_BYTES = 256 << 20
# The hash is of the file, not of a copy that the server compressed on the way.
AS_IT_IS = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class TimeLimits:
    """Seconds: to resolve a name and again to connect, to wait for the next bytes, and for one file in all.

    Three attempts with their pauses find out within 15 s that there is no network.
    """

    connect: float = 3.0
    read: float = 10.0
    total: float = 900.0


class SourceUnreachableError(ConnectionError):
    """The reviews could not be fetched. `transient` says whether another attempt may help."""

    def __init__(self, url: str, reason: str, *, transient: bool) -> None:
        super().__init__(
            f"{url} could not be fetched: {reason}. Check the network, or give `source` a file or another address."
        )
        self.transient = transient


def read_chunks(address: str, limits: TimeLimits) -> Iterator[bytes]:
    """Yield the bytes of a file or of an http(s) address, with a progress bar where the terminal is a person's.

    Raises:
        SourceUnreachableError: The address did not answer, answered with an error or with more than any archive of
            ours has, stalled or broke off.
        ValueError: The file is larger than that.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        with Path(address).open("rb") as file:
            _check_size(file.seek(0, io.SEEK_END))
            file.seek(0)
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")
        return
    try:
        yield from _stream(address, limits)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        reason = f"the server answered {status} {error.response.reason_phrase}"
        raise SourceUnreachableError(address, reason, transient=status >= 500 or status == 429) from error
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL, ValueError) as error:
        raise SourceUnreachableError(address, str(error), transient=False) from error
    except (httpx.TransportError, TimeoutError, socket.gaierror) as error:
        reason = str(error) or type(error).__name__
        raise SourceUnreachableError(address, reason, transient=True) from error


def _stream(url: str, limits: TimeLimits) -> Iterator[bytes]:
    _check_name_resolves(url, limits.connect)
    deadline = time.monotonic() + limits.total
    timeout = httpx.Timeout(limits.read, connect=limits.connect)
    with (
        httpx.stream("GET", url, headers=AS_IT_IS, timeout=timeout, follow_redirects=True) as response,
        _progress_bar() as progress,
    ):
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0)) or None
        _check_size(size or 0)
        bar = progress.add_task(url.rsplit("/", 1)[-1], total=size)
        # As the bytes come: chunks of a size of our own would let a trickle run past the deadline.
        received = 0
        for chunk in response.iter_raw():
            received += len(chunk)
            _check_size(received)
            progress.update(bar, advance=len(chunk))
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {limits.total:g} s")
            yield chunk


def _check_size(size: int) -> None:
    if size > MAXIMUM_FILE_BYTES:
        raise ValueError(f"a file must have at most {MAXIMUM_FILE_BYTES} bytes, and it has {size} or more")


def _check_name_resolves(url: str, seconds: float) -> None:
    """Look the host's name up with a time limit, which the system's resolver lacks; a proxy does its own look-ups."""
    address = urlsplit(url)
    if getproxies().get(address.scheme) and not proxy_bypass(address.hostname or ""):
        return
    failures: list[OSError | ValueError] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(address.hostname, address.port or address.scheme)
        # A malformed name or port is a ValueError.
        except (OSError, ValueError) as error:
            failures.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"the name {address.hostname} was not resolved in {seconds:g} s")
    if failures:
        raise failures[0]


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    )


def fetch_file(store: Store, path: str, address: str, sha256: str, limits: TimeLimits) -> StoredFile:
    """Copy a file into the store by way of a temporary one, hashing as it goes.

    Raises:
        ValueError: Its SHA-256 is not the expected one, or an .npz file is no whole archive; nothing was published.
        SourceUnreachableError: It could not be fetched.
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


def _may_help_to_retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, SourceUnreachableError) and error.transient


@task(
    name="download",
    task_run_name="download {source.archive}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=exponential_backoff(1),
    retry_jitter_factor=0.3,
    retry_condition_fn=_may_help_to_retry,
)
def download_reviews(source: Source, store: Store, limits: TimeLimits = TimeLimits()) -> Dataset:
    """Fetch the archive and its word index into the store, unless they are there already."""
    inputs = {"archive": source.sha256, "word_index": source.word_index_sha256}

    def build() -> dict[str, StoredFile]:
        get_run_logger().info("download: fetching %s", source.archive)
        name = f"raw/{source.sha256[:16]}.npz"
        files = {"archive": fetch_file(store, name, source.archive, source.sha256, limits)}
        if source.word_index and source.word_index_sha256:
            name = f"raw/{source.word_index_sha256[:16]}.json"
            files["word_index"] = fetch_file(store, name, source.word_index, source.word_index_sha256, limits)
        return files

    return reuse_or_build(store, "download", inputs, source.archive, build)
