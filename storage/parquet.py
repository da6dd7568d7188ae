"""Read Parquet files that anyone may have written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from storage.damage import DamagedFileError
from storage.memory import bounded_memory
from storage.text import on_one_line

# Reading the largest table of the IMDB reviews takes 100 MB; with all words of each review as tokens, it takes 500 MB.
MAXIMUM_TABLE_BYTES = 768 << 20


def read_parquet(content: bytes, schema: pa.Schema, rows: int | None, where: str) -> pa.Table:
    """Return the table in a Parquet file.

    Args:
        content: The whole file.
        schema: The columns that it must have.
        rows: The number of rows that it must have.
        where: The file's name for error messages.

    Raises:
        DamagedFileError: The content is not a Parquet file, has another schema or another number of rows, or needs
            more than `MAXIMUM_TABLE_BYTES` of memory.
    """
    try:
        # pyarrow's allocator reserves a gigabyte of address space at its first use, which must not count as the file's.
        pa.allocate_buffer(64)
        with bounded_memory(MAXIMUM_TABLE_BYTES):
            # Not `pq.read_table`, which imports pandas: 0.3 s and 70 MB in each process.
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
            found = file.schema_arrow, file.metadata.num_rows
            # Checked before and after reading, because the footer may announce other rows than the file has.
            if found[0].equals(schema) and found[1] == rows:
                # With threads, each would reserve memory of its own, and their number depends on the machine.
                table = file.read(use_threads=False)
                found = table.schema, table.num_rows
            if found[0].equals(schema) and found[1] == rows:
                table.validate()
                return table
            received, expected = _write_out(found[0]), _write_out(schema)
    # On damaged bytes, the reader of Parquet raises almost any error.
    except Exception as error:
        raise DamagedFileError(f"{where} must be a Parquet file. Received: {on_one_line(error)}") from error
    raise DamagedFileError(
        f"{where} must hold {rows} rows of ({expected}). Received: {found[1]} rows of ({on_one_line(received)})."
    )


def _write_out(schema: pa.Schema) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in schema)
