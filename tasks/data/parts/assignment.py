"""Assign a team's reviews to training, validation and test, so that no test review is ever learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.bounds import Whole

TRAIN, VALIDATION, TEST, LEFT_OUT = range(4)
TEST_FRACTION = 0.2
# In the order of their numbers.
PARTS = ("train", "validation", "test")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AssignmentFacts:
    """How the reviews were assigned.

    Attributes:
        method: "hash" of the text; "time": the newest are the test part; "given" by a column `split`.
        cutoff: With "time": test reviews are from then on, ISO 8601 in UTC; else "".
        train: Number of training reviews.
        validation: Number of validation reviews.
        test: Number of test reviews.
        repeats: Reviews whose text an earlier one has too.
        conflicting: Reviews whose text another one has with the other label.
        moved_out: Reviews left out of training and validation because the test part has their text.
        leaks: With "given": reviews of training or validation whose text the test part has. They stay.
    """

    method: Literal["hash", "time", "given"]
    cutoff: str
    train: Whole
    validation: Whole
    test: Whole
    repeats: Whole
    conflicting: Whole
    moved_out: Whole
    leaks: Whole


@dataclass(frozen=True)
class Assignment:
    """The part of each review.

    Attributes:
        parts: uint8, shape (reviews,): `TRAIN`, `VALIDATION`, `TEST` or `LEFT_OUT`.
        review_ids: A string for each; no two are equal.
        facts: How they were assigned.
    """

    parts: npt.NDArray[np.uint8]
    review_ids: pa.StringArray
    facts: AssignmentFacts


def assign_parts(
    facts: pa.Table,
    labels: npt.NDArray[np.uint8],
    *,
    validation_fraction: float,
    test_fraction: float = TEST_FRACTION,
) -> Assignment:
    """Assign each review to a part.

    Equal texts never stand in two parts, unless a column `split` puts them there. By the hash of its text, a review
    keeps its part on every later night, whatever is added.

    Args:
        facts: A table with the columns key, review_id, created_at and split of `FACT_SCHEMA`.
        labels: uint8, shape (reviews,), 0 negative or 1 positive.
        validation_fraction: Share of the reviews outside the test part that are for validation.
        test_fraction: Share of the test part.
    """
    if not len(facts):
        none = AssignmentFacts("hash", "", 0, 0, 0, 0, 0, 0, 0)
        return Assignment(np.zeros(0, np.uint8), pa.array([], pa.string()), none)
    first, group = _group_texts(facts["key"])
    for_test, for_validation = _draw(facts["key"])
    is_validation = for_validation < validation_fraction
    method, cutoff = _choose_method(facts), ""
    moved_out = leaks = np.zeros(len(facts), bool)
    if method == "given":
        parts = _read_splits(facts["split"])
        if not (parts == VALIDATION).any():
            parts[(parts == TRAIN) & is_validation] = VALIDATION
        leaks = (parts != TEST) & _in_groups(group, parts == TEST)
    else:
        if method == "time":
            is_test, cutoff = _find_newest(facts["created_at"], test_fraction)
        else:
            is_test = for_test < test_fraction
        parts = np.where(is_test, TEST, np.where(is_validation, VALIDATION, TRAIN)).astype(np.uint8)
        moved_out = ~is_test & _in_groups(group, is_test)
        parts[moved_out] = LEFT_OUT
    counts = np.bincount(parts, minlength=4).tolist()
    positive = np.bincount(group, weights=labels, minlength=int(group.max(initial=-1)) + 1)
    size = np.bincount(group)
    mixed = (positive > 0) & (positive < size)
    return Assignment(
        parts,
        name_reviews(facts, first, group),
        AssignmentFacts(
            method=method,
            cutoff=cutoff,
            train=counts[TRAIN],
            validation=counts[VALIDATION],
            test=counts[TEST],
            repeats=int((~first).sum()),
            conflicting=int(mixed[group].sum()) if len(group) else 0,
            moved_out=int(moved_out.sum()),
            leaks=int(leaks.sum()),
        ),
    )


def _choose_method(facts: pa.Table) -> Literal["hash", "time", "given"]:
    if len(facts) and facts["split"].null_count == 0:
        return "given"
    times = pc.min_max(facts["created_at"]).as_py()
    has_times = len(facts) > 0 and facts["created_at"].null_count == 0
    # If all are of one time, none is newer than another.
    return "time" if has_times and times["min"] != times["max"] else "hash"


def _group_texts(keys: pa.ChunkedArray) -> tuple[Mask, npt.NDArray[np.int64]]:
    """Return whether each review is the first with its text, and the number of its text."""
    encoded = keys.cast(pa.binary()).combine_chunks().dictionary_encode()
    group = encoded.indices.to_numpy().astype(np.int64)
    first = np.zeros(len(group), bool)
    first[np.unique(group, return_index=True)[1]] = True
    return first, group


def _in_groups(group: npt.NDArray[np.int64], chosen: Mask) -> Mask:
    """Return whether each review has the text of a chosen one."""
    if not len(group):
        return chosen
    has_chosen = np.zeros(int(group.max()) + 1, bool)
    has_chosen[group[chosen]] = True
    found: Mask = has_chosen[group]
    return found


def _draw(keys: pa.ChunkedArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return two independent numbers from 0 to 1 for each review, made of its key alone."""
    if not len(keys):
        return np.zeros(0), np.zeros(0)
    array = keys.combine_chunks()
    content = np.frombuffer(array.buffers()[1], np.uint8)[16 * array.offset : 16 * (array.offset + len(array))]
    halves = content.view("<u8").reshape(-1, 2)
    return halves[:, 0] / 2.0**64, halves[:, 1] / 2.0**64


