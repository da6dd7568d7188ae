"""Create a file only if there is none of its name yet, so that of several processes exactly one creates it.

A folder does it by a link, which fails if the name is taken; S3 does it by a conditional put.
"""

from __future__ import annotations

import errno
import os
import posixpath
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.location import (
    AMAZON,
    ATTEMPTS,
    CONNECT_SECONDS,
    SILENCE_SECONDS,
    Location,
    read_endpoint,
)
from storage.proxies import find_proxy
from storage.publishing import TEMPORARY_SUFFIX, UNSUPPORTED, find_content_type, flush_to_disk, publishing

if TYPE_CHECKING:
    # Importing obstore takes a tenth of a second, and few commands create records.
    from obstore.store import S3Store

# A link needs what a rename does not; EACCES would be a folder that nobody may write, which is another error.
CANNOT_LINK = (UNSUPPORTED | {errno.EMLINK, errno.EXDEV}) - {errno.EACCES}
HOW = "Give --single-writer if nobody else writes to it meanwhile."


class CannotCreateOnceError(ValueError):
    """The store cannot create a file only if there is none."""


def create_once(location: Location, key: str, content: bytes, *, single_writer: bool = False) -> None:
    """Create a file with all its bytes, or leave the one that is there.

    Args:
        location: The store's location.
        key: The file's full path in its file system. Its content must be different from all that others may create
            there, because after a lost answer the content alone says who created it.
        content: The bytes.
        single_writer: Whether nobody else writes meanwhile, so that a store may do that cannot create once.

    Raises:
        FileExistsError: There is another file of that name. It stays as it was.
        CannotCreateOnceError: The store cannot do this, and there may be other writers.
    """
    if location.is_local:
        _create_in_folder(location, key, content, single_writer=single_writer)
    elif location.address.startswith("s3://") and not single_writer:
        _create_in_bucket(location, key, content)
    else:
        _create_alone(location, key, content, "this kind of store", single_writer=single_writer)


def _create_in_folder(location: Location, key: str, content: bytes, *, single_writer: bool) -> None:
    folder, name = posixpath.split(key)
    Path(folder).mkdir(parents=True, exist_ok=True)
    temporary = posixpath.join(folder, f".{name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    try:
        Path(temporary).write_bytes(content)
        flush_to_disk(temporary)
        try:
            os.link(temporary, key)
        except FileExistsError:
            # A file system of a network may have lost the answer to a link that it made.
            if not Path(temporary).samefile(key):
                raise
        except OSError as error:
            if error.errno not in CANNOT_LINK:
                raise
            _create_alone(location, key, content, "its file system, which has no links,", single_writer=single_writer)
        flush_to_disk(folder)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _create_alone(location: Location, key: str, content: bytes, what: str, *, single_writer: bool) -> None:
    """Look whether the file is there, and then write it: two processes at once could both find none."""
    if not single_writer:
        raise CannotCreateOnceError(
            f"The store {location.address} must create a record only if there is none, and {what} cannot. {HOW}"
        )
    with location.open_filesystem() as filesystem:
        is_taken = filesystem.get_file_info(key).is_file
    if is_taken:
        raise FileExistsError(errno.EEXIST, "the file exists", key)
    with publishing(location, key) as write:
        write(content)


def _create_in_bucket(location: Location, key: str, content: bytes) -> None:
    from obstore.exceptions import BaseError

    bucket, _, path = key.partition("/")
    with location.open_filesystem():
        try:
            is_created = _put_record(_open_bucket(bucket), path, content, location.address)
        except BaseError as error:
            reason = str(error).partition("Debug source")[0]
            # How servers answer that do not know the condition.
            if "NotImplemented" in reason or "501" in reason:
                raise CannotCreateOnceError(_refuse_server(location.address, "does not know how")) from error
            raise OSError(reason) from error
    if not is_created:
        raise FileExistsError(errno.EEXIST, "the object exists", key)


def _put_record(store: S3Store, path: str, content: bytes, address: str) -> bool:
    """Create an object; return False if there was another one."""
    # A server that ignores the condition overwrites in silence, so it is tried on a file of nobody first.
    probe = f"{posixpath.dirname(path)}/.create-{uuid.uuid4().hex}"
    _put_new(store, probe, b"1")
    is_kept = not _put_new(store, probe, b"2")
    store.delete(probe)
    if not is_kept:
        raise CannotCreateOnceError(_refuse_server(address, "overwrites the one that is there"))
    return _put_new(store, path, content) or bytes(store.get(path).bytes()) == content


def _refuse_server(address: str, what: str) -> str:
    return f"The store {address} must create a record only if there is none, and this server {what}. {HOW}"


def _open_bucket(bucket: str) -> S3Store:
    from obstore.store import S3Store

    endpoint = read_endpoint()
    options: Any = {
        "allow_http": True,
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{SILENCE_SECONDS}s",
        "default_content_type": find_content_type(".json"),
    }
    if proxy := find_proxy(endpoint or AMAZON):
        options["proxy_url"] = proxy
    settings: Any = {"endpoint": endpoint} if endpoint else {}
    return S3Store(bucket, client_options=options, retry_config={"max_retries": ATTEMPTS - 1}, **settings)


def _put_new(store: S3Store, path: str, content: bytes) -> bool:
    """Create an object; return False if there was one."""
    from obstore.exceptions import AlreadyExistsError

    try:
        store.put(path, content, mode="create")
    except AlreadyExistsError:
        return False
    return True
