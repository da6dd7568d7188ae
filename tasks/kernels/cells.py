"""Recurrent layers as the kernels see them: their weights, and what a batch leaves for the way back."""

from __future__ import annotations

import numpy as np

from tasks.kernels import recurrence as cell_kernels
from tasks.kernels.tiles import TILE_ROWS
from tasks.kernels.vectors import Floats


def zeros(*shape: int) -> Floats:
    """Return an array of float32 zeros."""
    return np.zeros(shape, np.float32)


def _fill_tiles(count: int) -> int:
    """Return the next multiple of a tile's rows."""
    return -(-count // TILE_ROWS) * TILE_ROWS


class Cell:
    """One recurrent layer: its weights as the kernels want them, and what a batch leaves for the way back."""

    COLUMNS_PER_UNIT = 4

    def __init__(self, units: int, features: int, steps: int, lanes: int) -> None:
        self.units, self.features = units, features
        self.recurrent_rows = slice(features, features + units)
        rows, columns = _fill_tiles(features + units), _fill_tiles(self.COLUMNS_PER_UNIT * units)
        self.weights, self.bias = zeros(rows, columns), zeros(columns)
        self.inputs, self.gates = zeros(steps + 1, rows, lanes), zeros(steps, columns, lanes)
        self.d_inputs = zeros(steps, rows, lanes)
        self.d_weights, self.d_bias = np.zeros_like(self.weights), np.zeros_like(self.bias)

    def hidden_states(self) -> Floats:
        """Return the hidden states of the last batch, (steps, units, lanes)."""
        return self.inputs[1:, self.recurrent_rows]


class LSTMCell(Cell):
    def __init__(self, units: int, features: int, steps: int, lanes: int) -> None:
        super().__init__(units, features, steps, lanes)
        self.cells, self.squashed = zeros(steps + 1, units, lanes), zeros(steps, units, lanes)

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


class GRUCell(Cell):
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


class SimpleRNNCell(Cell):
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
