"""Read what is known of each of a team's own test reviews, and the words of a review."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from reports.analysis.errors import ReviewFacts
from storage.records import Run
from storage.schemas import OWN_REVIEW_SCHEMA, TEXT_SCHEMA
from storage.store import Store
from storage.table_streams import read_row
from tasks.data.encoding.encoder import list_words, read_encoder
from tasks.evaluation.review_facts import Decode, gather_facts, read_input_sizes, show_word


def read_own_facts(run: Run, store: Store) -> ReviewFacts:
    """Return the properties of each own test review.

    Raises:
        DamagedFileError: A file differs from what was published.
    """
    table = store.read_table(run.datasets["join"].files["own_reviews"], OWN_REVIEW_SCHEMA)
    near, weeks = table["is_near_duplicate"], table["week"]
    return replace(
        gather_facts(table, _make_decoder(run, table, store)),
        is_near_duplicate=None if near.null_count else np.array(near.to_pylist(), bool),
        week=None if weeks.null_count else np.array(weeks.to_pylist(), str),
    )


def _make_decoder(run: Run, table: pa.Table, store: Store) -> Decode:
    """Return the function for `ReviewFacts.decode`."""
    encoder, vocabulary = read_encoder(store, run.datasets["encoder"])
    files, (_, maxlen) = run.datasets["join"].files, read_input_sizes(run)

    def decode(review: int) -> tuple[tuple[str, ...], tuple[int, ...], int]:
        shard, position = table["shard"][review].as_py(), table["position"][review].as_py()
        text = read_row(store, files[f"texts-{shard}"], TEXT_SCHEMA, position)["text"]
        words, unknown = list_words(str(text), encoder, vocabulary)
        # The models see the last tokens; the start token is one if the whole review fits.
        cut = max(0, len(words) - maxlen)
        shown = tuple(show_word(word) for word in words[cut:])
        return shown, tuple(index - cut for index in unknown if index >= cut), cut

    return decode
