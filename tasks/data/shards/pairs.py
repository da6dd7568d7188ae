"""Encode the minimal pairs with the vocabulary of own reviews. Runs in a child process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storage.records import StoredFile
from storage.store import Store
from tasks.data.encoding.vocabulary import read_vocabulary
from tasks.data.profile import tabulate_pairs
from tasks.processes.messages import Event, Job


@dataclass(frozen=True)
class PairsRequest:
    """The request to encode the minimal pairs.

    Attributes:
        vocabulary: The words, in the store.
        num_words: Size of the vocabulary.
        maxlen: Tokens per sentence.
        store: URI of the store.
        folder: For the new file, in the store.
    """

    vocabulary: StoredFile
    num_words: int
    maxlen: int
    store: str
    folder: str


def main(request: PairsRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Publish the pairs whose words are all in the vocabulary; nothing if there is none."""
    store = Store(request.store)
    table = tabulate_pairs(read_vocabulary(store, request.vocabulary).ranks, request.num_words, request.maxlen)
    if table is None:
        return {}
    return {"minimal_pairs": store.write_table(f"{request.folder}/minimal_pairs-{{sha}}.parquet", table)}


JOB = Job(__name__, PairsRequest, dict[str, StoredFile])
