"""A stock Keras network of Embedding, LSTM, GRU or SimpleRNN and Dense(1, sigmoid), computed by compiled kernels.

Weights, optimizer state and random state stay in the Keras objects: they are read at the start of an epoch and written
back at its end, so that callbacks, saving and the weights themselves are Keras's own.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tasks import cell_kernels
from tasks.embedding_kernels import Tokens, add_embedding_gradients, look_up
from tasks.llvm_tiles import TILE_ROWS
from tasks.vector_kernels import Floats

# Keras's defaults, and the only values that are computed here.
_KNOWN_ARGUMENTS = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "recurrent_dropout": 0.0,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "reset_after": True,
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "trainable": True,
}


def is_known(network: keras.Sequential) -> bool:
    """Return whether the kernels compute this network: `_CELLS` with Keras's defaults, units and dropout aside."""
    embedding, *recurrent, dense = network.layers
    return (
        type(embedding) is keras.layers.Embedding
        and not embedding.mask_zero
        and type(dense) is keras.layers.Dense
        and len(recurrent) > 0
        and all(_has_known_arguments(layer) for layer in recurrent)
        and all(layer.return_sequences for layer in recurrent[:-1])
        and not recurrent[-1].return_sequences
    )


def _has_known_arguments(layer: Any) -> bool:
    if type(layer) not in _CELLS:
        return False
    config = layer.get_config()
    # The other implementation, which no config shows, drops out with a mask for each gate; a SimpleRNN has but one.
    return getattr(layer.cell, "implementation", 2) == 2 and all(
        config.get(name, value) == value for name, value in _KNOWN_ARGUMENTS.items()
    )


class _Cell:
    """One recurrent layer: its weights as the kernels want them, and what a batch leaves for the way back."""

    COLUMNS_PER_UNIT = 4

    def __init__(self, units: int, features: int, steps: int, lanes: int) -> None:
        self.units, self.features = units, features
        self.recurrent_rows = slice(features, features + units)
        rows, columns = _fill_tiles(features + units), _fill_tiles(self.COLUMNS_PER_UNIT * units)
        self.weights, self.bias = _zeros(rows, columns), _zeros(columns)
        self.inputs, self.gates = _zeros(steps + 1, rows, lanes), _zeros(steps, columns, lanes)
        self.d_inputs = _zeros(steps, rows, lanes)
        self.d_weights, self.d_bias = np.zeros_like(self.weights), np.zeros_like(self.bias)

    def hidden_states(self) -> Floats:
        """Return the hidden states of the last batch, (steps, units, lanes)."""
        return self.inputs[1:, self.recurrent_rows]


