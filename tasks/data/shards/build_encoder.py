"""Build a vocabulary of the training part. Runs in a child process, which frees its memory when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storage.records import StoredFile
from storage.schemas import ASSIGNMENT_SCHEMA, TEXT_SCHEMA, VOCABULARY_SCHEMA
from storage.store import Store
from storage.table_streams import iterate_table
from tasks.data.encoding.tokenise import TokenKind
from tasks.data.encoding.vocabulary import choose_vocabulary, count_words
from tasks.data.parts.assignment import TRAIN
from tasks.data.shards.encode_shards import ROWS_AT_ONCE
from tasks.data.shards.shard import Shard
from tasks.data.split import INDEX_FROM
from tasks.processes.messages import Event, Job

# Raise it when the same texts give another vocabulary than before.
VERSION = 1
# More words than the models use, so that another `num_words` needs no other vocabulary, and the report finds negations.
SIZE = 100_000


@dataclass(frozen=True)
class VocabularyRequest:
    """The request to build a vocabulary.

    Attributes:
        shards: The shards of the source.
        assignment: The parts of their reviews.
        tokens: What texts are taken apart into.
        threads: How many pieces to work on at once.
        store: URI of the store.
        folder: For the new file, in the store.
    """

    shards: tuple[Shard, ...]
    assignment: StoredFile
    tokens: TokenKind
    threads: int
    store: str
    folder: str


def iterate_training_texts(store: Store, shards: tuple[Shard, ...], assignment: pa.Table) -> Iterator[pa.StringArray]:
    """Yield the texts of the training part, piece by piece."""
    shard, position = assignment["shard"].to_numpy(), assignment["position"].to_numpy()
    is_training = assignment["part"].to_numpy() == TRAIN
    for number, one in enumerate(shards):
        rows, first = position[(shard == number) & is_training], 0
        for batch in iterate_table(store, one.dataset.files["texts"], TEXT_SCHEMA, ["text"], ROWS_AT_ONCE):
            start, end = np.searchsorted(rows, [first, first + len(batch)])
            yield batch.column("text").take(pa.array(rows[start:end] - first))
            first += len(batch)


def main(request: VocabularyRequest, _tell: Callable[[Event], None]) -> dict[str, StoredFile]:
    """Publish the most frequent words of the training part."""
    store = Store(request.store)
    assignment = store.read_table(request.assignment, ASSIGNMENT_SCHEMA)
    texts = iterate_training_texts(store, request.shards, assignment)
    words = choose_vocabulary(count_words(texts, request.tokens, request.threads), SIZE - INDEX_FROM)
    if not words:
        raise ValueError("The training part of the reviews must hold words, to build a vocabulary. It holds none.")
    table = pa.table([pa.array(words, pa.string())], schema=VOCABULARY_SCHEMA)
    return {"vocabulary": store.write_table(f"{request.folder}/vocabulary-{{sha}}.parquet", table)}


JOB = Job(__name__, VocabularyRequest, dict[str, StoredFile])
