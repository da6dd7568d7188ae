"""Turn texts into tokens by an encoder, a record that is stored with the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.bounds import Sha256, Whole
from storage.datasets import read_json
from storage.records import Dataset
from storage.store import Store
from tasks.data.encoding.normalise import normalise_texts
from tasks.data.encoding.tokenise import TokenKind, split_texts
from tasks.data.encoding.vocabulary import Vocabulary, read_vocabulary
from tasks.data.split import INDEX_FROM, OUT_OF_VOCABULARY_TOKEN, START_TOKEN

# Raise it when the same text and vocabulary give other tokens than before.
VERSION = 1
# Stands for a word that the word index lacks.
MISSING = 0


@dataclass(frozen=True)
class Encoder:
    """How texts become tokens.

    Attributes:
        kind: "imdb": words that the word index lacks are dropped, as they were when the archive was made. "built":
            they become the token for words outside the vocabulary.
        normalisation: "none", or "web": curly apostrophes, special spaces and <br /> become what they stand for.
        tokens: What texts are taken apart into.
        num_words: Size of the vocabulary, the three special tokens included.
        vocabulary_sha256: Of the file with the words.
        version: Of the code that encodes.
    """

    kind: Literal["imdb", "built"]
    normalisation: Literal["none", "web"]
    tokens: TokenKind
    num_words: Whole
    vocabulary_sha256: Sha256
    version: Whole = VERSION


@dataclass(frozen=True)
class EncodedTexts:
    """Encoded texts, one after another.

    Attributes:
        tokens: uint16: a start token and the words of each text; rank plus 3, or 2 outside the vocabulary.
        offsets: int64, shape (texts + 1,); text i is `tokens[offsets[i]:offsets[i + 1]]`.
        words: int32, shape (texts,): words in each text, also those that were dropped.
        unknown: int32, shape (texts,): how many of them are outside the vocabulary or were dropped.
        ranks: uint32: the words' ranks in the whole word index, without those that it lacks.
        rank_offsets: int64, shape (texts + 1,); text i is `ranks[rank_offsets[i]:rank_offsets[i + 1]]`.
    """

    tokens: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    unknown: npt.NDArray[np.int32]
    ranks: npt.NDArray[np.uint32]
    rank_offsets: npt.NDArray[np.int64]


def make_web_encoder(vocabulary_sha256: str, tokens: TokenKind, num_words: int, *, is_built: bool) -> Encoder:
    """Return the encoder of a team's own texts, which come from web pages.

    Args:
        vocabulary_sha256: Of the file with the words.
        tokens: What texts are taken apart into.
        num_words: Size of the vocabulary.
        is_built: Whether the vocabulary was built of such texts; else it is IMDB's word index.
    """
    return Encoder("built" if is_built else "imdb", "web", tokens, num_words, vocabulary_sha256)


def read_encoder(store: Store, dataset: Dataset) -> tuple[Encoder, Vocabulary]:
    """Return the stored encoder of a run, and its words.

    Raises:
        DamagedFileError: A file is missing or damaged.
    """
    return read_encoder_record(store, dataset), read_vocabulary(store, dataset.files["vocabulary"])


def read_encoder_record(store: Store, dataset: Dataset) -> Encoder:
    """Return the stored encoder of a run, without its words."""
    encoder: Encoder = read_json(store, dataset.files["encoder"], Encoder, "an encoder")
    return encoder


def encode_texts(texts: pa.StringArray, encoder: Encoder, vocabulary: Vocabulary) -> EncodedTexts:
    """Return the tokens of some texts.

    Args:
        texts: At most some megabytes, so that memory stays bounded.
        encoder: How to encode.
        vocabulary: The words and their ranks.

    Example:
        With a vocabulary of "the" (1) and "film" (2), "The film!" becomes 1, 4, 5.
    """
    texts = texts.cast(pa.string())
    words, offsets = split_texts(normalise_texts(texts, encoder.normalisation), encoder.tokens)
    ranks = vocabulary.find_ranks(words)
    lacking = ranks == MISSING
    kept = ~lacking if encoder.kind == "imdb" else np.ones(len(ranks), bool)
    is_known = ~lacking & (ranks < encoder.num_words - INDEX_FROM)
    tokens = np.where(is_known, ranks + np.uint32(INDEX_FROM), OUT_OF_VOCABULARY_TOKEN)[kept].astype(np.uint16)
    kept_offsets = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[offsets]
    rank_offsets = np.concatenate([[0], np.cumsum(~lacking, dtype=np.int64)])[offsets]
    unknown = np.diff(np.concatenate([[0], np.cumsum(~is_known, dtype=np.int64)])[offsets])
    return EncodedTexts(
        tokens=np.insert(tokens, kept_offsets[:-1], START_TOKEN),
        offsets=kept_offsets + np.arange(len(kept_offsets)),
        words=np.diff(offsets).astype(np.int32),
        unknown=unknown.astype(np.int32),
        ranks=ranks[~lacking],
        rank_offsets=rank_offsets,
    )


def list_words(text: str, encoder: Encoder, vocabulary: Vocabulary) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the words of a text that become tokens, and the indices of those outside the vocabulary."""
    words, _ = split_texts(normalise_texts(pa.array([text]), encoder.normalisation), encoder.tokens)
    ranks = vocabulary.find_ranks(words)
    kept = ranks != MISSING if encoder.kind == "imdb" else np.ones(len(ranks), bool)
    is_known = (ranks != MISSING) & (ranks < encoder.num_words - INDEX_FROM)
    chosen = words.filter(pa.array(kept)).to_pylist()
    return tuple(chosen), tuple(np.flatnonzero(~is_known[kept]).tolist())
