"""Write tables of rows as CSV, JSON lines or Parquet, one after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Writer:
    """Writes tables.

    Attributes:
        schema: Of all of them.
        write: Writes one.
    """

    schema: pa.Schema
    write: Callable[[pa.Table], None]


@contextmanager
def open_writer(path: Path, suffix: str, schema: pa.Schema) -> Iterator[Writer]:
    """Yield a writer of a new file.

    Args:
        path: The file.
        suffix: ".csv", ".jsonl" or ".parquet".
        schema: Of the tables.
    """
    if suffix == ".csv":
        with pa_csv.CSVWriter(path, schema) as csv:
            yield Writer(schema, csv.write_table)
    elif suffix == ".parquet":
        with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
            yield Writer(schema, parquet.write_table)
    else:
        with path.open("w", encoding="utf-8") as lines:
            yield Writer(schema, lambda table: lines.writelines(_write_lines(table)))


def _write_lines(table: pa.Table) -> Iterator[str]:
    for row in table.to_pylist():
        if row["probability"] is not None:
            # Float32 as the shortest number that gives it back.
            row["probability"] = float(f"{row['probability']:.9g}")
            row["unknown_words"] = round(row["unknown_words"], 4)
        yield json.dumps(row, ensure_ascii=False) + "\n"
