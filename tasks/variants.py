"""The models that every run trains, declared as data. To add a fifth, change only this module."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A layer of `keras.layers`: its name and its keyword arguments."""

    name: str
    arguments: dict[str, object]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in self.arguments.items())})"


@dataclass(frozen=True)
class Variant:
    """A model: Embedding(num_words, embedding_dim), then these layers, then Dense(1, sigmoid).

    Attributes:
        name: Its name on the command line, in the store and in the report.
        layers: The layers between the embedding and the output.
        relative_cost: Duration of its training relative to `lstm`. The longest training starts first. A guess is
            enough; the values below were measured with the recipe.
    """

    name: str
    layers: tuple[Layer, ...]
    relative_cost: float = 1.0

    @property
    def description(self) -> str:
        return " → ".join(str(layer) for layer in self.layers)


def layer(name: str, **arguments: object) -> Layer:
    """Return a layer of `keras.layers` with these keyword arguments."""
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

# Trained for comparison: the model of the textbook's previous chapter. The variants should not be worse.
BASELINES = (Variant("simple_rnn", (layer("SimpleRNN", units=8),), relative_cost=0.5),)
