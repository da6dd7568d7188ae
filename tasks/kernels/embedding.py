"""The embedding layer of a batch: look the words' vectors up, and add the words' gradients up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, types, uint16, void

from tasks.kernels.tiles import VECTOR, add_to_words_tile, look_up_tile
from tasks.kernels.vectors import COMPILE, CUBE, MATRIX, Floats

Tokens = npt.NDArray[np.uint16]
_TOKENS = types.Array(uint16, 2, "C", readonly=True)


@njit(**COMPILE)
def _multiply_rows(rows: Floats, mask: Floats) -> None:
    for feature in range(len(mask)):
        target, factor = rows[feature], mask[feature]
        for lane in range(len(target)):
            target[lane] *= factor[lane]


@njit(void(MATRIX, _TOKENS, MATRIX, CUBE), **COMPILE)
def look_up(embeddings: Floats, tokens: Tokens, mask: Floats, inputs: Floats) -> None:
    """Write each token's embedding times the mask to `inputs`, above the hidden state of the same step.

    Args:
        embeddings: float32, (num_words, features).
        tokens: uint16, (steps, lanes), below num_words.
        mask: float32, (features, lanes): the dropout mask of the first recurrent layer's input.
        inputs: float32, (steps + 1, rows, lanes), of the first recurrent layer; written.
    """
    lanes, features = tokens.shape[1], embeddings.shape[1]
    whole = features - features % VECTOR
    for step in range(len(tokens)):
        line, row = inputs[step], tokens[step]
        for feature in range(0, whole, VECTOR):
            for lane in range(0, lanes, VECTOR):
                look_up_tile(embeddings, row, line, lane, feature)
        for feature in range(whole, features):
            for lane in range(lanes):
                line[feature, lane] = embeddings[row[lane], feature]
        _multiply_rows(line, mask)


@njit(void(CUBE, _TOKENS, MATRIX, MATRIX, MATRIX), **COMPILE)
def add_embedding_gradients(d_inputs: Floats, tokens: Tokens, mask: Floats, sums: Floats, squares: Floats) -> None:
    """Add the gradient of each occurrence of a word to `sums`, and its square to `squares`.

    Keras gives RMSprop one row of gradients for each occurrence of a word, and RMSprop squares the rows before it adds
    them up. Therefore the sum of the squares is not the square of the sum.

    Args:
        d_inputs: float32, (steps, rows, lanes), of the first recurrent layer; multiplied by the mask in place.
        tokens: uint16, (steps, lanes), below num_words.
        mask: float32, (features, lanes): the dropout mask of the first recurrent layer's input.
        sums: float32, (num_words, features), added to.
        squares: float32, (num_words, features), added to.
    """
    lanes, features = tokens.shape[1], sums.shape[1]
    whole = features - features % VECTOR
    for step in range(len(tokens)):
        line, row = d_inputs[step], tokens[step]
        _multiply_rows(line, mask)
        for feature in range(0, whole, VECTOR):
            for lane in range(0, lanes, VECTOR):
                add_to_words_tile(line, row, sums, squares, lane, feature)
        for feature in range(whole, features):
            for lane in range(lanes):
                sums[row[lane], feature] += line[feature, lane]
                squares[row[lane], feature] += line[feature, lane] * line[feature, lane]
