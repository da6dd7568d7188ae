"""Count what the report says of own reviews: statistics of each part, and a row for each test review."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.sections.data_section import PartFacts
from storage.schemas import OWN_REVIEW_SCHEMA
from tasks.data.parts.assignment import TEST, weeks_of
from tasks.data.profile import LENGTH_EDGES, QUANTILES


def describe_part(counts: pa.Table, labels: npt.NDArray[np.uint8], repeats: int) -> PartFacts:
    """Return the statistics of one part.

    Args:
        counts: Of `ENCODED_SCHEMA`.
        labels: uint8, shape (reviews,).
        repeats: Number of reviews that repeat an earlier one of the part.
    """
    words, seen = counts["words"].to_numpy(), counts["seen"].to_numpy()
    edges = np.append(LENGTH_EDGES[:-1], np.iinfo(np.int64).max)
    return PartFacts(
        reviews=len(words),
        positive=int(labels.sum()),
        words=int(words.sum()),
        length_mean=float(words.mean()) if len(words) else 0.0,
        length_quantiles=tuple(float(value) for value in np.quantile(words, QUANTILES)) if len(words) else (0.0,) * 5,
        length_maximum=int(words.max(initial=0)),
        length_counts=tuple(np.histogram(words, edges)[0].tolist()),
        out_of_vocabulary=int(counts["unknown"].to_numpy().sum()),
        seen_words=int(seen.sum()),
        seen_out_of_vocabulary=int(counts["seen_unknown"].to_numpy().sum()),
        cut_reviews=int((words > seen).sum()),
        repeats=repeats,
    )


def tabulate_test(
    assignment: pa.Table, counts: pa.Table, parts: npt.NDArray[np.uint8], near: set[bytes], *, is_complete: bool
) -> pa.Table:
    """Return a table of `OWN_REVIEW_SCHEMA` with one row for each own test review.

    Args:
        assignment: Of `ASSIGNMENT_SCHEMA`.
        counts: Of `ENCODED_SCHEMA`, in the same order.
        parts: The part of each.
        near: Keys of the near-duplicates.
        is_complete: Whether all reviews were compared for that.
    """
    chosen = pa.array(np.flatnonzero(parts == TEST))
    keys = assignment["key"].cast(pa.binary()).combine_chunks()
    elsewhere = pc.unique(keys.filter(pa.array(parts < TEST)))
    rows, numbers, mine = assignment.take(chosen), counts.take(chosen), keys.take(chosen)
    words, seen = numbers["words"].to_numpy(), numbers["seen"].to_numpy()
    is_near = [True if key in near else False if is_complete else None for key in mine.to_pylist()]
    columns = [
        rows["review_id"],
        rows["shard"],
        rows["position"],
        numbers["words"],
        pa.array((words - seen).clip(0).astype(np.int32)),
        pa.array((numbers["seen_unknown"].to_numpy() / np.maximum(seen, 1)).astype(np.float32)),
        numbers["has_negation"],
        pc.is_in(mine, elsewhere),
        pa.array(is_near, pa.bool_()),
        pa.array(weeks_of(rows["created_at"]), pa.string()),
    ]
    return pa.table(columns, schema=OWN_REVIEW_SCHEMA)
