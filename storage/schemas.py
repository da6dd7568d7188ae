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

# What is known of each test review, in the order of the test part. `words` are the archive's own word ranks, all of
# them; `out_of_vocabulary` is a share of the words that the models see, and `has_negation` speaks of those as well (it
# is null where no word index says which words they are); `cut_words` are left out in front; `is_in_training` says
# whether the same words stand in the archive's training part.
REVIEW_SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("words", pa.list_(pa.uint32())),
        ("length", pa.int32()),
        ("cut_words", pa.int32()),
        ("out_of_vocabulary", pa.float32()),
        ("has_negation", pa.bool_()),
        ("is_in_training", pa.bool_()),
    ]
)


def padded_schema(maxlen: int) -> pa.Schema:
    """Return the columns of a padded dataset, whose reviews all have `maxlen` tokens."""
    return pa.schema([("review_id", pa.string()), ("tokens", pa.list_(pa.uint16(), maxlen)), ("label", pa.uint8())])
