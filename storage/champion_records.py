"""The records of the log of champions: which model is in use, which are blocked, who decided it, when and why."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

from storage.bounds import Constraint, Count, Positive, Real, Sha256, Share, Whole
from storage.records import JsonObject, StoredFile

# Raise it, and add an upgrade, if the meaning of a record changes.
CHAMPION_FORMAT = 1
ChampionFormat = Annotated[int, Constraint(ge=1, le=CHAMPION_FORMAT)]
Action = Literal["promote", "rollback", "block", "unblock"]
# How many inputs and outputs of a model are kept with it, and how far today's libraries may be from them.
REFERENCES = 50
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ModelEncoder:
    """How a model's texts become its tokens.

    Attributes:
        kind: "imdb" or "built", as in `tasks.data.encoding.encoder`; "ranks" if the archive has no word index, so that
            only its own reviews can be encoded.
        normalisation: As in `tasks.data.encoding.encoder`.
        tokens: What texts are taken apart into.
        num_words: Size of the vocabulary, the three special tokens included.
        maxlen: Tokens that the model gets of each review, its last.
        vocabulary: The file with the words; None for "ranks".
        version: Of the code that encodes.
    """

    kind: Literal["imdb", "built", "ranks"]
    normalisation: str
    tokens: str
    num_words: Positive
    maxlen: Positive
    vocabulary: StoredFile | None
    version: Whole


@dataclass(frozen=True)
class References:
    """Some inputs of a model and its outputs, to see whether other libraries still compute the same.

    Attributes:
        tokens: Rows of `maxlen` tokens.
        probabilities: That each is positive, as the training computed them.
    """

    tokens: tuple[tuple[Count, ...], ...]
    probabilities: tuple[Share, ...]


@dataclass(frozen=True)
class ChampionModel:
    """A model that is, or was, in use.

    Attributes:
        identity: SHA-256 of its weights, its layers and its encoder; see `identify_model`.
        run_id: The run that trained it.
        training: Name of its training: `lstm-seed42`.
        variant: Name of its variant.
        layers: The variant's layers as text.
        embedding_dim: Size of a word's vector.
        weights_sha256: Of its weights.
        encoder: How its texts become tokens.
        files: Its files by name: "model.keras", "run" for `run.json`, and those of its training.
        validation_loss: Mean binary cross-entropy on its run's validation reviews, in nats.
        test_accuracy: 0 to 1, on its run's test reviews.
        test_reviews: Number of those.
        references: Some of its inputs and outputs.
    """

    identity: Sha256
    run_id: str
    training: str
    variant: str
    layers: str
    embedding_dim: Whole
    weights_sha256: Sha256
    encoder: ModelEncoder
    files: dict[str, StoredFile]
    validation_loss: Real
    test_accuracy: Share
    test_reviews: Count
    references: References


@dataclass(frozen=True)
class BlockedModel:
    """A model that the gate must not propose.

    Attributes:
        number: Of the record that blocked it.
    """

    identity: Sha256
    run_id: str
    training: str
    number: Positive
    why: str


@dataclass(frozen=True)
class Author:
    """Who wrote a record.

    Attributes:
        by: "person", or "gate" if the flow did it by itself.
        user: Name of the account.
        host: Name of the machine.
        flow_run: Id of the flow run; None at the terminal.
    """

    by: Literal["person", "gate"]
    user: str
    host: str
    flow_run: str | None = None


@dataclass(frozen=True)
class ChampionRecord:
    """One record of the log, created once and never changed.

    Attributes:
        number: From 1, without gaps; the highest one is current.
        name: Whose log it is.
        unique: Of this record alone, so that its writer knows it again after a lost answer.
        action: What was done.
        run_id: The run of the model that it was done to.
        training: The training of that model.
        identity: Of that model.
        champion: The model in use after it; None if there is none.
        blocked: All blocked models after it.
        previous: SHA-256 of the record before; None for the first.
        author: Who did it.
        when: UTC, ISO 8601, to the second.
        why: The reason that was given.
        evidence: The figures and checks of the gate, if its decision was the reason.
        report: SHA-256 of the report that was decided from; None if there is none.
        commit: Git's commit of the code that wrote it; None if unknown.
    """

    number: Positive
    name: str
    unique: str
    action: Action
    run_id: str
    training: str
    identity: Sha256
    champion: ChampionModel | None
    blocked: tuple[BlockedModel, ...]
    previous: Sha256 | None
    author: Author
    when: str
    why: str
    evidence: JsonObject = field(default_factory=dict)
    report: Sha256 | None = None
    commit: str | None = None
    format: ChampionFormat = CHAMPION_FORMAT

    def is_blocked(self, identity: str) -> bool:
        """Return whether a model must not be proposed."""
        return any(one.identity == identity for one in self.blocked)


@dataclass(frozen=True)
class Current:
    """`current.json`, for programs that read one key. The log is the truth.

    Attributes:
        number: Of the newest record.
        sha256: Of that record's file.
        model: The model's file; None if there is no champion.
    """

    name: str
    number: Positive
    sha256: Sha256
    run_id: str | None
    training: str | None
    identity: Sha256 | None
    model: StoredFile | None
    format: ChampionFormat = CHAMPION_FORMAT


def identify_model(weights_sha256: str, layers: str, embedding_dim: int, encoder: ModelEncoder) -> str:
    """Return a model's identity: a SHA-256 of its weights, its layers and its encoder.

    Not of `model.keras`, which holds the time at which it was saved: the same weights give another file every night.
    """
    described = asdict(encoder)
    # Where the words are stored, and as what, changes no model.
    described["vocabulary"] = encoder.vocabulary.sha256 if encoder.vocabulary else None
    parts = {"weights": weights_sha256, "layers": layers, "embedding_dim": embedding_dim, "encoder": described}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
