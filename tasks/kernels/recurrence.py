"""LSTM, GRU and SimpleRNN over all steps of a batch, forward and backward, compiled by Numba.

The input of a step is one matrix: its features, and below them the hidden state of the step before. The weights are one
matrix too: the kernel, and below it the recurrent kernel. So each step needs one matrix product in each direction.
Every array is float32 and contiguous, and its last axis is the batch; `tasks.kernels.vectors` explains `lanes`. A name
that begins with `d_` is the gradient of the loss with respect to the rest. The equations are those of Keras's cells.

Arguments that several kernels share:
    weights: (rows, columns); rows is features + units, columns is 4 * units, or units for a SimpleRNN. Both are filled
        up with zeros to a multiple of 4.
    weights_transposed: (columns, rows), a contiguous copy.
    bias: (columns,).
    inputs: (steps + 1, rows, lanes). The caller writes the features of each step, and zeros for the first hidden state.
        `*_forward` writes each hidden state below the features of the next step.
    features: The number of features of a step.
    gates: (steps, columns, lanes). `*_forward` writes the activations of the gates, and `*_backward` reads them.
    upstream: (steps, at least units, lanes): the gradient with respect to the input of the layer above.
    mask: (units, lanes): the dropout mask between this layer's output and the layer above.
    d_inputs: (steps, rows, lanes): `*_backward` writes it.
    d_weights, d_bias: With the shapes of `weights` and `bias`: `*_backward` adds to them.
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
    add_outer_products,
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
    """Propagate the gradient of one step through its product with the weights; `d_inputs` is that of the step alone.

    It is called for the last step first. The gradients of the weights are added for two steps at once, an even step and
    the odd step after it: `d_preactivations` (2, columns, lanes) holds both, with zeros if there is no odd step.
    """
    multiply(weights_transposed, d_preactivations[step % 2], np.zeros(len(d_inputs), np.float32), d_inputs)
    if step % 2 == 0:
        add_outer_products(inputs[step], d_preactivations[0], inputs[step + 1], d_preactivations[1], d_weights)
    for row in range(d_preactivations.shape[1]):
        total = np.float32(0)
        for lane in range(d_preactivations.shape[2]):
            total += d_preactivations[step % 2, row, lane]
        d_bias[row] += total


@njit(void(MATRIX, ROW, CUBE, int64, CUBE, CUBE, CUBE), **COMPILE)
def lstm_forward(
    weights: Floats, bias: Floats, inputs: Floats, features: int, gates: Floats, cells: Floats, tanh_cells: Floats
) -> None:
    """Run an LSTM over all steps; its gates are in Keras's order: input, forget, candidate, output.

    It writes the cell states to `cells` (steps + 1, units, lanes), whose first must be zeros, and their hyperbolic
    tangents to `tanh_cells` (steps, units, lanes).
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
        tanh_cell = tanh_cells[step].reshape(size)
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
    tanh_cells: Floats,
    upstream: Floats,
    mask: Floats,
    d_inputs: Floats,
    d_weights: Floats,
    d_bias: Floats,
) -> None:
    """Propagate the gradient through an LSTM, after `lstm_forward` with the same arrays."""
    units, lanes = cells.shape[1], cells.shape[2]
    size = units * lanes
    d_hidden, d_cell = np.zeros(size, np.float32), np.zeros(size, np.float32)
    d_gates_of_two_steps = np.zeros((2, 4, size), np.float32)
    flat_mask = mask.reshape(size)
    for step in range(len(gates) - 1, -1, -1):
        d_gates = d_gates_of_two_steps[step % 2]
        d_input_gate, d_forget, d_candidate, d_output_gate = d_gates[0], d_gates[1], d_gates[2], d_gates[3]
        rows = gates[step].reshape(4, size)
        input_gate, forget, candidate, output_gate = rows[0], rows[1], rows[2], rows[3]
        before, tanh_cell = cells[step].reshape(size), tanh_cells[step].reshape(size)
        from_above = upstream[step][:units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_above[place] * flat_mask[place]
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
        d_preactivations = d_gates_of_two_steps.reshape(2, 4 * units, lanes)
        backpropagate_step(weights_transposed, inputs, step, d_preactivations, d_inputs[step], d_weights, d_bias)
        d_hidden[:] = d_inputs[step][features : features + units].reshape(size)


@njit(void(MATRIX, ROW, CUBE, int64, CUBE, int64), **COMPILE)
def gru_forward(weights: Floats, bias: Floats, inputs: Floats, features: int, gates: Floats, units: int) -> None:
    """Run a GRU over all steps. The reset gate acts after the recurrent product: Keras's default, `reset_after=True`.

    The rows of `gates`: update, reset, candidate, and the candidate's recurrent product before the reset gate.
    """
    size = units * inputs.shape[2]
    for step in range(len(gates)):
        multiply(weights, inputs[step], bias, gates[step])
        rows = gates[step].reshape(4, size)
        sigmoid_inplace(rows[:2].reshape(2 * size))
        update, reset, candidate, candidate_recurrent = rows[0], rows[1], rows[2], rows[3]
        for place in range(size):
            candidate[place] = tanh(candidate[place] + reset[place] * candidate_recurrent[place])
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
    """Propagate the gradient through a GRU, after `gru_forward` with the same arrays."""
    units, lanes = mask.shape
    size = units * lanes
    d_hidden, d_gates_of_two_steps = np.zeros(size, np.float32), np.zeros((2, 4, size), np.float32)
    flat_mask = mask.reshape(size)
    for step in range(len(gates) - 1, -1, -1):
        d_gates = d_gates_of_two_steps[step % 2]
        d_update, d_reset, d_candidate, d_candidate_recurrent = d_gates[0], d_gates[1], d_gates[2], d_gates[3]
        rows = gates[step].reshape(4, size)
        update, reset, candidate, candidate_recurrent = rows[0], rows[1], rows[2], rows[3]
        before = inputs[step][features : features + units].reshape(size)
        from_above = upstream[step][:units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_above[place] * flat_mask[place]
        for place in range(size):
            slope = update[place] * (ONE - update[place])
            d_update[place] = d_hidden[place] * (before[place] - candidate[place]) * slope
        for place in range(size):
            slope = (ONE - update[place]) * (ONE - candidate[place] * candidate[place])
            d_candidate[place] = d_hidden[place] * slope
        for place in range(size):
            d_candidate_recurrent[place] = d_candidate[place] * reset[place]
        for place in range(size):
            d_reset[place] = d_candidate_recurrent[place] * candidate_recurrent[place] * (ONE - reset[place])
        for place in range(size):
            d_hidden[place] *= update[place]
        d_preactivations = d_gates_of_two_steps.reshape(2, 4 * units, lanes)
        backpropagate_step(weights_transposed, inputs, step, d_preactivations, d_inputs[step], d_weights, d_bias)
        from_before = d_inputs[step][features : features + units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_before[place]


@njit(void(MATRIX, ROW, CUBE, int64, CUBE, int64), **COMPILE)
def simple_rnn_forward(weights: Floats, bias: Floats, inputs: Floats, features: int, gates: Floats, units: int) -> None:
    """Run a SimpleRNN over all steps.

    It has no gates: `gates` holds its hidden states, and zeros in the rows that fill up to a multiple of 4.
    """
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
    """Propagate the gradient through a SimpleRNN, after `simple_rnn_forward` with the same arrays."""
    units, lanes = mask.shape
    size = units * lanes
    d_hidden, d_preactivations = np.zeros(size, np.float32), np.zeros((2, gates.shape[1], lanes), np.float32)
    flat_mask = mask.reshape(size)
    for step in range(len(gates) - 1, -1, -1):
        d_preactivation = d_preactivations[step % 2][:units].reshape(size)
        hidden = gates[step][:units].reshape(size)
        from_above = upstream[step][:units].reshape(size)
        for place in range(size):
            d_hidden[place] += from_above[place] * flat_mask[place]
        for place in range(size):
            d_preactivation[place] = d_hidden[place] * (ONE - hidden[place] * hidden[place])
        backpropagate_step(weights_transposed, inputs, step, d_preactivations, d_inputs[step], d_weights, d_bias)
        d_hidden[:] = d_inputs[step][features : features + units].reshape(size)