def _read_splits(splits: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    parts: npt.NDArray[np.uint8] = pc.index_in(splits, pa.array(PARTS)).to_numpy().astype(np.uint8)
    return parts


def _find_newest(created_at: pa.ChunkedArray, fraction: float) -> tuple[Mask, str]:
    """Return whether each review belongs to the newest, and from when on they are. Equal times stay together.

    There are at least two different times. If most reviews are of the oldest one, the newest are those after it.
    """
    times = created_at.cast(pa.int64()).to_numpy()
    ordered = np.sort(times)
    cutoff = ordered[min(len(ordered) - 1, round(len(ordered) * (1 - fraction)))]
    if cutoff == ordered[0]:
        cutoff = ordered[ordered > cutoff][0]
    moment = np.datetime64(int(cutoff), "us")
    return times >= cutoff, f"{np.datetime_as_string(moment, unit='s')}Z"


def name_reviews(facts: pa.Table, first: Mask, group: npt.NDArray[np.int64]) -> pa.StringArray:
    """Return an id for each review: the given one or its text's hash; the second with the same text ends in #2.

    Args:
        facts: With the columns review_id and key.
        first: Whether each is the first with its text.
        group: The number of its text.
    """
    keys = facts["key"].combine_chunks()
    hashes = pa.array([key.hex() for key in keys.to_pylist()], pa.string())
    given = facts["review_id"].combine_chunks()
    names = pc.binary_join_element_wise("own-", pc.coalesce(given, hashes), "")
    again = np.flatnonzero(~first & given.is_null().to_numpy(zero_copy_only=False))
    if len(again):
        order = _count_earlier(group)
        renamed = [
            f"{name}#{order[place] + 1}"
            for place, name in zip(again, names.take(pa.array(again)).to_pylist(), strict=True)
        ]
        mask = np.zeros(len(names), bool)
        mask[again] = True
        names = pc.replace_with_mask(names, pa.array(mask), pa.array(renamed, pa.string()))
    return names


def _count_earlier(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many reviews before each have its text."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1])
    lengths = np.diff(np.concatenate([starts, [len(ordered)]]))
    earlier = np.empty(len(group), np.int64)
    earlier[order] = np.arange(len(group)) - np.repeat(starts, lengths)
    return earlier


def find_repeated_ids(identifiers: pa.ChunkedArray) -> Mask:
    """Return whether an earlier review has the same review_id: bool, shape (reviews,); False without an id."""
    if identifiers.null_count == len(identifiers):
        return np.zeros(len(identifiers), bool)
    codes = identifiers.combine_chunks().dictionary_encode().indices
    filled = np.flatnonzero(codes.is_valid().to_numpy(zero_copy_only=False))
    values = codes.drop_null().to_numpy()
    repeated = np.ones(len(identifiers), bool)
    repeated[filled[np.unique(values, return_index=True)[1]]] = False
    repeated[codes.is_null().to_numpy(zero_copy_only=False)] = False
    return repeated


def weeks_of(created_at: pa.ChunkedArray) -> list[str | None]:
    """Return the first day of each review's week, a Monday, as ISO 8601; None without a time."""
    return [
        None if day is None else day.date().isoformat()
        for day in pc.floor_temporal(created_at, unit="week").to_pylist()
    ]
