"""Write and read Parquet files that are too large to hold in memory, piece by piece."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from storage.damage import DamagedFileError
from storage.records import StoredFile
from storage.store import CHUNK_BYTES, Store
from storage.text import on_one_line


class TableWriter:
    """Writes a Parquet file piece by piece; made by `writing_table`.

    Attributes:
        rows: Rows written so far.
        file: The published file; only set after the block.
    """

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer, self.rows = writer, 0
        self.file: StoredFile | None = None

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)
        self.rows += table.num_rows

    @property
    def published(self) -> StoredFile:
        """The published file.

        Raises:
            ValueError: The block has not ended.
        """
        if self.file is None:
            raise ValueError("a table must be published before its file is asked for")
        return self.file


@contextmanager
def writing_table(store: Store, path: str, schema: pa.Schema) -> Iterator[TableWriter]:
    """Publish at the block's end the Parquet file that is written in the block; nothing if the block raises.

    Args:
        store: Where it is published.
        path: Of the file; `{sha}` becomes the first 12 digits of its SHA-256.
        schema: Its columns.
    """
    with tempfile.TemporaryFile() as temporary:
        # Texts and tokens hardly repeat, so dictionaries of them would be built in vain. LZ4 is read ten
        # times as fast as Zstandard, and they are read several times.
        with pq.ParquetWriter(
            temporary, schema, compression="lz4", write_page_checksum=True, use_dictionary=False
        ) as parquet:
            writer = TableWriter(parquet)
            yield writer
        temporary.seek(0)
        sha256 = hashlib.file_digest(temporary, "sha256").hexdigest()
        temporary.seek(0)
        chunks = iter(lambda: temporary.read(CHUNK_BYTES), b"")
        published = store.write_chunks(path.format(sha=sha256[:12]), chunks, sha256)
        writer.file = StoredFile(published.path, sha256, published.bytes, writer.rows)


def read_row(store: Store, file: StoredFile, schema: pa.Schema, row: int) -> dict[str, object]:
    """Return one row of a stored Parquet file, of which only its row group is read. The file is not verified.

    Raises:
        DamagedFileError: The file is damaged, or has no such row.
    """
    where = store.locate(file.path)
    try:
        with store.open_file(file.path) as stream:
            parquet = pq.ParquetFile(stream, page_checksum_verification=True)
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if row < rows:
                    found: dict[str, object] = parquet.read_row_group(group, schema.names).slice(row, 1).to_pylist()[0]
                    return found
                row -= rows
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise DamagedFileError(f"{where} must be a Parquet file. Received: {on_one_line(error)}") from error
    raise DamagedFileError(f"{where} must have a row {row}, and has fewer.")


def iterate_table(
    store: Store, file: StoredFile, schema: pa.Schema, columns: Sequence[str] | None = None, rows: int = 16_384
) -> Iterator[pa.RecordBatch]:
    """Verify a stored Parquet file, and yield it in batches.

    Args:
        store: The store that has it.
        file: Its record.
        schema: The columns that it must have.
        columns: Those to read; None: all.
        rows: At most this many in a batch.

    Raises:
        DamagedFileError: The file is missing or damaged, or has another schema or another number of rows.
    """
    store.verify(file)
    where = store.locate(file.path)
    try:
        with store.open_file(file.path) as stream:
            parquet = pq.ParquetFile(stream, page_checksum_verification=True)
            found = parquet.schema_arrow
            if not found.equals(schema) or parquet.metadata.num_rows != file.rows:
                raise DamagedFileError(f"{where} must hold {file.rows} rows of {on_one_line(str(schema))}.")
            yield from parquet.iter_batches(rows, columns=list(columns) if columns else None, use_threads=False)
    except (pa.ArrowException, OverflowError) as error:
        raise DamagedFileError(f"{where} must be a Parquet file. Received: {on_one_line(error)}") from error
