"""Encode and pad the texts of shards. Runs in a child process, which frees its memory when it ends."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.datasets import dataset_folder, find_dataset, publish_dataset
from storage.records import Dataset, Inputs, StoredFile
from storage.schemas import ENCODED_SCHEMA, TEXT_SCHEMA, token_schema
from storage.store import Store
from storage.table_streams import iterate_table, writing_table
from tasks.data.encoding.encoder import EncodedTexts, Encoder, encode_texts
from tasks.data.encoding.in_order import map_in_order
from tasks.data.encoding.vocabulary import Vocabulary, read_vocabulary
from tasks.data.pad import pad_tokens
from tasks.data.profile import count_per_review, find_negations, mark_seen
from tasks.data.shards.shard import Shard
from tasks.data.split import OUT_OF_VOCABULARY_TOKEN
from tasks.processes.messages import Event, Job

# Raise it when the same texts and encoder give other tokens than before.
VERSION = 1
STEP = "encode"
# More fall out of the cache, and take memory for each thread.
ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class EncodeRequest:
    """The request to encode shards.

    Attributes:
        shards: The shards.
        encoder: How to encode.
        vocabulary: The vocabulary's words, in the store.
        maxlen: Tokens per review.
        threads: How many pieces to encode at once.
        source: Where the reviews come from, for people.
        store: URI of the store.
    """

    shards: tuple[Shard, ...]
    encoder: Encoder
    vocabulary: StoredFile
    maxlen: int
    threads: int
    source: str
    store: str


@dataclass(frozen=True)
class EncodeAnswer:
    """The encoded shards, in the order of the request.

    Attributes:
        datasets: Of each shard: "tokens" and "counts".
        built: How many of them were not stored before.
        damage: A sentence for each damaged file that was made again.
    """

    datasets: tuple[Dataset, ...]
    built: int
    damage: tuple[str, ...]


def tabulate(encoded: EncodedTexts, negations: npt.NDArray[np.uint32], maxlen: int) -> tuple[pa.Table, pa.Table]:
    """Return the padded tokens and the counts of some texts: tables of `token_schema(maxlen)` and `ENCODED_SCHEMA`.

    Args:
        encoded: The texts' tokens and ranks.
        negations: Ranks of the negations; empty if the vocabulary has none.
        maxlen: Tokens of a review that the models see.
    """
    padded = pad_tokens(encoded.tokens, encoded.offsets, maxlen)
    tokens = pa.FixedSizeListArray.from_arrays(pa.array(padded.reshape(-1)), maxlen)
    unknown = (padded == OUT_OF_VOCABULARY_TOKEN).sum(axis=1)
    negated: pa.Array = pa.nulls(len(padded), pa.bool_())
    if len(negations):
        seen = mark_seen(encoded.rank_offsets, maxlen)
        # A table of all ranks is four times as quick as a search.
        is_negation = np.zeros(int(max(negations.max(), encoded.ranks.max(initial=0))) + 1, bool)
        is_negation[negations] = True
        negated = pa.array(count_per_review(seen & is_negation[encoded.ranks], encoded.rank_offsets) > 0)
    counts = [
        pa.array(encoded.words, pa.int32()),
        pa.array(encoded.unknown, pa.int32()),
        # The start token is no word.
        pa.array((padded > 1).sum(axis=1).astype(np.int32)),
        pa.array(unknown.astype(np.int32)),
        negated,
        pa.array(hash_contents(encoded.ranks, encoded.rank_offsets)),
    ]
    return pa.table([tokens], schema=token_schema(maxlen)), pa.table(counts, schema=ENCODED_SCHEMA)


def hash_contents(ranks: npt.NDArray[np.uint32], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return a hash of each review's ranks: uint64, shape (reviews,); equal if the words are.

    Args:
        ranks: uint32, all reviews one after another.
        offsets: int64, shape (reviews + 1,).
    """
    content = ranks.tobytes()
    hashes = [
        hashlib.blake2b(content[4 * start : 4 * end], digest_size=8).digest()
        for start, end in itertools.pairwise(offsets.tolist())
    ]
    return np.frombuffer(b"".join(hashes), np.uint64)


def encode_shard(request: EncodeRequest, shard: Shard, vocabulary: Vocabulary) -> tuple[Dataset, bool, list[str]]:
    """Encode one shard, unless the store has it.

    Returns:
        The dataset, whether it was built now, and a sentence for each damaged file.
    """
    store = Store(request.store)
    inputs: Inputs = {
        "version": VERSION,
        "name": shard.name,
        "read": shard.dataset.key,
        "maxlen": request.maxlen,
        **asdict(request.encoder),
    }
    dataset, damage = find_dataset(store, STEP, inputs)
    if dataset is not None:
        return dataset, False, damage
    folder, negations = dataset_folder(STEP, inputs), find_negations(vocabulary.ranks)

    def encode(batch: pa.RecordBatch) -> tuple[pa.Table, pa.Table]:
        encoded = encode_texts(batch.column("text"), request.encoder, vocabulary)
        return tabulate(encoded, negations, request.maxlen)

    texts = iterate_table(store, shard.dataset.files["texts"], TEXT_SCHEMA, ["text"], ROWS_AT_ONCE)
    with (
        writing_table(store, f"{folder}/tokens-{{sha}}.parquet", token_schema(request.maxlen)) as tokens,
        writing_table(store, f"{folder}/counts-{{sha}}.parquet", ENCODED_SCHEMA) as counts,
    ):
        for padded, counted in map_in_order(encode, texts, request.threads):
            tokens.write(padded)
            counts.write(counted)
    files = {"tokens": tokens.published, "counts": counts.published}
    return publish_dataset(store, STEP, inputs, files, request.source), True, damage


def main(request: EncodeRequest, _tell: Callable[[Event], None]) -> EncodeAnswer:
    """Encode the shards one after another."""
    vocabulary = read_vocabulary(Store(request.store), request.vocabulary)
    datasets, built, damage = [], 0, []
    for shard in request.shards:
        dataset, is_new, sentences = encode_shard(request, shard, vocabulary)
        datasets.append(dataset)
        built += is_new
        damage.extend(sentences)
    return EncodeAnswer(tuple(datasets), built, tuple(damage))


JOB = Job(__name__, EncodeRequest, EncodeAnswer)
