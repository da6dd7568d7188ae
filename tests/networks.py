"""Small Keras networks with random weights, and their files."""

from __future__ import annotations

import tempfile
from pathlib import Path

# Of the run whose model is the champion of `champion_store`.
RUN_ID = "20261101T020000Z-aaaaaa"
NETWORKS = {
    "lstm": [("LSTM", {"units": 8})],
    "gru": [("GRU", {"units": 8})],
    "simple": [("SimpleRNN", {"units": 8})],
    "stacked": [("LSTM", {"units": 8, "dropout": 0.3, "return_sequences": True}), ("LSTM", {"units": 8})],
    "mixed": [("GRU", {"units": 4, "return_sequences": True}), ("SimpleRNN", {"units": 3})],
}


def build(layers, num_words=500, maxlen=20, seed=1):
    """Return a network whose words and output weigh more than those of a new one, so that its answers differ.

    Not the recurrent weights: a SimpleRNN with large ones is chaotic, and makes rounding visible.
    """
    import keras

    keras.utils.set_random_seed(seed)
    middle = [getattr(keras.layers, name)(**arguments) for name, arguments in layers]
    network = keras.Sequential(
        [
            keras.Input((maxlen,), dtype="int32"),
            keras.layers.Embedding(num_words, 16),
            *middle,
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    embeddings, *recurrent, kernel, bias = network.get_weights()
    network.set_weights([10 * embeddings, *recurrent, 3 * kernel, bias])
    return network


def save(network) -> bytes:
    """Return the network's `model.keras`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        network.save(path)
        return path.read_bytes()
