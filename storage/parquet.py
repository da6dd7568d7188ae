"""Parquet files, read without trusting what they say of themselves."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from storage.damage import DamagedFileError
from storage.memory import bounded_memory
from storage.text import on_one_line

# To read the largest table of the IMDB reviews takes 100 MB, and all words of each review as tokens take 500 MB.
MAXIMUM_TABLE_BYTES = 768 << 20


def read_parquet(content: bytes, schema: pa.Schema, rows: int | None, where: str) -> pa.Table:
    """Return the table in a Parquet file.

    Args:
        content: The whole file.
        schema: Which columns it must have.
        rows: How many rows.
        where: What to call the file in an error.

    Raises:
        DamagedFileError: It is no Parquet file, or has another schema, another number of rows, or needs more memory
            than any table of ours.
    """
    try:
        # pyarrow's allocator reserves the address space of a gigabyte at once, which the limit must not be used up by.
        pa.allocate_buffer(64)
        with bounded_memory(MAXIMUM_TABLE_BYTES):
            # Not `pq.read_table`, which imports pandas: 0.3 s and 70 MB in each process.
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
            found = file.schema_arrow, file.metadata.num_rows
            # Before it is read, and again after: the footer may promise other rows than there are.
            if found[0].equals(schema) and found[1] == rows:
                # One thread, for each further one would reserve memory of its own, as much as the machine has CPUs.
                table = file.read(use_threads=False)
                found = table.schema, table.num_rows
            if found[0].equals(schema) and found[1] == rows:
                table.validate()
                return table
            received, expected = _write_out(found[0]), _write_out(schema)
    # Bytes that nobody wrote as Parquet make its reader raise almost anything.
    except Exception as error:
        raise DamagedFileError(f"{where} must be a Parquet file. Received: {on_one_line(error)}") from error
    raise DamagedFileError(
        f"{where} must hold {rows} rows of ({expected}). Received: {found[1]} rows of ({on_one_line(received)})."
    )


def _write_out(schema: pa.Schema) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in schema)
