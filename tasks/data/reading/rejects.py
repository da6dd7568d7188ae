"""Sift the records of a file: accept reviews, and reject with a reason what is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.schemas import REJECTED_SCHEMA
from tasks.data.reading.text_decoding import UNDECODABLE
from tasks.data.text_buffers import read_buffers

MAXIMUM_CHARACTERS = 1_000_000
# Longer label values are no labels.
MAXIMUM_LABEL = 100
SHOWN_CHARACTERS = 200
SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
# Seconds since 1970 have at most this many digits; with more, they are milliseconds.
DIGITS_OF_SECONDS = 10
EMPTY, NO_LABEL = "empty", "no label"
ACCEPTED_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("review_id", pa.string()),
        ("label", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("split", pa.string()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True)
class Batch:
    """Some records of a file.

    Attributes:
        accepted: A table of `ACCEPTED_SCHEMA`.
        rejected: A table of `REJECTED_SCHEMA`.
    """

    accepted: pa.Table
    rejected: pa.Table


@dataclass(frozen=True)
class Records:
    """Some records of a file as they were read, each value as text.

    Attributes:
        rows: int64, the records' numbers in the file.
        text: The texts.
        label: The labels.
        optional: By name, those of review_id, created_at and split that the file has.
        broken: Records that could not be taken apart: number, reason, beginning.
    """

    rows: pa.Array
    text: pa.Array
    label: pa.Array
    optional: dict[str, pa.Array] = field(default_factory=dict)
    broken: list[tuple[int, str, str]] = field(default_factory=list)


def sift_records(records: Records, file: str, encoding: str) -> Batch:
    """Return the accepted and the rejected ones of some records.

    Args:
        records: The records.
        file: The file's name, for the rejected ones.
        encoding: Of the file, for the reason.
    """
    count = len(records.text)
    reasons = np.full(count, None, object)
    text, label = records.text, pc.utf8_trim_whitespace(records.label)
    created_at, split = pa.nulls(count, pa.timestamp("us", "UTC")), pa.nulls(count, pa.string())
    # The first reason that fits is the one that is given, so they stand here from the last to the first.
    if "split" in records.optional:
        split = _read_splits(records.optional["split"])
        reasons[_true(pc.is_null(split))] = "split is not train, validation or test"
    if "created_at" in records.optional:
        created_at = read_dates(records.optional["created_at"])
        reasons[_true(pc.is_null(created_at))] = "created_at is not a date"
    reasons[_true(pc.greater(pc.utf8_length(label), MAXIMUM_LABEL))] = f"label longer than {MAXIMUM_LABEL} characters"
    reasons[_true(pc.equal(label, ""))] = NO_LABEL
    reasons[_holds(text, "\x00")] = "NUL character"
    size = pc.binary_length(text)
    # A text has at least as many bytes as characters.
    if (pc.max(size).as_py() or 0) > MAXIMUM_CHARACTERS:
        too_long = pc.greater(pc.utf8_length(text), MAXIMUM_CHARACTERS)
        reasons[_true(too_long)] = f"longer than {MAXIMUM_CHARACTERS:,} characters"
    reasons[_true(pc.or_(pc.equal(size, 0), pc.utf8_is_space(text)))] = EMPTY
    reasons[_holds(text, UNDECODABLE) | _holds(label, UNDECODABLE)] = f"not decodable as {encoding}"
    is_rejected = reasons != None  # noqa: E711 - elementwise
    identifiers = records.optional.get("review_id")
    accepted = pa.table(
        [
            records.rows,
            pa.nulls(count, pa.string()) if identifiers is None else _null_if_empty(identifiers),
            label,
            created_at,
            split,
            text,
        ],
        schema=ACCEPTED_SCHEMA,
    )
    if is_rejected.any():
        accepted = accepted.filter(pa.array(~is_rejected))
    return Batch(accepted, _tabulate_rejected(records, reasons, is_rejected, file))


def _true(mask: pa.Array) -> np.ndarray:  # type: ignore[type-arg]  # of bool
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _holds(values: pa.Array, character: str) -> np.ndarray:  # type: ignore[type-arg]  # of bool
    """Return which texts hold a character; most often none does, which one look at all bytes tells."""
    content, _ = read_buffers(values)
    if character.encode() not in content:
        return np.zeros(len(values), bool)
    return _true(pc.match_substring(values, character))


def _null_if_empty(values: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _tabulate_rejected(records: Records, reasons: np.ndarray, is_rejected: np.ndarray, file: str) -> pa.Table:  # type: ignore[type-arg]
    places = np.flatnonzero(is_rejected)
    found = [(row, reason, beginning) for row, reason, beginning in records.broken]
    if len(places):
        beginnings = pc.utf8_slice_codeunits(records.text.take(pa.array(places)), 0, SHOWN_CHARACTERS)
        rows = records.rows.take(pa.array(places)).to_pylist()
        found += list(zip(rows, reasons[places].tolist(), beginnings.to_pylist(), strict=True))
    found.sort(key=lambda one: one[0])
    numbers, why, beginnings = zip(*found, strict=True) if found else ((), (), ())
    columns = [
        pa.array([file] * len(found), pa.string()),
        pa.array(numbers, pa.int64()),
        pa.array(why, pa.string()),
        pa.array([one.replace("\x00", "\ufffd").replace(UNDECODABLE, "\ufffd") for one in beginnings], pa.string()),
    ]
    return pa.table(columns, schema=REJECTED_SCHEMA)


def _read_splits(values: pa.Array) -> pa.Array:
    """Return "train", "validation", "test", or null for anything else."""
    distinct = pc.unique(values)
    meant = pa.array([SPLITS.get((one or "").strip().lower()) for one in distinct.to_pylist()], pa.string())
    return meant.take(pc.index_in(values, distinct))


def read_dates(values: pa.Array) -> pa.Array:
    """Return dates as timestamps in UTC; null for what is no date. Dates without a zone are taken as UTC.

    Understood are ISO 8601, with a space or a T between date and time, and seconds or milliseconds since 1970.

    Example:
        >>> read_dates(pa.array(["2026-11-25 02:00:00", "1764036000", "soon"])).is_valid().to_pylist()
        [True, True, False]
    """
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):
        try:
            return pc.cast(values, kind).cast(pa.timestamp("us", "UTC"))
        # Not all of them are of this kind.
        except pa.ArrowInvalid:
            continue
    return pa.array([_read_date(one) for one in values.to_pylist()], pa.timestamp("us", "UTC"))


def _read_date(text: str | None) -> datetime | None:
    text = (text or "").strip()
    try:
        if text.isdecimal() and text.isascii() and len(text) != len("20261125"):
            scale = 1 if len(text) <= DIGITS_OF_SECONDS else 1000
            return datetime.fromtimestamp(int(text) / scale, UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
