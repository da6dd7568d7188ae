"""LSTM, GRU and SimpleRNN over all steps of a batch, forward and backward, compiled by Numba.

What a step takes in (its features, then the hidden state before it) is one matrix, and so are its weights (kernel above
recurrent kernel): one product each way. Every array is float32, contiguous, and has the batch as its last axis.

Arguments that several kernels share:
    weights: (rows, columns); rows is features + units, columns is 4 * units, or units for a SimpleRNN. Both are filled
        up with zeros to a multiple of 4.
    bias: (columns,).
    inputs: (steps + 1, rows, lanes). Given: the features of each step, zeros for the first hidden state. Written: each
        hidden state, below the features of the next step.
    gates: (steps, columns, lanes), as `*_forward` leaves them.
    upstream: (steps, at least units, lanes), the loss's gradient by each step's output; `mask` (units, lanes) is what
        that output was multiplied with on its way up.
    d_inputs: (steps, rows, lanes), written: the gradient by `inputs`.
    d_weights, d_bias: of the same shape as the weights and the bias; the gradients are added.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, void

from tasks.kernels.vectors import (
    COMPILE,
    CUBE,
    MATRIX,
    ONE,
    ROW,
    Floats,
    add_correlations,
    multiply,
    sigmoid_inplace,
    tanh,
    tanh_inplace,
)


@njit(**COMPILE)
def backpropagate_step(
    weights_transposed: Floats,
    inputs: Floats,
    step: int,
    d_preactivations: Floats,
    d_inputs: Floats,
    d_weights: Floats,
    d_bias: Floats,
) -> None:
    """Take the gradient of one step through its product with the weights.

    Called for the last step first. Weight gradients are added for two steps at once: `d_preactivations`
    (2, columns, lanes) holds those of an even step and of the odd step after it, zeros if there is none.
    """
    multiply(weights_transposed, d_preactivations[step % 2], np.zeros(len(d_inputs), np.float32), d_inputs)
    if step % 2 == 0:
        add_correlations(inputs[step], d_preactivations[0], inputs[step + 1], d_preactivations[1], d_weights)
    for row in range(d_preactivations.shape[1]):
        total = np.float32(0)
        for lane in range(d_preactivations.shape[2]):
            total += d_preactivations[step % 2, row, lane]
        d_bias[row] += total


@njit(void(MATRIX, ROW, CUBE, int64, CUBE, CUBE, CUBE), **COMPILE)
def lstm_forward(
    weights: Floats, bias: Floats, inputs: Floats, features: int, gates: Floats, cells: Floats, squashed: Floats
) -> None:
    """Run an LSTM; gates in Keras's order: input, forget, candidate, output.

    Writes cells (steps + 1, units, lanes), whose first must be zeros, and squashed (steps, units, lanes), their tanh.
    """
    units = cells.shape[1]
    size = units * cells.shape[2]
    for step in range(len(gates)):
        multiply(weights, inputs[step], bias, gates[step])
        rows = gates[step].reshape(4, size)
        sigmoid_inplace(rows[:2].reshape(2 * size))
        tanh_inplace(rows[2])
        sigmoid_inplace(rows[3])
        input_gate, forget, candidate, output_gate = rows[0], rows[1], rows[2], rows[3]
        before, after = cells[step].reshape(size), cells[step + 1].reshape(size)
        for place in range(size):
            after[place] = forget[place] * before[place] + input_gate[place] * candidate[place]
        tanh_cell = squashed[step].reshape(size)
        for place in range(size):
            tanh_cell[place] = tanh(after[place])
        hidden = inputs[step + 1][features : features + units].reshape(size)
        for place in range(size):
            hidden[place] = output_gate[place] * tanh_cell[place]


@njit(void(MATRIX, CUBE, int64, CUBE, CUBE, CUBE, CUBE, MATRIX, CUBE, MATRIX, ROW), **COMPILE)
def lstm_backward(
    weights_transposed: Floats,
    inputs: Floats,
    features: int,
    gates: Floats,
    cells: Floats,
    squashed: Floats,
    upstream: Floats,
    mask: Floats,
    d_inputs: Floats,
    d_weights: Floats,
    d_bias: Floats,
) -> None:
    """Take the gradient through an LSTM that `lstm_forward` has run."""
    units, lanes = cells.shape[1], cells.shape[2]
    size = units * lanes
    d_hidden, d_cell = np.zeros(size, np.float32), np.zeros(size, np.float32)
    pair = np.zeros((2, 4, size), np.float32)
    factor = mask.reshape(size)
    for step in range(len(gates) - 1, -1, -1):
        d_gates = pair[step % 2]
        d_input_gate, d_forget, d_candidate, d_output_gate = d_gates[0], d_gates[1], d_gates[2], d_gates[3]
        rows = gates[step].reshape(4, size)
        input_gate, forget, candidate, output_gate = rows[0], rows[1], rows[2], rows[3]
        before, tanh_cell = cells[step].reshape(size), squashed[step].reshape(size)
        from_above = upstream[step][:units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_above[place] * factor[place]
        for place in range(size):
            d_cell[place] += d_hidden[place] * output_gate[place] * (ONE - tanh_cell[place] * tanh_cell[place])
        for place in range(size):
            d_output_gate[place] = d_hidden[place] * tanh_cell[place] * output_gate[place] * (ONE - output_gate[place])
        for place in range(size):
            d_input_gate[place] = d_cell[place] * candidate[place] * input_gate[place] * (ONE - input_gate[place])
        for place in range(size):
            d_forget[place] = d_cell[place] * before[place] * forget[place] * (ONE - forget[place])
        for place in range(size):
            d_candidate[place] = d_cell[place] * input_gate[place] * (ONE - candidate[place] * candidate[place])
        for place in range(size):
            d_cell[place] *= forget[place]
        d_preactivations = pair.reshape(2, 4 * units, lanes)
        backpropagate_step(weights_transposed, inputs, step, d_preactivations, d_inputs[step], d_weights, d_bias)
        d_hidden[:] = d_inputs[step][features : features + units].reshape(size)


@njit(void(MATRIX, ROW, CUBE, int64, CUBE, int64), **COMPILE)
def gru_forward(weights: Floats, bias: Floats, inputs: Floats, features: int, gates: Floats, units: int) -> None:
    """Run a GRU whose reset gate acts after the recurrent product, as Keras's does by default.

    Rows of the gates: update, reset, candidate, and the recurrent part of the candidate before its reset.
    """
    size = units * inputs.shape[2]
    for step in range(len(gates)):
        multiply(weights, inputs[step], bias, gates[step])
        rows = gates[step].reshape(4, size)
        sigmoid_inplace(rows[:2].reshape(2 * size))
        update, reset, candidate, inner = rows[0], rows[1], rows[2], rows[3]
        for place in range(size):
            candidate[place] = tanh(candidate[place] + reset[place] * inner[place])
        before = inputs[step][features : features + units].reshape(size)
        hidden = inputs[step + 1][features : features + units].reshape(size)
        for place in range(size):
            hidden[place] = candidate[place] + update[place] * (before[place] - candidate[place])


@njit(void(MATRIX, CUBE, int64, CUBE, CUBE, MATRIX, CUBE, MATRIX, ROW), **COMPILE)
def gru_backward(
    weights_transposed: Floats,
    inputs: Floats,
    features: int,
    gates: Floats,
    upstream: Floats,
    mask: Floats,
    d_inputs: Floats,
    d_weights: Floats,
    d_bias: Floats,
) -> None:
    """Take the gradient through a GRU that `gru_forward` has run."""
    units, lanes = mask.shape
    size = units * lanes
    d_hidden, pair = np.zeros(size, np.float32), np.zeros((2, 4, size), np.float32)
    factor = mask.reshape(size)
    for step in range(len(gates) - 1, -1, -1):
        d_gates = pair[step % 2]
        d_update, d_reset, d_candidate, d_inner = d_gates[0], d_gates[1], d_gates[2], d_gates[3]
        rows = gates[step].reshape(4, size)
        update, reset, candidate, inner = rows[0], rows[1], rows[2], rows[3]
        before = inputs[step][features : features + units].reshape(size)
        from_above = upstream[step][:units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_above[place] * factor[place]
        for place in range(size):
            kept = update[place] * (ONE - update[place])
            d_update[place] = d_hidden[place] * (before[place] - candidate[place]) * kept
        for place in range(size):
            open_share = (ONE - update[place]) * (ONE - candidate[place] * candidate[place])
            d_candidate[place] = d_hidden[place] * open_share
        for place in range(size):
            d_inner[place] = d_candidate[place] * reset[place]
        for place in range(size):
            d_reset[place] = d_inner[place] * inner[place] * (ONE - reset[place])
        for place in range(size):
            d_hidden[place] *= update[place]
        d_preactivations = pair.reshape(2, 4 * units, lanes)
        backpropagate_step(weights_transposed, inputs, step, d_preactivations, d_inputs[step], d_weights, d_bias)
        from_before = d_inputs[step][features : features + units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_before[place]


@njit(void(MATRIX, ROW, CUBE, int64, CUBE, int64), **COMPILE)
def simple_rnn_forward(weights: Floats, bias: Floats, inputs: Floats, features: int, gates: Floats, units: int) -> None:
    """Run a SimpleRNN. It has no gates: `gates` holds its hidden states, and zeros in the columns that fill up."""
    columns, lanes = gates.shape[1], gates.shape[2]
    size = units * lanes
    for step in range(len(gates)):
        multiply(weights, inputs[step], bias, gates[step])
        tanh_inplace(gates[step].reshape(columns * lanes))
        hidden = inputs[step + 1][features : features + units].reshape(size)
        hidden[:] = gates[step][:units].reshape(size)


@njit(void(MATRIX, CUBE, int64, CUBE, CUBE, MATRIX, CUBE, MATRIX, ROW), **COMPILE)
def simple_rnn_backward(
    weights_transposed: Floats,
    inputs: Floats,
    features: int,
    gates: Floats,
    upstream: Floats,
    mask: Floats,
    d_inputs: Floats,
    d_weights: Floats,
    d_bias: Floats,
) -> None:
    """Take the gradient through a SimpleRNN that `simple_rnn_forward` has run."""
    units, lanes = mask.shape
    size = units * lanes
    d_hidden, d_preactivations = np.zeros(size, np.float32), np.zeros((2, gates.shape[1], lanes), np.float32)
    factor = mask.reshape(size)
    for step in range(len(gates) - 1, -1, -1):
        slope, hidden = d_preactivations[step % 2][:units].reshape(size), gates[step][:units].reshape(size)
        from_above = upstream[step][:units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_above[place] * factor[place]
        for place in range(size):
            slope[place] = d_hidden[place] * (ONE - hidden[place] * hidden[place])
        backpropagate_step(weights_transposed, inputs, step, d_preactivations, d_inputs[step], d_weights, d_bias)
        d_hidden[:] = d_inputs[step][features : features + units].reshape(size)
