"""Publish files in a store: a file appears whole, or not at all.

Some file systems, mostly of networks, can neither flush a folder nor rename over a file. What they lack is left out.
The promise then rests on the SHA-256 that every reader checks; docs/security.md says what is weaker there.
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pyarrow import fs

from storage.location import Location

TEMPORARY_SUFFIX = ".part"
# Errors by which a file system says that it cannot do something, not that something went wrong with the bytes.
UNSUPPORTED = frozenset(
    (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EBADF, errno.EISDIR)
)
CANNOT_RENAME = UNSUPPORTED | {errno.EEXIST, errno.EXDEV, errno.EBUSY}
# By the end of a name. A browser shows a page of an object store only if its type says that it is one.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}
OTHER_CONTENT = "application/octet-stream"
Write = Callable[[bytes], object]


def publishing(location: Location, key: str) -> AbstractContextManager[Write]:
    """Return a context that gives a function to write bytes with, and publishes the file at its end.

    In a folder, the bytes are on the disk before the name appears. If the block raises, the store stays as it was.

    Args:
        location: The store's location.
        key: The file's full path in the file system.
    """
    return _renaming(location.filesystem, key) if location.is_local else _uploading(location, key)


@contextmanager
def _renaming(filesystem: fs.FileSystem, key: str) -> Iterator[Write]:
    folder, name = posixpath.split(key)
    temporary = posixpath.join(folder, f".{name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    filesystem.create_dir(folder, recursive=True)
    try:
        with filesystem.open_output_stream(temporary) as stream:
            yield stream.write
        flush_to_disk(temporary)
        _rename(filesystem, temporary, key)
        flush_to_disk(folder)
    except BaseException:
        with suppress(FileNotFoundError):
            filesystem.delete_file(temporary)
        raise


def _rename(filesystem: fs.FileSystem, temporary: str, key: str) -> None:
    """Rename a file, or do the next best thing: remove an older file first, else copy."""
    try:
        filesystem.move(temporary, key)
    except OSError as error:
        if error.errno not in CANNOT_RENAME:
            raise
        _replace_otherwise(Path(temporary), Path(key))


def _replace_otherwise(temporary: Path, key: Path) -> None:
    try:
        key.unlink(missing_ok=True)
        temporary.rename(key)
    except OSError:
        shutil.copyfile(temporary, key)
        flush_to_disk(str(key))
        temporary.unlink()


def flush_to_disk(path: str) -> None:
    """Wait until a file's bytes or a folder's names are on the disk, if the file system can flush them."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


@contextmanager
def _uploading(location: Location, key: str) -> Iterator[Write]:
    # pyarrow cannot abort an upload: whenever its stream is closed, the bytes written so far are published. Therefore
    # the upload begins after the last byte is written, and in a thread, which Ctrl-C does not interrupt.
    content = io.BytesIO()
    yield content.write
    with location.open_filesystem() as filesystem, ThreadPoolExecutor(1) as uploader:
        uploader.submit(_upload, filesystem, key, content.getbuffer()).result()


def find_content_type(name: str) -> str:
    """Return what an object store says that a file is, by the end of its name."""
    return CONTENT_TYPES.get(posixpath.splitext(f"x{name}")[1], OTHER_CONTENT)


def _upload(filesystem: fs.FileSystem, key: str, content: memoryview) -> None:
    content_type = find_content_type(key)
    # Not `fs.copy_files`, which does not raise if the store refuses the end of an upload.
    with filesystem.open_output_stream(key, metadata={"Content-Type": content_type}) as stream:
        stream.write(content)
