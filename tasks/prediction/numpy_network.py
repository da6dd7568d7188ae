"""Compute a stored recurrent network with NumPy alone: TensorFlow takes four seconds to load, this a tenth of one.

It knows Embedding, LSTM, GRU and SimpleRNN layers with Keras's default arguments, and Dense(1, sigmoid).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.text import on_one_line

Floats = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint16]
# Reviews at once: their state fits in the processor's cache.
ROWS_AT_ONCE = 512
# What a recurrent layer must say of itself; what only training uses may differ.
DEFAULTS = {
    "LSTM": {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True},
    "GRU": {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "reset_after": True},
    "SimpleRNN": {"activation": "tanh", "use_bias": True},
}
NEVER = ("go_backwards", "stateful")
PASSED_OVER = ("InputLayer", "Dropout")
MAXIMUM_BYTES = 1 << 30


class UnknownLayersError(ValueError):
    """The network has a layer that is not computed here; Keras computes it."""


class NumpyNetwork:
    """The layers of a network, ready to compute.

    Attributes:
        layers: The recurrent layers in order: kind and weights.
        embeddings: float32, (num_words, features).
        output: Kernel (features, 1) and bias (1,) of the last layer.
    """

    def __init__(
        self, embeddings: Floats, layers: list[tuple[str, list[Floats]]], output: tuple[Floats, Floats]
    ) -> None:
        self.embeddings, self.layers, self.output = embeddings, layers, output
        kind, weights = layers[0]
        # What each word adds to the gates of the first layer, its bias included, is looked up instead of multiplied.
        bias = weights[2][0] if kind == "GRU" else weights[2]
        self.first_inputs: Floats = embeddings @ weights[0] + bias

    def predict(self, tokens: Tokens, threads: int = 1) -> Floats:
        """Return the probabilities that reviews are positive: float32, shape (reviews,).

        Args:
            tokens: uint16, shape (reviews, maxlen), below the size of the vocabulary.
            threads: How many batches to work on at once.
        """
        batches = [tokens[first : first + ROWS_AT_ONCE] for first in range(0, len(tokens), ROWS_AT_ONCE)]
        if threads < 2 or len(batches) < 2:
            parts = [self._predict_batch(batch) for batch in batches]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(self._predict_batch, batches))
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _predict_batch(self, tokens: Tokens) -> Floats:
        inputs = self._look_up(tokens)
        states: list[Floats] = []
        for place, (kind, weights) in enumerate(self.layers):
            if place:
                inputs = _multiply(states, weights[0], weights[2][0] if kind == "GRU" else weights[2])
            states = STEPS[kind](inputs, tokens.shape, weights, place == len(self.layers) - 1)
        kernel, bias = self.output
        return sigmoid(states[-1] @ kernel + bias)[:, 0]

    def _look_up(self, tokens: Tokens) -> Callable[[int], Floats]:
        """Return a function that gives what the words of a step add to the gates of the first layer."""

        def look_up(step: int) -> Floats:
            found: Floats = self.first_inputs[tokens[:, step]]
            return found

        return look_up


def _multiply(states: list[Floats], kernel: Floats, bias: Floats) -> Callable[[int], Floats]:
    """Return a function that gives what the layer below adds to the gates of a step."""

    def multiply(step: int) -> Floats:
        product: Floats = states[step] @ kernel + bias
        return product

    return multiply


def sigmoid(values: Floats) -> Floats:
    """Return the logistic function; by tanh, which does not overflow."""
    half: Floats = np.tanh(values * np.float32(0.5))
    half *= np.float32(0.5)
    half += np.float32(0.5)
    return half


def _run_lstm(
    inputs: Callable[[int], Floats], shape: tuple[int, ...], weights: list[Floats], is_last: bool
) -> list[Floats]:
    _, recurrent, _ = weights
    units = len(recurrent)
    hidden, cell = (np.zeros((shape[0], units), np.float32) for _ in range(2))
    states = []
    for step in range(shape[1]):
        gates = inputs(step) + hidden @ recurrent
        opened = sigmoid(gates[:, : 2 * units])
        cell = opened[:, units:] * cell + opened[:, :units] * np.tanh(gates[:, 2 * units : 3 * units])
        hidden = sigmoid(gates[:, 3 * units :]) * np.tanh(cell)
        if not is_last:
            states.append(hidden)
    return [hidden] if is_last else states


def _run_gru(
    inputs: Callable[[int], Floats], shape: tuple[int, ...], weights: list[Floats], is_last: bool
) -> list[Floats]:
    _, recurrent, bias = weights
    units = len(recurrent)
    hidden = np.zeros((shape[0], units), np.float32)
    states = []
    for step in range(shape[1]):
        given, kept = inputs(step), hidden @ recurrent + bias[1]
        opened = sigmoid(given[:, : 2 * units] + kept[:, : 2 * units])
        update, reset = opened[:, :units], opened[:, units:]
        candidate = np.tanh(given[:, 2 * units :] + reset * kept[:, 2 * units :])
        hidden = update * hidden + (1 - update) * candidate
        if not is_last:
            states.append(hidden)
    return [hidden] if is_last else states


def _run_simple(
    inputs: Callable[[int], Floats], shape: tuple[int, ...], weights: list[Floats], is_last: bool
) -> list[Floats]:
    _, recurrent, _ = weights
    hidden = np.zeros((shape[0], len(recurrent)), np.float32)
    states = []
    for step in range(shape[1]):
        hidden = np.tanh(inputs(step) + hidden @ recurrent)
        if not is_last:
            states.append(hidden)
    return [hidden] if is_last else states


STEPS = {"LSTM": _run_lstm, "GRU": _run_gru, "SimpleRNN": _run_simple}


def read_network(content: bytes) -> NumpyNetwork:
    """Return the network of a `model.keras`.

    Args:
        content: The file's bytes, whose SHA-256 is checked.

    Raises:
        UnknownLayersError: It has a layer, or an argument of one, that is not computed here.
        ValueError: It is not such a file.
    """
    import h5py

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MAXIMUM_BYTES:
                raise ValueError("it unpacks to more than a gigabyte")  # noqa: TRY301 - as all damage
            config = json.loads(archive.read("config.json"))
            stored = io.BytesIO(archive.read("model.weights.h5"))
        layers = [(one["class_name"], one["config"]) for one in config["config"]["layers"]]
        _check_layers(layers)
        with h5py.File(stored, "r") as file:
            weights = [_read_weights(file["layers"], name) for name in _name_groups(layers)]
    except UnknownLayersError:
        raise
    # zipfile, json and h5py raise errors of many kinds for damaged files.
    except Exception as error:
        raise ValueError(f"model.keras must be a whole Keras model. Received: {on_one_line(error)}") from error
    kinds = [kind for kind, _ in layers if kind not in PASSED_OVER]
    recurrent = list(zip(kinds[1:-1], weights[1:-1], strict=True))
    return NumpyNetwork(weights[0][0], recurrent, (weights[-1][0], weights[-1][1]))


def _check_layers(layers: list[tuple[str, dict[str, Any]]]) -> None:
    kinds = [kind for kind, _ in layers if kind not in PASSED_OVER]
    is_known = len(kinds) > 2 and kinds[0] == "Embedding" and kinds[-1] == "Dense" and set(kinds[1:-1]) <= set(DEFAULTS)
    last = layers[-1][1]
    if not is_known or (last.get("units"), last.get("activation"), last.get("use_bias")) != (1, "sigmoid", True):
        raise UnknownLayersError(f"the network must have known layers. Received: {', '.join(kinds)}.")
    recurrent = [(kind, config) for kind, config in layers if kind in DEFAULTS]
    for place, (kind, config) in enumerate(recurrent):
        wanted = {**DEFAULTS[kind], "return_sequences": place < len(recurrent) - 1, **dict.fromkeys(NEVER, False)}
        different = [name for name, value in wanted.items() if config.get(name, value) != value]
        if different:
            raise UnknownLayersError(f"{kind} must have Keras's defaults. Received: another {', '.join(different)}.")
    if any(config.get("mask_zero") for kind, config in layers if kind == "Embedding"):
        raise UnknownLayersError("Embedding must not mask zeros. Received: mask_zero=True.")


def _name_groups(layers: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the names under which Keras stores the layers' weights: their kinds, numbered from the second on."""
    names, counts = [], dict[str, int]()
    for kind, _ in layers:
        if kind in PASSED_OVER:
            continue
        base = {"SimpleRNN": "simple_rnn"}.get(kind, kind.lower())
        count = counts.get(base, 0)
        counts[base] = count + 1
        names.append(f"{base}_{count}" if count else base)
    return names


def _read_weights(groups: Any, name: str) -> list[Floats]:
    group = groups[name]
    values = group["cell"]["vars"] if "cell" in group else group["vars"]
    return [np.asarray(values[str(place)], np.float32) for place in range(len(values))]
