"""Recurrent layers for the kernels: their weights as one matrix, and the arrays that the backward pass needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.kernels import recurrence as cell_kernels
from tasks.kernels.tiles import TILE_ROWS
from tasks.kernels.vectors import Floats


def zeros(*shape: int) -> Floats:
    """Return an array of float32 zeros."""
    return np.zeros(shape, np.float32)


def _round_up_to_tiles(count: int) -> int:
    """Return the smallest multiple of `TILE_ROWS` that is not below `count`."""
    return -(-count // TILE_ROWS) * TILE_ROWS


class Cell:
    """One recurrent layer; `tasks.kernels.recurrence` describes the arrays."""

    COLUMNS_PER_UNIT = 4

    def __init__(self, units: int, features: int, steps: int, lanes: int) -> None:
        """Allocate all arrays as zeros.

        Args:
            units: Size of the hidden state.
            features: Size of the input of one step.
            steps: Tokens per review.
            lanes: Reviews per batch, filled up to a multiple of `LANES`.
        """
        self.units, self.features = units, features
        self.recurrent_rows = slice(features, features + units)
        rows, columns = _round_up_to_tiles(features + units), _round_up_to_tiles(self.COLUMNS_PER_UNIT * units)
        self.weights, self.bias = zeros(rows, columns), zeros(columns)
        self.inputs, self.gates = zeros(steps + 1, rows, lanes), zeros(steps, columns, lanes)
        self.d_inputs = zeros(steps, rows, lanes)
        self.d_weights, self.d_bias = np.zeros_like(self.weights), np.zeros_like(self.bias)

    def hidden_states(self) -> Floats:
        """Return the hidden states of the last batch: float32, (steps, units, lanes)."""
        return self.inputs[1:, self.recurrent_rows]


class LSTMCell(Cell):
    """An LSTM layer; the columns of its weights are in Keras's order: input, forget, candidate, output."""

    def __init__(self, units: int, features: int, steps: int, lanes: int) -> None:
        super().__init__(units, features, steps, lanes)
        self.cells, self.tanh_cells = zeros(steps + 1, units, lanes), zeros(steps, units, lanes)

    def pack_weights(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        """Copy the weights of a Keras layer into `weights` and `bias`.

        Args:
            kernel: float32, (features, 4 * units).
            recurrent_kernel: float32, (units, 4 * units).
            bias: float32, (4 * units,).
        """
        self.weights[: self.features] = kernel
        self.weights[self.recurrent_rows] = recurrent_kernel
        self.bias[:] = bias

    def unpack_gradients(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        """Write the gradients to arrays with the shapes of the arguments of `pack_weights`."""
        kernel[:] = self.d_weights[: self.features]
        recurrent_kernel[:] = self.d_weights[self.recurrent_rows]
        bias[:] = self.d_bias

    def forward(self) -> None:
        """Compute the hidden states from the features in `inputs`."""
        cell_kernels.lstm_forward(
            self.weights, self.bias, self.inputs, self.features, self.gates, self.cells, self.tanh_cells
        )

    def backward(self, upstream: Floats, mask: Floats) -> None:
        """Write `d_inputs`, and add to `d_weights` and `d_bias`; call it after `forward`.

        Args:
            upstream: float32, (steps, at least units, lanes): the gradient with respect to the layer above's input.
            mask: float32, (units, lanes): the dropout mask between this layer and the layer above.
        """
        cell_kernels.lstm_backward(
            np.ascontiguousarray(self.weights.T),
            self.inputs,
            self.features,
            self.gates,
            self.cells,
            self.tanh_cells,
            upstream,
            mask,
            self.d_inputs,
            self.d_weights,
            self.d_bias,
        )


class HiddenStateCell(Cell):
    """A recurrent layer that passes only its hidden state on to the next step."""

    run_forward: Callable[..., None]
    run_backward: Callable[..., None]

    def forward(self) -> None:
        """Compute the hidden states from the features in `inputs`."""
        self.run_forward(self.weights, self.bias, self.inputs, self.features, self.gates, self.units)

    def backward(self, upstream: Floats, mask: Floats) -> None:
        """Write `d_inputs`, and add to `d_weights` and `d_bias`; call it after `forward`.

        Args:
            upstream: float32, (steps, at least units, lanes): the gradient with respect to the layer above's input.
            mask: float32, (units, lanes): the dropout mask between this layer and the layer above.
        """
        self.run_backward(
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


class GRUCell(HiddenStateCell):
    """A GRU layer with `reset_after=True`.

    Keras's columns are update, reset and candidate. Here the candidate's recurrent product has a fourth group of
    columns, because the reset gate acts on it alone.
    """

    run_forward = staticmethod(cell_kernels.gru_forward)
    run_backward = staticmethod(cell_kernels.gru_backward)

    def _columns(self) -> tuple[slice, slice, slice]:
        """Return the columns of update and reset, of the candidate, and of the candidate's recurrent product."""
        return slice(2 * self.units), slice(2 * self.units, 3 * self.units), slice(3 * self.units, 4 * self.units)

    def pack_weights(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        """Copy the weights of a Keras layer into `weights` and `bias`.

        Args:
            kernel: float32, (features, 3 * units).
            recurrent_kernel: float32, (units, 3 * units).
            bias: float32, (2, 3 * units).
        """
        gates, candidate, candidate_recurrent = self._columns()
        self.weights[: self.features, : 3 * self.units] = kernel
        self.weights[self.recurrent_rows, gates] = recurrent_kernel[:, gates]
        self.weights[self.recurrent_rows, candidate_recurrent] = recurrent_kernel[:, candidate]
        self.bias[gates] = bias[0, gates] + bias[1, gates]
        self.bias[candidate], self.bias[candidate_recurrent] = bias[0, candidate], bias[1, candidate]

    def unpack_gradients(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        """Write the gradients to arrays with the shapes of the arguments of `pack_weights`."""
        gates, candidate, candidate_recurrent = self._columns()
        kernel[:] = self.d_weights[: self.features, : 3 * self.units]
        recurrent_kernel[:, gates] = self.d_weights[self.recurrent_rows, gates]
        recurrent_kernel[:, candidate] = self.d_weights[self.recurrent_rows, candidate_recurrent]
        bias[:, gates] = self.d_bias[gates]
        bias[0, candidate], bias[1, candidate] = self.d_bias[candidate], self.d_bias[candidate_recurrent]


class SimpleRNNCell(HiddenStateCell):
    """A SimpleRNN layer."""

    COLUMNS_PER_UNIT = 1
    run_forward = staticmethod(cell_kernels.simple_rnn_forward)
    run_backward = staticmethod(cell_kernels.simple_rnn_backward)

    def pack_weights(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        """Copy the weights of a Keras layer into `weights` and `bias`.

        Args:
            kernel: float32, (features, units).
            recurrent_kernel: float32, (units, units).
            bias: float32, (units,).
        """
        self.weights[: self.features, : self.units] = kernel
        self.weights[self.recurrent_rows, : self.units] = recurrent_kernel
        self.bias[: self.units] = bias

    def unpack_gradients(self, kernel: Floats, recurrent_kernel: Floats, bias: Floats) -> None:
        """Write the gradients to arrays with the shapes of the arguments of `pack_weights`."""
        kernel[:] = self.d_weights[: self.features, : self.units]
        recurrent_kernel[:] = self.d_weights[self.recurrent_rows, : self.units]
        bias[:] = self.d_bias[: self.units]
