"""A stock Keras network of Embedding, LSTM, GRU or SimpleRNN and Dense(1, sigmoid), computed by compiled kernels.

Weights, optimizer state and random state stay in the Keras objects: they are read at the start of an epoch and written
back at its end, so that callbacks, saving and the weights themselves are Keras's own.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tasks.embedding_kernels import Tokens, add_embedding_gradients, look_up
from tasks.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, zeros
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
    if type(layer) not in _CELLS or layer.compute_dtype != "float32":
        return False
    config = layer.get_config()
    # The other implementation, which no config shows, drops out with a mask for each gate; a SimpleRNN has but one.
    return getattr(layer.cell, "implementation", 2) == 2 and all(
        config.get(name, value) == value for name, value in _KNOWN_ARGUMENTS.items()
    )


_CELLS: dict[type, type[LSTMCell] | type[GRUCell] | type[SimpleRNNCell]] = {
    keras.layers.LSTM: LSTMCell,
    keras.layers.GRU: GRUCell,
    keras.layers.SimpleRNN: SimpleRNNCell,
}


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
        self.cells: list[LSTMCell | GRUCell | SimpleRNNCell] = [
            _CELLS[type(layer)](layer.units, count, steps, lanes)
            for layer, count in zip(recurrent, features[:-1], strict=True)
        ]
        self.no_dropout = [np.ones((count, lanes), np.float32) for count in features]
        self.from_output = zeros(steps, features[-1], lanes)

    def make_views(self) -> tuple[Floats, list[Floats]]:
        """Return one flat vector of zeros for all weights, and a view of it in the shape of each."""
        shapes = [tuple(variable.shape) for variable in self.variables]
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
        flat = zeros(ends[-1])
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
