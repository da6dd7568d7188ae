"""A model that is ready to answer: its encoder, its network, and who it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.champion_records import TOLERANCE, ChampionModel
from storage.store import Store
from tasks.champion.model_record import make_encoder
from tasks.data.encoding.encoder import Encoder, encode_texts, list_words
from tasks.data.encoding.vocabulary import Vocabulary, read_vocabulary
from tasks.data.pad import pad_tokens
from tasks.prediction.numpy_network import NumpyNetwork, Tokens, UnknownLayersError, read_network
from tasks.prediction.plain_keras import load_keras_model, predict_with_keras

Floats = npt.NDArray[np.float32]
# From so many texts on, the trainings' compiled loops are worth loading.
MANY = 256


@dataclass(frozen=True)
class Answers:
    """What a model says of some texts; arrays of shape (texts,).

    Attributes:
        probabilities: float32, that each is positive.
        unknown: float32, share of each text's words outside the vocabulary; 1 for a text without words.
        is_cut: bool, whether the model saw the end of the text alone.
    """

    probabilities: Floats
    unknown: Floats
    is_cut: npt.NDArray[np.bool_]


class TextEncoder:
    """How a model's texts become its tokens.

    Attributes:
        record: The encoder's record.
        maxlen: Tokens of a text that the model gets, its last.
        vocabulary: The words.
    """

    def __init__(self, record: Encoder, vocabulary: Vocabulary, maxlen: int) -> None:
        self.record, self.maxlen, self.vocabulary = record, maxlen, vocabulary

    def encode(self, texts: Sequence[str] | pa.StringArray) -> tuple[Tokens, Floats, npt.NDArray[np.bool_]]:
        """Return tokens, uint16 of shape (texts, maxlen); the share of unknown words; and whether each text is cut."""
        column = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
        encoded = encode_texts(column, self.record, self.vocabulary)
        tokens = pad_tokens(encoded.tokens, encoded.offsets, self.maxlen)
        share = np.divide(encoded.unknown, encoded.words, out=np.ones(len(column)), where=encoded.words > 0)
        return tokens, share.astype(np.float32), np.diff(encoded.offsets) > self.maxlen


class Predictor:
    """A champion, or another trained model.

    Attributes:
        name: Name of the log of champions; None for a model that was chosen by its run.
        number: Of the newest record of that log, when the model was loaded; None as well.
        identity: SHA-256 of the model's weights, layers and encoder.
        run_id: The run that trained it.
        training: Name of its training.
        encoder: How its texts become its tokens.
    """

    def __init__(self, described: ChampionModel, store: Store, name: str | None, number: int | None) -> None:
        """Load a model, and see whether it still gives the outputs that its training computed.

        Raises:
            ValueError: A file is damaged or missing, the encoder has no vocabulary, or today's libraries give other
                outputs.
        """
        self.name, self.number = name, number
        self.identity, self.run_id, self.training = described.identity, described.run_id, described.training
        self._content = store.read_verified(described.files["model.keras"])
        self.encoder = _open_encoder(described, store)
        try:
            self._network: NumpyNetwork | None = read_network(self._content)
        except UnknownLayersError:
            self._network = None
        self._check_references(described)

    @cached_property
    def model(self) -> Any:
        """The plain Keras model; Keras is imported only now."""
        return load_keras_model(self._content)

    def predict(self, texts: Sequence[str] | pa.StringArray) -> Floats:
        """Return the probabilities that texts are positive: float32, shape (texts,)."""
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str] | pa.StringArray, threads: int = 1) -> Answers:
        """Return what the model says of texts, and how much of them it knows.

        Args:
            texts: At most some megabytes, so that memory stays bounded.
            threads: How many batches to work on at once.
        """
        tokens, unknown, is_cut = self.encoder.encode(texts)
        return Answers(self.predict_tokens(tokens, threads), unknown, is_cut)

    def leave_one_out(self, text: str) -> tuple[tuple[str, ...], list[float]]:
        """Return the words that the model sees, and how much each of them raises the probability.

        That is the probability of the text minus that of the text without the word.
        """
        words, _ = list_words(text, self.encoder.record, self.encoder.vocabulary)
        words = words[-self.encoder.maxlen :]
        glue = "" if self.encoder.record.tokens == "characters" else " "
        variants = [glue.join(words[:place] + words[place + 1 :]) for place in range(len(words))]
        said = self.predict([glue.join(words), *variants])
        return words, [float(said[0] - one) for one in said[1:]]

    def predict_tokens(self, tokens: Tokens, threads: int = 1) -> Floats:
        """Return the probabilities for tokens, uint16 of shape (texts, maxlen): float32, shape (texts,)."""
        if self._network is None:
            return predict_with_keras(self.model, tokens)
        return (self._network if len(tokens) < MANY else self._compiled).predict(tokens, threads)

    @cached_property
    def _compiled(self) -> Any:
        # Imported late: Numba takes most of a second, which a few texts do not need.
        from tasks.prediction.compiled_network import CompiledNetwork

        if self._network is None:
            raise TypeError("a network that Keras computes has no compiled loops")
        return CompiledNetwork(self._network)

    def _check_references(self, described: ChampionModel) -> None:
        references = described.references
        said = self.predict_tokens(np.array(references.tokens, np.uint16))
        difference = float(np.abs(said - np.array(references.probabilities)).max(initial=0.0))
        # Not `difference >= TOLERANCE`, which NaN would pass.
        if not difference < TOLERANCE:
            raise ValueError(
                f"{self.training} of {self.run_id} must give its reference outputs within {TOLERANCE:g} with today's "
                f"libraries. Received: a difference of {difference:.2g}."
            )


def _open_encoder(described: ChampionModel, store: Store) -> TextEncoder:
    encoder = described.encoder
    if encoder.vocabulary is None:
        raise ValueError(
            f"{described.training} of {described.run_id} must have a vocabulary to read texts. It was trained on an "
            "archive without a word index."
        )
    record = make_encoder(encoder, encoder.vocabulary)
    return TextEncoder(record, read_vocabulary(store, encoder.vocabulary), encoder.maxlen)
