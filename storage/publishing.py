"""How a file appears in a store: whole, or not at all."""

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
    """Return a block that is handed a function to write with, and at whose end the file appears.

    A block that is left by an exception changes nothing.
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
    # pyarrow cannot give up an upload: however its stream is closed, what was written so far is published. So nothing
    # is sent before the last byte is there, and then by a thread, in which no Ctrl-C comes between two steps.
    content = io.BytesIO()
    yield content.write
    with location.asking() as filesystem, ThreadPoolExecutor(1) as uploader:
        uploader.submit(_upload, filesystem, key, content.getbuffer()).result()


def _upload(filesystem: fs.FileSystem, key: str, content: memoryview) -> None:
    # Not `fs.copy_files`, which returns as if all was well when the end of an upload is refused.
    with filesystem.open_output_stream(key) as stream:
        stream.write(content)
