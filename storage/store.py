"""One root, a folder or a place in an object store: everything is written whole or not at all, and verified on read."""

from __future__ import annotations

import hashlib
import json
import posixpath
import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from storage.containment import check_inside, join, walk
from storage.damage import DamagedFileError
from storage.location import Location, resolve_location
from storage.parquet import read_parquet
from storage.publishing import publishing
from storage.records import Inputs, JsonObject, StoredFile

__all__ = ["CHUNK_BYTES", "DamagedFileError", "Store", "hash_inputs"]

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Store:
    """A folder, by its path or as a `file:` URI, or the URI of a place in an object store.

    Paths inside it are relative, with forward slashes. One that leads out of it, by its name or by a link, is refused
    with a `DamagedFileError` by whatever would read, write, move or delete there.
    """

    uri: str

    @cached_property
    def _location(self) -> Location:
        return resolve_location(self.uri)

    @property
    def absolute_uri(self) -> str:
        """What opens the same store in a process that runs in another folder."""
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
        """Write and remove a small file, so that a store nobody can write to is found out before the work begins.

        Raises:
            ValueError: The folder cannot be written.
            OSError: The object store cannot.
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
        """Find out a mistyped address, which would otherwise look like an empty store.

        Raises:
            FileNotFoundError: There is nothing at it.
            OSError: The object store did not say.
        """
        with self._location.asking() as filesystem:
            found = filesystem.get_file_info(self._key("")).type
        if found != fs.FileType.Directory:
            must = "a folder that is there" if self._location.is_local else "a bucket and prefix that hold something"
            raise FileNotFoundError(f"`store` must be {must}. Received: store={self.uri!r}.")

    def exists(self, path: str) -> bool:
        with self._location.asking() as filesystem:
            found: bool = filesystem.get_file_info(self._key(path)).type == fs.FileType.File
        return found

    def list_files(self, folder: str) -> list[str]:
        """Return the paths of all files below `folder`, sorted; none when there is no such folder."""
        top, start = self._key(folder), len(self._key("")) + 1
        if self._location.is_local:
            return sorted(key[start:] for key in walk(top))
        selector = fs.FileSelector(top, recursive=True, allow_not_found=True)
        with self._location.asking() as filesystem:
            found = filesystem.get_file_info(selector)
        return sorted(info.path[start:] for info in found if info.type == fs.FileType.File)

    def read_bytes(self, path: str) -> bytes:
        # Not as a stream, which an object store would be asked for in pieces of 256 KB.
        with self._location.asking() as filesystem, filesystem.open_input_file(self._key(path)) as file:
            content: bytes = file.read()
        return content

    def write_bytes(self, path: str, content: bytes, rows: int | None = None) -> StoredFile:
        """Publish `content` at `path`: whole or not at all, and on the disk before its name appears."""
        with publishing(self._location, self._key(path)) as write:
            write(content)
        return StoredFile(path, hashlib.sha256(content).hexdigest(), len(content), rows)

    def write_bytes_by_hash(self, path: str, content: bytes, rows: int | None = None) -> StoredFile:
        """Publish `content`; `{sha}` in `path` becomes the first 12 digits of its SHA-256."""
        return self.write_bytes(path.format(sha=hashlib.sha256(content).hexdigest()[:12]), content, rows)

    def write_chunks(self, path: str, chunks: Iterable[bytes], sha256: str) -> StoredFile:
        """Publish a file that comes in pieces, if its bytes have the hash that is expected.

        Raises:
            DamagedFileError: They have not, and nothing was published.
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
        """Return the bytes of a stored file.

        Raises:
            DamagedFileError: The file is missing, or its SHA-256 is not the recorded one.
        """
        try:
            content = self.read_bytes(file.path)
        except FileNotFoundError:
            raise self._missing(file) from None
        self._compare(file, hashlib.sha256(content).hexdigest(), len(content))
        return content

    def verify(self, file: StoredFile) -> None:
        """Check a stored file's SHA-256 without holding the file in memory.

        Raises:
            DamagedFileError: The file is missing, or its SHA-256 is not the recorded one.
        """
        digest, size = hashlib.sha256(), 0
        try:
            with self._location.asking() as filesystem, filesystem.open_input_stream(self._key(file.path)) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            raise self._missing(file) from None
        self._compare(file, digest.hexdigest(), size)

    def _missing(self, file: StoredFile) -> DamagedFileError:
        return DamagedFileError(f"{self.locate(file.path)} must be there and is missing.")

    def _compare(self, file: StoredFile, digest: str, size: int) -> None:
        if digest != file.sha256:
            raise DamagedFileError(
                f"{self.locate(file.path)} must have SHA-256 {file.sha256}. Received: {digest}, {size} bytes."
            )

    def write_table(self, path: str, table: pa.Table) -> StoredFile:
        """Publish a Parquet file, zstd, with a checksum on every page.

        `{sha}` in `path` becomes the first 12 digits of the file's SHA-256.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        return self.write_bytes_by_hash(path, sink.getvalue().to_pybytes(), table.num_rows)

    def read_table(self, file: StoredFile, schema: pa.Schema) -> pa.Table:
        """Return a stored Parquet file as a table.

        Raises:
            DamagedFileError: The file is missing, damaged, or has another schema or another number of rows.
        """
        return read_parquet(self.read_verified(file), schema, file.rows, self.locate(file.path))

    def write_manifest(self, path: str, content: JsonObject) -> StoredFile:
        """Publish a JSON file that carries the SHA-256 of its own content."""
        return self.write_bytes(path, _seal(content))

    def read_manifest(self, path: str) -> JsonObject:
        """Return the content of a sealed JSON file.

        Raises:
            FileNotFoundError: There is none.
            DamagedFileError: It was changed after it was written.
        """
        raw = self.read_bytes(path)
        try:
            content = json.loads(raw)["content"]
            intact = isinstance(content, dict) and _seal(content) == raw
        except (ValueError, KeyError, TypeError, RecursionError):
            intact = False
        if not intact:
            raise DamagedFileError(
                f"{self.locate(path)} must be as it was written, and its own SHA-256 does not match."
            )
        return dict(content)

    def delete(self, folder: str, keep: Collection[str] = ()) -> None:
        """Delete the files below `folder` but for those to keep, manifests first.

        Whatever is left when this is interrupted has no manifest, and so does not exist.
        """
        if not folder:
            raise ValueError("`folder` must be one inside the store, not the whole store. Received: folder=''.")
        leaving = [path for path in self.list_files(folder) if path not in keep]
        folders = {posixpath.dirname(path) for path in leaving} - {posixpath.dirname(path) for path in keep}
        for path in sorted(leaving, key=lambda path: not path.endswith("/manifest.json")):
            self.delete_file(path)
        with self._location.asking() as filesystem:
            for emptied in [folder] if leaving and not keep else sorted(folders):
                with suppress(FileNotFoundError):
                    filesystem.delete_dir(self._key(emptied))

    def delete_file(self, path: str) -> None:
        """Delete one file; it may be gone already."""
        with self._location.asking() as filesystem, suppress(FileNotFoundError):
            filesystem.delete_file(self._key(path))

    def quarantine(self, path: str) -> str:
        """Move a damaged file out of the way, keeping it for whoever wants to look; return where it went."""
        source = self._key(path)
        # The end of a long name, which says more than its beginning.
        target = f"quarantine/{uuid.uuid4().hex[:8]}-{path.replace('/', '-')[-200:]}"
        with self._location.asking() as filesystem:
            filesystem.create_dir(self._key("quarantine"), recursive=True)
            try:
                filesystem.move(source, self._key(target))
            except OSError:
                # Another run may have found the same damage and moved it already.
                if self.exists(path):
                    raise
        return target


def hash_inputs(inputs: Inputs) -> str:
    """Return the key of a dataset: the first 16 hexadecimal digits of the SHA-256 of what went into it."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def _seal(content: JsonObject) -> bytes:
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    sealed = {"content": content, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()
