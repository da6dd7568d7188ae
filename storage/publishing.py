"""Publish files in a store: a file appears whole, or not at all."""

from __future__ import annotations

import io
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress

from pyarrow import fs

from storage.location import Location

TEMPORARY_SUFFIX = ".part"
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
        _flush_to_disk(temporary)
        filesystem.move(temporary, key)
        _flush_to_disk(folder)
    except BaseException:
        with suppress(FileNotFoundError):
            filesystem.delete_file(temporary)
        raise


def _flush_to_disk(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _uploading(location: Location, key: str) -> Iterator[Write]:
    # pyarrow cannot abort an upload: whenever its stream is closed, the bytes written so far are published. Therefore
    # the upload begins after the last byte is written, and in a thread, which Ctrl-C does not interrupt.
    content = io.BytesIO()
    yield content.write
    with location.open_filesystem() as filesystem, ThreadPoolExecutor(1) as uploader:
        uploader.submit(_upload, filesystem, key, content.getbuffer()).result()


def _upload(filesystem: fs.FileSystem, key: str, content: memoryview) -> None:
    # Not `fs.copy_files`, which does not raise if the store refuses the end of an upload.
    with filesystem.open_output_stream(key) as stream:
        stream.write(content)
