"""The test reviews of a run, for a model that was trained by another run: its tokens of them, and which it knows.

A review is known by its content, in two ways. Own reviews have the salted hash of their normalised text. Reviews with
IMDB's word index, of the archive or one's own, have a hash of their words' ranks without mark-up.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.archive import Reviews, read_reviews
from storage.champion_records import ModelEncoder
from storage.records import Run
from storage.schemas import (
    ASSIGNMENT_SCHEMA,
    OWN_REVIEW_SCHEMA,
    REVIEW_SCHEMA,
    TEXT_SCHEMA,
    padded_schema,
)
from storage.store import Store
from storage.word_index import read_word_index
from tasks.champion.model_record import describe_encoder, find_padded, make_encoder
from tasks.data.encoding.encoder import EncodedTexts, encode_texts
from tasks.data.encoding.vocabulary import read_vocabulary
from tasks.data.pad import pad_tokens, tokens_of
from tasks.data.parts.assignment import TEST
from tasks.data.shards.encode_shards import hash_contents
from tasks.data.shards.join import without_markup
from tasks.data.split import INDEX_FROM, OUT_OF_VOCABULARY_TOKEN, START_TOKEN

Tokens = npt.NDArray[np.uint16]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class TestReviews:
    """The test reviews of one set of a run, in the order of its predictions.

    Attributes:
        ids: Their ids.
        keys: Hash of each own review's text; 0 for a review of the archive.
        contents: Hash of each review's ranks; 0 if it has none.
    """

    ids: npt.NDArray[np.str_]
    keys: Hashes
    contents: Hashes

    # pytest would take it for a test.
    __test__ = False

    @property
    def first_of_each(self) -> npt.NDArray[np.bool_]:
        """Whether no earlier review has the same text: bool, shape (reviews,)."""
        marks = np.where(self.keys != 0, self.keys, self.contents)
        first = np.zeros(len(marks), bool)
        _, places = np.unique(marks, return_index=True)
        first[places] = True
        # What has no hash is taken for different.
        first[marks == 0] = True
        return first

    def name_reviews(self) -> str:
        """Return a SHA-256 of the set of reviews, by their content or else their ids."""
        marks = np.where(self.keys != 0, self.keys, self.contents)
        named = sorted(f"{mark:x}" if mark else identifier for mark, identifier in zip(marks, self.ids, strict=True))
        return hashlib.sha256("\n".join(named).encode()).hexdigest()

    def select(self, mask: npt.NDArray[np.bool_]) -> TestReviews:
        """Return the reviews in a mask."""
        return TestReviews(self.ids[mask], self.keys[mask], self.contents[mask])


@dataclass(frozen=True)
class Learned:
    """What a model was trained on, its validation reviews included, which chose it.

    Attributes:
        keys: Hashes of own texts.
        contents: Hashes of ranks.
    """

    keys: Hashes
    contents: Hashes

    def knows(self, reviews: TestReviews) -> npt.NDArray[np.bool_]:
        """Return which reviews the model was trained on: bool, shape (reviews,)."""
        known: npt.NDArray[np.bool_] = (np.isin(reviews.keys, self.keys) & (reviews.keys != 0)) | (
            np.isin(reviews.contents, self.contents) & (reviews.contents != 0)
        )
        return known

    def count_more_than(self, other: Learned) -> int:
        """Return how many reviews this model was trained on that the other was not."""
        new = int((~np.isin(self.keys, other.keys)).sum())
        return new + int((~np.isin(self.contents, other.contents)).sum())


def read_learned(run: Run, store: Store) -> Learned:
    """Return what a run's models were trained on.

    Raises:
        DamagedFileError: A file is missing or damaged.
    """
    keys, contents = np.zeros(0, np.uint64), [np.zeros(0, np.uint64)]
    archive = run.datasets.get("archive")
    if archive is not None:
        reviews = read_reviews(store.read_verified(archive.files["archive"]), "train", archive.source)
        contents.append(hash_contents(*without_markup(reviews)))
    if "assign" in run.datasets and "join" in run.datasets:
        assignment = store.read_table(run.datasets["assign"].files["assignment"], ASSIGNMENT_SCHEMA)
        is_learned = assignment["part"].to_numpy() < TEST
        keys = _shorten(assignment["key"])[is_learned]
    return Learned(np.unique(keys), np.unique(np.concatenate(contents)))


def _shorten(keys: pa.ChunkedArray) -> Hashes:
    """Return the first eight bytes of each key as a number."""
    joined = b"".join(key[:8] for key in keys.to_pylist())
    return np.frombuffer(joined, np.uint64)


def read_test_reviews(
    run: Run, ids: npt.NDArray[np.str_], store: Store, encoder: ModelEncoder | None = None
) -> TestReviews:
    """Return the test reviews of a run's test set, `run.test_set`.

    Args:
        run: The run.
        ids: Their ids, in the order of the run's predictions.
        store: The store that has the run.
        encoder: Of a champion that may have been trained on IMDB; its words find own texts that stand there too.

    Raises:
        DamagedFileError: A file is missing or damaged.
    """
    none = np.zeros(len(ids), np.uint64)
    if run.test_set == "own":
        # Beside an archive, own texts that stand in it were left out when they were joined.
        is_imdb = encoder is not None and encoder.kind == "imdb" and "archive" not in run.datasets
        contents = _hash_own_texts(run, ids, encoder, store) if encoder is not None and is_imdb else none
        return TestReviews(ids, _read_own_keys(run, ids, store), contents)
    table = store.read_table(run.datasets["profile"].files["reviews"], REVIEW_SCHEMA)
    words = table["words"].combine_chunks()
    reviews = Reviews(words.values.to_numpy(), words.offsets.to_numpy().astype(np.int64), none.astype(np.uint8))
    contents = hash_contents(*without_markup(reviews))
    places = {identifier: place for place, identifier in enumerate(table["review_id"].to_pylist())}
    return TestReviews(ids, none, contents[[places[identifier] for identifier in ids.tolist()]])


def _read_own_keys(run: Run, ids: npt.NDArray[np.str_], store: Store) -> Hashes:
    assignment = store.read_table(run.datasets["assign"].files["assignment"], ASSIGNMENT_SCHEMA)
    places = {identifier: place for place, identifier in enumerate(assignment["review_id"].to_pylist())}
    return _shorten(assignment["key"])[[places[identifier] for identifier in ids.tolist()]]


def _hash_own_texts(run: Run, ids: npt.NDArray[np.str_], encoder: ModelEncoder, store: Store) -> Hashes:
    encoded = _encode(_read_own_texts(run, ids, store), encoder, store)
    return hash_contents(encoded.ranks, encoded.rank_offsets)


def encode_test_reviews(run: Run, ids: npt.NDArray[np.str_], encoder: ModelEncoder, store: Store) -> Tokens:
    """Return a run's test reviews as tokens of another model's encoder: uint16, shape (reviews, maxlen).

    Raises:
        ValueError: The encoder cannot encode them, because the archive has no word index.
        DamagedFileError: A file is missing or damaged.
    """
    own = describe_encoder(run, store)
    if _means_the_same(own, encoder):
        table = store.read_table(find_padded(run)["test"], padded_schema(own.maxlen))
        places = {identifier: place for place, identifier in enumerate(table["review_id"].to_pylist())}
        tokens: Tokens = tokens_of(table)[[places[identifier] for identifier in ids.tolist()]]
        return tokens
    is_own = run.test_set == "own"
    if not is_own and _has_same_words(own, encoder):
        return _encode_ranks(run, ids, encoder, store)
    texts = _read_own_texts(run, ids, store) if is_own else _write_out_words(run, ids, own, store)
    encoded = _encode(texts, encoder, store)
    return pad_tokens(encoded.tokens, encoded.offsets, encoder.maxlen)


def _encode(texts: pa.StringArray, encoder: ModelEncoder, store: Store) -> EncodedTexts:
    if encoder.vocabulary is None:
        raise ValueError("its encoder must have a vocabulary to encode other reviews, and the archive had none")
    return encode_texts(texts, make_encoder(encoder, encoder.vocabulary), read_vocabulary(store, encoder.vocabulary))


def _means_the_same(one: ModelEncoder, other: ModelEncoder) -> bool:
    return _has_same_words(one, other) and (one.num_words, one.maxlen) == (other.num_words, other.maxlen)


def _has_same_words(one: ModelEncoder, other: ModelEncoder) -> bool:
    hashes = [each.vocabulary.sha256 if each.vocabulary else None for each in (one, other)]
    # Without an index the ranks of both are those of the archives, which have the same words.
    return hashes[0] == hashes[1] and (one.kind, one.tokens, one.version) == (other.kind, other.tokens, other.version)


def _encode_ranks(run: Run, ids: npt.NDArray[np.str_], encoder: ModelEncoder, store: Store) -> Tokens:
    """Return the archive's reviews with another size of the vocabulary, or another length."""
    rows = _read_rows(run, ids, store)
    offsets = rows.offsets.to_numpy().astype(np.int64)
    ranks = rows.values.to_numpy()[offsets[0] : offsets[-1]]
    is_known = ranks < encoder.num_words - INDEX_FROM
    tokens = np.where(is_known, ranks + np.uint32(INDEX_FROM), OUT_OF_VOCABULARY_TOKEN).astype(np.uint16)
    starts = offsets - offsets[0]
    with_start = np.insert(tokens, starts[:-1], START_TOKEN)
    return pad_tokens(with_start, starts + np.arange(len(starts)), encoder.maxlen)


