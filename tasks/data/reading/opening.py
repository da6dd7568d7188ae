"""Open a file of reviews as a stream of bytes, decompressed, and refuse what is no such file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
MAXIMUM_BYTES = 16 << 30
# Text is seldom compressed to less than a twentieth. Small files may be.
MAXIMUM_RATIO, UNSUSPECTED_BYTES = 200, 64 << 20
# By the first bytes: what the file is, and what to do.
FOREIGN = {
    GZIP: "compressed twice. Unpack it once",
    ZSTD: "compressed twice. Unpack it once",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet. Unpack it, or save the sheet as CSV",
    b"PK\x05\x06": "an empty ZIP archive. Give the files themselves",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of an old format. Save it as CSV",
    b"7z\xbc\xaf": "a 7z archive. Unpack it",
    b"Rar!": "a RAR archive. Unpack it",
    b"BZh": "compressed with bzip2. Unpack it, or compress it with gzip or zstd",
    b"\xfd7zXZ": "compressed with xz. Unpack it, or compress it with gzip or zstd",
    b"\x80\x04\x95": "a pickle, which could run code. Save it as Parquet or CSV",
    b"\x80\x05\x95": "a pickle, which could run code. Save it as Parquet or CSV",
    b"SQLite format 3": "a database. Export the table as CSV",
    b"%PDF": "a PDF. Export the reviews as CSV",
    b"ORC": "an ORC file. Save it as Parquet",
    b"Obj\x01": "an Avro file. Save it as Parquet",
    b"ARROW1": "an Arrow file. Save it as Parquet",
    b"<!DOCTYPE": "a web page, perhaps a login page. Fetch the file itself",
    b"<!doctype": "a web page, perhaps a login page. Fetch the file itself",
    b"<html": "a web page, perhaps a login page. Fetch the file itself",
    b"<?xml": "an XML file. Save it as CSV or JSON lines",
    b"version https://git-lfs": "a pointer to a file in Git LFS. Fetch the file with `git lfs pull`",
}
TAR = (257, b"ustar")
_UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)


def find_compression(path: Path) -> str:
    """Return "gzip", "zstd" or "" by the file's first bytes."""
    with path.open("rb") as file:
        beginning = file.read(4)
    return "gzip" if beginning.startswith(GZIP) else "zstd" if beginning == ZSTD else ""


class _Guarded(io.RawIOBase):
    """A decompressed stream that raises when it grows beyond all reason, or ends in the middle."""

    def __init__(self, stream: BinaryIO, compressed_bytes: int, name: str) -> None:
        self._stream, self._name, self._total = stream, name, 0
        self._most = min(MAXIMUM_BYTES, max(UNSUSPECTED_BYTES, MAXIMUM_RATIO * compressed_bytes))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            content = self._stream.read(len(buffer))
        except _UNREADABLE as error:
            raise ValueError(f"{self._name} must be whole. Its compressed bytes end early or are damaged.") from error
        self._total += len(content)
        if self._total > self._most:
            raise ValueError(
                f"{self._name} must hold at most {self._most >> 20:,} MB when it is decompressed. It holds more, as a "
                "file does that is made to fill the memory. Split it, if it is meant."
            )
        buffer[: len(content)] = content
        return len(content)


@contextmanager
def open_bytes(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file's bytes, decompressed if they are compressed with gzip or zstd; that is seen by the first bytes.

    Args:
        path: The file.
        name: Its name for error messages.

    Raises:
        ValueError: The file is damaged, grows beyond all reason, or is of a kind that cannot hold reviews. It may be
            raised while the stream is read.
    """
    compression, size = find_compression(path), path.stat().st_size
    with path.open("rb") as file:
        if not compression:
            _refuse_foreign(file.read(512), name)
            file.seek(0)
            yield file
            return
        unpacked = gzip.GzipFile(fileobj=file) if compression == "gzip" else pa.CompressedInputStream(file, "zstd")
        with unpacked as stream:
            guarded = io.BufferedReader(_Guarded(cast(BinaryIO, stream), size, name), 1 << 20)
            _refuse_foreign(guarded.peek(512)[:512], name)
            yield cast(BinaryIO, guarded)


def _refuse_foreign(beginning: bytes, name: str) -> None:
    for magic, what in FOREIGN.items():
        if beginning.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(magic):
            raise ValueError(f"{name} must be a file of reviews. It is {what}.")
    if beginning[TAR[0] :].startswith(TAR[1]):
        raise ValueError(f"{name} must be a file of reviews. It is a tar archive. Unpack it, and give the folder.")
