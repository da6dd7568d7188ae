"""The columns of every Parquet file that the project keeps."""

from __future__ import annotations

import pyarrow as pa

SPLIT_SCHEMA = pa.schema([("review_id", pa.string()), ("tokens", pa.list_(pa.uint16())), ("label", pa.uint8())])

HISTORY_SCHEMA = pa.schema(
    [
        ("epoch", pa.int32()),
        ("loss", pa.float64()),
        ("accuracy", pa.float64()),
        ("val_loss", pa.float64()),
        ("val_accuracy", pa.float64()),
        ("seconds", pa.float64()),
    ]
)

PREDICTION_SCHEMA = pa.schema([("review_id", pa.string()), ("label", pa.uint8()), ("probability", pa.float32())])


def padded_schema(maxlen: int) -> pa.Schema:
    """Return the columns of a padded dataset, whose reviews all have `maxlen` tokens."""
    return pa.schema([("review_id", pa.string()), ("tokens", pa.list_(pa.uint16(), maxlen)), ("label", pa.uint8())])