def _read_rows(run: Run, ids: npt.NDArray[np.str_], store: Store) -> pa.ListArray:
    table = store.read_table(run.datasets["profile"].files["reviews"], REVIEW_SCHEMA)
    places = {identifier: place for place, identifier in enumerate(table["review_id"].to_pylist())}
    return table["words"].combine_chunks().take(pa.array([places[identifier] for identifier in ids.tolist()]))


def _write_out_words(run: Run, ids: npt.NDArray[np.str_], own: ModelEncoder, store: Store) -> pa.StringArray:
    """Return the archive's reviews as texts, from the word index."""
    if own.vocabulary is None:
        raise ValueError("the run's archive must have a word index for it to be encoded anew, and has none")
    file = run.datasets["archive"].files["word_index"]
    index = read_word_index(store.read_verified(file), store.locate(file.path))
    words = {rank: word for word, rank in index.items()}
    rows = _read_rows(run, ids, store).to_pylist()
    return pa.array([" ".join(words.get(rank, "") for rank in row) for row in rows], pa.string())


def _read_own_texts(run: Run, ids: npt.NDArray[np.str_], store: Store) -> pa.StringArray:
    files = run.datasets["join"].files
    table = store.read_table(files["own_reviews"], OWN_REVIEW_SCHEMA)
    places = {identifier: place for place, identifier in enumerate(table["review_id"].to_pylist())}
    chosen = np.array([places[identifier] for identifier in ids.tolist()])
    shards, positions = table["shard"].to_numpy()[chosen], table["position"].to_numpy()[chosen]
    texts = np.empty(len(ids), object)
    for shard in np.unique(shards).tolist():
        here = np.flatnonzero(shards == shard)
        column = store.read_table(files[f"texts-{shard}"], TEXT_SCHEMA)["text"].combine_chunks()
        texts[here] = column.take(pa.array(positions[here])).to_pylist()
    return pa.array(texts.tolist(), pa.string())
