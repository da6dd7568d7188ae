"""Embedding, LSTM, GRU or SimpleRNN layers and Dense(1, sigmoid), computed for one batch by compiled kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tasks.kernels.cells import GRUCell, LSTMCell, SimpleRNNCell, zeros
from tasks.kernels.embedding import Tokens, add_embedding_gradients, look_up
from tasks.kernels.vectors import COMPILED_CODE, Floats

# The imports above have compiled all functions.
COMPILED_CODE.seal()

# By the layer's name in Keras.
CELLS: dict[str, type[LSTMCell] | type[GRUCell] | type[SimpleRNNCell]] = {
    "LSTM": LSTMCell,
    "GRU": GRUCell,
    "SimpleRNN": SimpleRNNCell,
}


class RecurrentLayer(NamedTuple):
    """One recurrent layer.

    Attributes:
        kind: A key of `CELLS`.
        units: Size of its hidden state.
    """

    kind: str
    units: int


class RecurrentNetwork:
    """The weights of a network, and the forward and the backward pass of one batch.

    Attributes:
        weights: float32 views of `flat_weights`, in the order and the shapes of the Keras network's weights.
        gradients: float32 views of `flat_gradients` in the same order: the gradients of the last batch.
        squares: float32 views of `flat_squares` in the same order: the squared gradients. For the embedding, the sum of
            the squares of each occurrence of a word.
        no_dropout: Masks of ones: one for each recurrent layer's input, and one for the last layer's output.
    """

    def __init__(
        self, layers: Sequence[RecurrentLayer], weight_shapes: Sequence[tuple[int, ...]], steps: int, lanes: int
    ) -> None:
        """Allocate all arrays of a batch; the weights are zero.

        Args:
            layers: The recurrent layers, from the embedding to the output.
            weight_shapes: Shapes of all weights in Keras's order: embedding, three of each layer, two of the output.
            steps: Tokens per review.
            lanes: Reviews per batch, filled up to a multiple of `LANES`.
        """
        features = [weight_shapes[0][1], *(layer.units for layer in layers)]
        self.weight_shapes = list(weight_shapes)
        self.flat_weights, self.weights = self.make_views()
        self.flat_gradients, self.gradients = self.make_views()
        self.flat_squares, self.squares = self.make_views()
        self.cells: list[LSTMCell | GRUCell | SimpleRNNCell] = [
            CELLS[layer.kind](layer.units, count, steps, lanes)
            for layer, count in zip(layers, features[:-1], strict=True)
        ]
        self.no_dropout = [np.ones((count, lanes), np.float32) for count in features]
        self.d_output = zeros(steps, features[-1], lanes)

    def make_views(self) -> tuple[Floats, list[Floats]]:
        """Return a flat vector of zeros for all weights, and one view of it for each weight, in the weight's shape."""
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self.weight_shapes])
        flat = zeros(ends[-1])
        parts = zip(np.split(flat, ends[:-1]), self.weight_shapes, strict=True)
        return flat, [part.reshape(shape) for part, shape in parts]

    def pack_weights(self) -> None:
        """Copy the weights into the kernels' matrices. Call it after every change of the weights."""
        for place, cell in enumerate(self.cells):
            cell.pack_weights(*self.weights[1 + 3 * place : 4 + 3 * place])

    def forward(self, tokens: Tokens, masks: list[Floats]) -> Floats:
        """Return the logits of a batch.

        Args:
            tokens: uint16, (steps, lanes).
            masks: For each recurrent layer, the dropout mask of its input at all steps: float32, (features, lanes).

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
        """Add the gradients of a batch, directly after `forward` with the same tokens and masks.

        Args:
            d_logits: float32, (lanes,): the gradient of the loss with respect to the logits.
            tokens: uint16, (steps, lanes).
            masks: As in `forward`.
        """
        kernel, _ = self.weights[-2:]
        self.gradients[-2][:, 0] += self.cells[-1].hidden_states()[-1] @ d_logits
        self.gradients[-1][0] += d_logits.sum()
        self.d_output[-1] = kernel * d_logits
        upstream, mask = self.d_output, self.no_dropout[-1]
        for cell, mask_below in zip(reversed(self.cells), reversed(masks), strict=True):
            cell.backward(upstream, mask)
            upstream, mask = cell.d_inputs, mask_below
        add_embedding_gradients(upstream, tokens, mask, self.gradients[0], self.squares[0])

    def reset_gradients(self) -> None:
        """Set all gradients to zero."""
        self.flat_gradients[:] = 0
        self.flat_squares[:] = 0
        for cell in self.cells:
            cell.d_weights[:] = 0
            cell.d_bias[:] = 0

    def collect_gradients(self) -> None:
        """Copy the kernels' gradients into `gradients`, and square all but the embedding's."""
        for place, cell in enumerate(self.cells):
            cell.unpack_gradients(*self.gradients[1 + 3 * place : 4 + 3 * place])
        embedding = self.weights[0].size
        np.square(self.flat_gradients[embedding:], out=self.flat_squares[embedding:])