class _LSTM(_Cell):
    def __init__(self, units: int, features: int, steps: int, lanes: int) -> None:
        super().__init__(units, features, steps, lanes)
        self.cells, self.squashed = _zeros(steps + 1, units, lanes), _zeros(steps, units, lanes)

    def pack(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        self.weights[: self.features] = kernel
        self.weights[self.recurrent_rows] = recurrent_kernel
        self.bias[:] = bias

    def unpack_gradients(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        kernel[:] = self.d_weights[: self.features]
        recurrent_kernel[:] = self.d_weights[self.recurrent_rows]
        bias[:] = self.d_bias

    def forward(self) -> None:
        cell_kernels.lstm_forward(
            self.weights, self.bias, self.inputs, self.features, self.gates, self.cells, self.squashed
        )

    def backward(self, upstream: Floats, mask: Floats) -> None:
        cell_kernels.lstm_backward(
            np.ascontiguousarray(self.weights.T),
            self.inputs,
            self.features,
            self.gates,
            self.cells,
            self.squashed,
            upstream,
            mask,
            self.d_inputs,
            self.d_weights,
            self.d_bias,
        )


class _GRU(_Cell):
    """Keras's gates are update, reset and candidate; the candidate's recurrent part is a fourth one here."""

    def _columns(self) -> tuple[slice, slice, slice]:
        """Return the columns of update and reset, of the candidate, and of its recurrent part."""
        return slice(2 * self.units), slice(2 * self.units, 3 * self.units), slice(3 * self.units, 4 * self.units)

    def pack(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        gates, candidate, inner = self._columns()
        self.weights[: self.features, : 3 * self.units] = kernel
        self.weights[self.recurrent_rows, gates] = recurrent_kernel[:, gates]
        self.weights[self.recurrent_rows, inner] = recurrent_kernel[:, candidate]
        self.bias[gates] = bias[0, gates] + bias[1, gates]
        self.bias[candidate], self.bias[inner] = bias[0, candidate], bias[1, candidate]

    def unpack_gradients(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        gates, candidate, inner = self._columns()
        kernel[:] = self.d_weights[: self.features, : 3 * self.units]
        recurrent_kernel[:, gates] = self.d_weights[self.recurrent_rows, gates]
        recurrent_kernel[:, candidate] = self.d_weights[self.recurrent_rows, inner]
        bias[:, gates] = self.d_bias[gates]
        bias[0, candidate], bias[1, candidate] = self.d_bias[candidate], self.d_bias[inner]

    def forward(self) -> None:
        cell_kernels.gru_forward(self.weights, self.bias, self.inputs, self.features, self.gates, self.units)

    def backward(self, upstream: Floats, mask: Floats) -> None:
        cell_kernels.gru_backward(
            np.ascontiguousarray(self.weights.T),
            self.inputs,
            self.features,
            self.gates,
            upstream,
            mask,
            self.d_inputs,
            self.d_weights,
            self.d_bias,
        )


class _SimpleRNN(_Cell):
    COLUMNS_PER_UNIT = 1

    def pack(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        self.weights[: self.features, : self.units] = kernel
        self.weights[self.recurrent_rows, : self.units] = recurrent_kernel
        self.bias[: self.units] = bias

    def unpack_gradients(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        kernel[:] = self.d_weights[: self.features, : self.units]
        recurrent_kernel[:] = self.d_weights[self.recurrent_rows, : self.units]
        bias[:] = self.d_bias[: self.units]

    def forward(self) -> None:
        cell_kernels.simple_rnn_forward(self.weights, self.bias, self.inputs, self.features, self.gates, self.units)

    def backward(self, upstream: Floats, mask: Floats) -> None:
        cell_kernels.simple_rnn_backward(
            np.ascontiguousarray(self.weights.T),
            self.inputs,
            self.features,
            self.gates,
            upstream,
            mask,
            self.d_inputs,
            self.d_weights,
            self.d_bias,
        )


_CELLS: dict[type, type[_LSTM] | type[_GRU] | type[_SimpleRNN]] = {
    keras.layers.LSTM: _LSTM,
    keras.layers.GRU: _GRU,
    keras.layers.SimpleRNN: _SimpleRNN,
}


def _fill_tiles(count: int) -> int:
    """Return the next multiple of a tile's rows."""
    return -(-count // TILE_ROWS) * TILE_ROWS


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


def read_variables(variables: list[Any], arrays: list[Floats]) -> None:
    """Copy Keras variables into arrays of their shapes."""
    for variable, array in zip(variables, arrays, strict=True):
        array[:] = variable.numpy()


def write_variables(variables: list[Any], arrays: list[Floats]) -> None:
    """Copy arrays into Keras variables of their shapes."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


class RecurrentNetwork:
    """The network's weights, and the arithmetic of one batch.

    Attributes:
        weights: float32 views of one flat vector, in the order of the Keras network's own list.
        gradients: Likewise, of the last batch.
        squares: The gradients' squares; of an embedding, the sum of each occurrence's own.
        no_dropout: Masks of ones, for each recurrent layer's input and for the last one's output.
    """

    def __init__(self, network: keras.Sequential, lanes: int) -> None:
        embedding, *recurrent, _ = network.layers
        steps = network.input_shape[1]
        features = [embedding.output_dim, *(layer.units for layer in recurrent)]
        self.variables = list(network.trainable_variables)
        self.flat_weights, self.weights = self.make_views()
        self.flat_gradients, self.gradients = self.make_views()
        self.flat_squares, self.squares = self.make_views()
        self.cells: list[_LSTM | _GRU | _SimpleRNN] = [
            _CELLS[type(layer)](layer.units, count, steps, lanes)
            for layer, count in zip(recurrent, features[:-1], strict=True)
        ]
        self.no_dropout = [np.ones((count, lanes), np.float32) for count in features]
        self.from_output = _zeros(steps, features[-1], lanes)

    def make_views(self) -> tuple[Floats, list[Floats]]:
        """Return one flat vector of zeros for all weights, and a view of it in the shape of each."""
        shapes = [tuple(variable.shape) for variable in self.variables]
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
        flat = _zeros(ends[-1])
        return flat, [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def read_weights(self) -> None:
        """Take the weights of the Keras network."""
        read_variables(self.variables, self.weights)
        self.pack()

    def write_weights(self) -> None:
        """Give the weights to the Keras network."""
        write_variables(self.variables, self.weights)

    def pack(self) -> None:
        """Arrange the weights for the kernels, after they were changed."""
        for place, cell in enumerate(self.cells):
            cell.pack(*self.weights[1 + 3 * place : 4 + 3 * place])

    def forward(self, tokens: Tokens, masks: list[Floats]) -> Floats:
        """Return the logits of a batch.

        Args:
            tokens: uint16, (steps, lanes).
            masks: float32, (features, lanes) for each recurrent layer: what its input is multiplied with, at all steps.

        Returns:
            float32, (lanes,).
        """
        look_up(self.weights[0], tokens, masks[0], self.cells[0].inputs)
        self.cells[0].forward()
        for below, cell, mask in zip(self.cells, self.cells[1:], masks[1:], strict=False):
            np.multiply(below.hidden_states(), mask, out=cell.inputs[:-1, : cell.features])
            cell.forward()
        kernel, bias = self.weights[-2:]
        logits: Floats = kernel[:, 0] @ self.cells[-1].hidden_states()[-1] + bias
        return logits

    def backward(self, d_logits: Floats, tokens: Tokens, masks: list[Floats]) -> None:
        """Add the gradients of the batch that `forward` has just seen; `d_logits` (lanes,) is the loss's."""
        kernel, _ = self.weights[-2:]
        self.gradients[-2][:, 0] += self.cells[-1].hidden_states()[-1] @ d_logits
        self.gradients[-1][0] += d_logits.sum()
        self.from_output[-1] = kernel * d_logits
        upstream, mask = self.from_output, self.no_dropout[-1]
        for cell, mask_below in zip(reversed(self.cells), reversed(masks), strict=True):
            cell.backward(upstream, mask)
            upstream, mask = cell.d_inputs, mask_below
        add_embedding_gradients(upstream, tokens, mask, self.gradients[0], self.squares[0])

    def start_gradients(self) -> None:
        """Set all gradients to zero."""
        self.flat_gradients[:] = 0
        self.flat_squares[:] = 0
        for cell in self.cells:
            cell.d_weights[:] = 0
            cell.d_bias[:] = 0

    def finish_gradients(self) -> None:
        """Arrange the gradients as Keras's weights are, and square those of which Keras squares the sum."""
        for place, cell in enumerate(self.cells):
            cell.unpack_gradients(*self.gradients[1 + 3 * place : 4 + 3 * place])
        embedding = self.weights[0].size
        np.square(self.flat_gradients[embedding:], out=self.flat_squares[embedding:])
