"""The columns of every Parquet file in the store."""

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

# One row for each test review, in the order of the test part. Columns:
# - words: the archive's word ranks of the whole review;
# - length: the number of words;
# - cut_words: how many words in front the models do not see;
# - out_of_vocabulary: the share of words outside the vocabulary among those that the models see, 0 to 1;
# - has_negation: whether the models see a negation; null if the source has no word index;
# - is_in_training: whether the archive's training part has a review with the same words.
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


# The columns below are those of a team's own reviews. One row for each accepted review of a source file, in its order:
# - row: the record's number in its file, from 1, the header not counted;
# - review_id, created_at, split: null if the file has no such column; created_at in UTC;
# - label: as the file writes it;
# - key: the first 16 bytes of the salted hash of the normalised text: equal if the texts are.
FACT_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("review_id", pa.string()),
        ("label", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("split", pa.string()),
        ("key", pa.binary(16)),
    ]
)
# The texts of the same rows, as they were read.
TEXT_SCHEMA = pa.schema([("row", pa.int64()), ("text", pa.string())])
# Texts of a shard that are kept apart, for comparisons that cannot look at all. The MinHash signature is 20 uint64.
SAMPLE_SCHEMA = pa.schema([("key", pa.binary(16)), ("text", pa.string()), ("signature", pa.binary(160))])
# - beginning: the first 200 characters of the record, if they could be read.
REJECTED_SCHEMA = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("beginning", pa.string())]
)
# What becomes of each accepted review whose label the map knows; shards in their order, rows in theirs:
# - shard, position: its shard's number and its row in the shard's tables, both from 0;
# - label: 0 negative, 1 positive;
# - part: 0 training, 1 validation, 2 test, 3 none of them.
ASSIGNMENT_SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("key", pa.binary(16)),
        ("shard", pa.int32()),
        ("position", pa.int32()),
        ("label", pa.uint8()),
        ("part", pa.uint8()),
        ("created_at", pa.timestamp("us", "UTC")),
    ]
)
# One row for each accepted review of a shard, in its order:
# - words, unknown: the words of the whole text, and those of them outside the vocabulary;
# - seen, seen_unknown: the same for the words that the models see, its last;
# - has_negation: whether the models see a negation; null if the vocabulary has none;
# - content: a hash of its ranks in the full word index, to find it in another archive; null without such an index.
ENCODED_SCHEMA = pa.schema(
    [
        ("words", pa.int32()),
        ("unknown", pa.int32()),
        ("seen", pa.int32()),
        ("seen_unknown", pa.int32()),
        ("has_negation", pa.bool_()),
        ("content", pa.uint64()),
    ]
)


def token_schema(maxlen: int) -> pa.Schema:
    """Return the column of a shard's padded tokens."""
    return pa.schema([("tokens", pa.list_(pa.uint16(), maxlen))])


# A vocabulary's words, the most frequent first.
VOCABULARY_SCHEMA = pa.schema([("word", pa.string())])


# One row for each own test review, in the order of the test part; columns beside those of `REVIEW_SCHEMA`:
# - shard, position: where its text is;
# - is_in_training: whether another part has the same text;
# - is_near_duplicate: whether another part has nearly the same text; null if it was not compared;
# - week: the first day of the week in which it was written; null if that is not known.
OWN_REVIEW_SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("shard", pa.int32()),
        ("position", pa.int32()),
        ("length", pa.int32()),
        ("cut_words", pa.int32()),
        ("out_of_vocabulary", pa.float32()),
        ("has_negation", pa.bool_()),
        ("is_in_training", pa.bool_()),
        ("is_near_duplicate", pa.bool_()),
        ("week", pa.string()),
    ]
)
