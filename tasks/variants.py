"""The models that are retrained every night, declared as data. Add a fifth here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One layer of `keras.layers` by its name, with its arguments."""

    name: str
    arguments: dict[str, object]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in self.arguments.items())})"


@dataclass(frozen=True)
class Variant:
    """A model: Embedding(num_words, embedding_dim), then these layers, then Dense(1, sigmoid).

    Attributes:
        name: As the command line, the store and the report show it.
        layers: Between the embedding and the output.
        relative_cost: How long its training takes against `lstm`, for the order in which trainings start; the
            longest goes first. A guess is enough; these were measured on the recipe.
    """

    name: str
    layers: tuple[Layer, ...]
    relative_cost: float = 1.0

    @property
    def description(self) -> str:
        return " → ".join(str(layer) for layer in self.layers)


def layer(name: str, **arguments: object) -> Layer:
    return Layer(name, arguments)


VARIANTS = (
    Variant("lstm", (layer("LSTM", units=8),)),
    Variant("lstm_dropout", (layer("LSTM", units=8, dropout=0.3),), relative_cost=0.9),
    Variant(
        "lstm_stacked",
        (
            layer("LSTM", units=8, dropout=0.3, return_sequences=True),
            layer("LSTM", units=8, dropout=0.3),
        ),
        relative_cost=0.7,
    ),
    Variant("gru", (layer("GRU", units=8),), relative_cost=1.5),
)

# Trained beside them for scale: the model of the textbook's chapter before, which none of them should fall behind.
BASELINES = (Variant("simple_rnn", (layer("SimpleRNN", units=8),), relative_cost=0.5),)
