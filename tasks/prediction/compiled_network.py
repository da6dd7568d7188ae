"""Compute a stored network with the trainings' own compiled loops: the same numbers, and quicker for many texts.

Numba takes most of a second to load, so a few texts go through NumPy.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tasks.kernels.network import RecurrentLayer, RecurrentNetwork
from tasks.kernels.tiles import LANES
from tasks.prediction.numpy_network import Floats, NumpyNetwork, Tokens, sigmoid

# Reviews at once: their states stay in the processor's cache.
BATCH = 2 * LANES


class CompiledNetwork:
    """A network whose arrays are allocated once for each thread."""

    def __init__(self, network: NumpyNetwork) -> None:
        self._layers = [RecurrentLayer(kind, len(weights[1])) for kind, weights in network.layers]
        self._weights = [
            network.embeddings,
            *(weight for _, weights in network.layers for weight in weights),
            *network.output,
        ]
        self._own = threading.local()

    def predict(self, tokens: Tokens, threads: int = 1) -> Floats:
        """Return the probabilities that reviews are positive; arguments as in `NumpyNetwork.predict`."""
        count = len(tokens)
        batches = [tokens[first : first + BATCH] for first in range(0, count, BATCH)]
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(self._predict_batch, batches))
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _predict_batch(self, tokens: Tokens) -> Floats:
        count, steps = tokens.shape
        arithmetic = self._arithmetic(steps)
        lanes = np.zeros((steps, BATCH), np.uint16)
        lanes[:, :count] = tokens.T
        return sigmoid(arithmetic.forward(lanes, arithmetic.no_dropout[:-1]))[:count]

    def _arithmetic(self, steps: int) -> RecurrentNetwork:
        """Return this thread's arrays."""
        made: RecurrentNetwork | None = getattr(self._own, "made", None)
        if made is None:
            shapes = [weight.shape for weight in self._weights]
            made = self._own.made = RecurrentNetwork(self._layers, shapes, steps, BATCH)
            for own, weight in zip(made.weights, self._weights, strict=True):
                own[...] = weight
            made.pack_weights()
        return made
