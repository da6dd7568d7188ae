"""The store: a folder or a prefix of an object store. Files are written whole or not at all, and verified on read."""

from __future__ import annotations

import hashlib
import posixpath
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from storage.containment import check_inside, join, walk
from storage.create_once import create_once
from storage.damage import DamagedFileError
from storage.location import Location, resolve_location
from storage.manifests import open_manifest, seal_manifest
from storage.parquet import read_parquet
from storage.publishing import publishing
from storage.records import JsonObject, StoredFile

__all__ = ["CHUNK_BYTES", "DamagedFileError", "Store"]

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Store:
    """A folder, given as a path or a `file:` URI, or a prefix of an object store, given as a URI.

    Paths inside the store are relative, with forward slashes. Every method raises a `DamagedFileError` for a path that
    leads out of the store, by its name or by a link. If an object store fails, every method raises an `OSError`.
    """

    uri: str

    @cached_property
    def _location(self) -> Location:
        return resolve_location(self.uri)

    @property
    def absolute_uri(self) -> str:
        """The URI that opens the same store in a process with another working directory."""
        return self._location.address if self._location.is_local else self.uri

    def locate(self, path: str) -> str:
        """Return the full path or the URI of a stored file, for messages."""
        return join(self._location.address, path)

    def _key(self, path: str) -> str:
        key = join(self._location.root, path)
        if self._location.is_local:
            check_inside(self._location.root, key)
        return key

    def check_writable(self) -> None:
        """Write and remove an empty file, so that a read-only store is reported before the work begins.

        Raises:
            ValueError: The folder is read-only.
            OSError: The object store is.
        """
        probe = f".writable-{uuid.uuid4().hex}"
        try:
            self.write_bytes(probe, b"")
            self.delete_file(probe)
        except OSError as error:
            if not self._location.is_local:
                raise
            reason = error.strerror or error
            raise ValueError(
                f"`store` must be a folder that can be written. Received: store={self.uri!r} ({reason})."
            ) from error

    def check_readable(self) -> None:
        """Raise if the store does not exist; a mistyped address would otherwise look like an empty store.

        Raises:
            FileNotFoundError: The store does not exist.
            OSError: The object store could not be asked.
        """
        with self._location.open_filesystem() as filesystem:
            found = filesystem.get_file_info(self._key("")).type
        if found != fs.FileType.Directory:
            must = "a folder that exists" if self._location.is_local else "a bucket and prefix that hold something"
            raise FileNotFoundError(f"`store` must be {must}. Received: store={self.uri!r}.")

    def exists(self, path: str) -> bool:
        with self._location.open_filesystem() as filesystem:
            return bool(filesystem.get_file_info(self._key(path)).type == fs.FileType.File)

    def list_files(self, folder: str) -> list[str]:
        """Return the paths of all files below `folder`, sorted; an empty list if the folder does not exist."""
        top, start = self._key(folder), len(self._key("")) + 1
        if self._location.is_local:
            return sorted(key[start:] for key in walk(top))
        selector = fs.FileSelector(top, recursive=True, allow_not_found=True)
        with self._location.open_filesystem() as filesystem:
            found = filesystem.get_file_info(selector)
        return sorted(info.path[start:] for info in found if info.type == fs.FileType.File)

    def list_sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of each file below `folder`, by its path."""
        paths = self.list_files(folder)
        with self._location.open_filesystem() as filesystem:
            found = filesystem.get_file_info([self._key(path) for path in paths])
        return {path: info.size or 0 for path, info in zip(paths, found, strict=True)}

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of a file, without any check.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        # Not `open_input_stream`, which reads from an object store in requests of 256 KB.
        with self._location.open_filesystem() as filesystem, filesystem.open_input_file(self._key(path)) as file:
            content: bytes = file.read()
        return content

    @contextmanager
    def open_file(self, path: str) -> Iterator[pa.NativeFile]:
        """Open a file for reading at any place, without any check.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        with self._location.open_filesystem() as filesystem, filesystem.open_input_file(self._key(path)) as file:
            yield file

    def write_bytes(self, path: str, content: bytes, rows: int | None = None) -> StoredFile:
        """Publish `content` at `path`, whole or not at all; `rows` is recorded for a Parquet file."""
        with publishing(self._location, self._key(path)) as write:
            write(content)
        return StoredFile(path, hashlib.sha256(content).hexdigest(), len(content), rows)

    def write_bytes_by_hash(self, path: str, content: bytes, rows: int | None = None) -> StoredFile:
        """Publish `content`; `{sha}` in `path` becomes the first 12 digits of its SHA-256."""
        return self.write_bytes(path.format(sha=hashlib.sha256(content).hexdigest()[:12]), content, rows)

    def create_bytes(self, path: str, content: bytes, *, single_writer: bool = False) -> StoredFile:
        """Publish `content` at `path` if nothing is there yet; arguments and errors as in `storage.create_once`."""
        create_once(self._location, self._key(path), content, single_writer=single_writer)
        return StoredFile(path, hashlib.sha256(content).hexdigest(), len(content))

    def write_chunks(self, path: str, chunks: Iterable[bytes], sha256: str) -> StoredFile:
        """Publish a file that arrives in chunks, if it has the expected SHA-256.

        Raises:
            DamagedFileError: It has another SHA-256; nothing was published.
        """
        digest, size = hashlib.sha256(), 0
        with publishing(self._location, self._key(path)) as write:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                write(chunk)
            if digest.hexdigest() != sha256:
                raise DamagedFileError(f"{path} must have SHA-256 {sha256}. Received: {digest.hexdigest()}.")
        return StoredFile(path, sha256, size)

    def read_verified(self, file: StoredFile) -> bytes:
        """Return the bytes of a stored file whose SHA-256 is the recorded one.

        Raises:
            DamagedFileError: The file is missing, or its SHA-256 is not the recorded one.
        """
        try:
            content = self.read_bytes(file.path)
        except FileNotFoundError:
            raise self._missing_error(file) from None
        self._check_digest(file, hashlib.sha256(content).hexdigest(), len(content))
        return content

    def verify(self, file: StoredFile) -> None:
        """Check a stored file's SHA-256 without holding the file in memory.

        Raises:
            DamagedFileError: The file is missing, or its SHA-256 is not the recorded one.
        """
        digest, size = hashlib.sha256(), 0
        try:
            with (
                self._location.open_filesystem() as filesystem,
                filesystem.open_input_stream(self._key(file.path)) as stream,
            ):
                while chunk := stream.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            raise self._missing_error(file) from None
        self._check_digest(file, digest.hexdigest(), size)

    def _missing_error(self, file: StoredFile) -> DamagedFileError:
        return DamagedFileError(f"{self.locate(file.path)} must be there and is missing.")

    def _check_digest(self, file: StoredFile, digest: str, size: int) -> None:
        if digest != file.sha256:
            raise DamagedFileError(
                f"{self.locate(file.path)} must have SHA-256 {file.sha256}. Received: {digest}, {size} bytes."
            )

    def write_table(self, path: str, table: pa.Table) -> StoredFile:
        """Publish a Parquet file: zstd, a checksum on every page, and `{sha}` in `path` as in `write_bytes_by_hash`."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        return self.write_bytes_by_hash(path, sink.getvalue().to_pybytes(), table.num_rows)

    def read_table(self, file: StoredFile, schema: pa.Schema) -> pa.Table:
        """Return a stored Parquet file as a table.

        Raises:
            DamagedFileError: The file is missing or damaged, or has another schema or another number of rows.
        """
        return read_parquet(self.read_verified(file), schema, file.rows, self.locate(file.path))

    def write_manifest(self, path: str, content: JsonObject) -> StoredFile:
        """Publish a manifest; see `storage.manifests`."""
        return self.write_bytes(path, seal_manifest(content))

    def read_manifest(self, path: str) -> JsonObject:
        """Return the content of a manifest, for `decode_record`.

        Raises:
            FileNotFoundError: The manifest does not exist.
            DamagedFileError: The manifest was changed after it was written.
        """
        return self.open_manifest(self.read_bytes(path), path)

    def open_manifest(self, raw: bytes, path: str) -> JsonObject:
        """Return the content of a manifest from its bytes; errors as in `read_manifest`, which name `path`."""
        content = open_manifest(raw)
        if content is None:
            raise DamagedFileError(
                f"{self.locate(path)} must be as it was written, and its own SHA-256 does not match."
            )
        return content

    def delete(self, folder: str, keep: Collection[str] = ()) -> None:
        """Delete the files below `folder` except those in `keep`, manifests first.

        If this is interrupted, the files that are left have no manifest, so no reader finds them.

        Raises:
            ValueError: `folder` is empty, which would be the whole store.
        """
        if not folder:
            raise ValueError("`folder` must be a folder inside the store, not the whole store. Received: folder=''.")
        leaving = [path for path in self.list_files(folder) if path not in keep]
        folders = {posixpath.dirname(path) for path in leaving} - {posixpath.dirname(path) for path in keep}
        for path in sorted(leaving, key=lambda path: not path.endswith("/manifest.json")):
            self.delete_file(path)
        with self._location.open_filesystem() as filesystem:
            for emptied in [folder] if leaving and not keep else sorted(folders):
                with suppress(FileNotFoundError):
                    filesystem.delete_dir(self._key(emptied))

    def delete_file(self, path: str) -> None:
        """Delete one file, if it exists."""
        with self._location.open_filesystem() as filesystem, suppress(FileNotFoundError):
            filesystem.delete_file(self._key(path))

    def quarantine(self, path: str) -> str:
        """Move a damaged file to the folder `quarantine`, where people can look at it; return its new path."""
        source = self._key(path)
        # Cut in front, because the end of a path says more.
        target = f"quarantine/{uuid.uuid4().hex[:8]}-{path.replace('/', '-')[-200:]}"
        with self._location.open_filesystem() as filesystem:
            filesystem.create_dir(self._key("quarantine"), recursive=True)
            try:
                filesystem.move(source, self._key(target))
            except OSError:
                # Another run may have moved the file already.
                if self.exists(path):
                    raise
        return target
