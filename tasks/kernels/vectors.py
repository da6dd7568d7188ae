"""The inner loops of LSTM, GRU and SimpleRNN, compiled by Numba for this machine's CPU.

All arrays are float32 and contiguous. Their last axis is the batch: `lanes` is the number of reviews in a batch, filled
up to a multiple of `LANES`, and a lane is the place of one review. The batch is the last axis because then a step of
only eight units still fills the CPU's vectors. One thread computes everything, in an order that does not depend on the
data, so the same input gives the same bits.

Numba vectorizes a loop only if it writes to one array and reads from a few, because its checks for overlapping arrays
are limited. Therefore each loop has one line. `error_model="numpy"` omits the check for division by zero, which would
prevent the vectorization of a loop with a division. `fastmath` has no flag that ignores NaN and infinity, so that a
training that diverges is noticed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config, float32, njit, void

from tasks.kernels.compiled_code import CompiledCode
from tasks.kernels.tiles import LANES, TILE_ROWS, multiply_tile

Floats = npt.NDArray[np.float32]


COMPILED_CODE = CompiledCode(Path(__file__).parent, config.CACHE_DIR)
config.CACHE_DIR = str(COMPILED_CODE.folder)
COMPILE: dict[str, Any] = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy", "cache": True}

# A function with these types is compiled when its module is imported, or read from the cache. It refuses an array that
# is not contiguous; without the types, Numba would compile slow code for such an array.
ROW, MATRIX, CUBE = float32[::1], float32[:, ::1], float32[:, :, ::1]

ONE, HALF = np.float32(1), np.float32(0.5)
# The coefficients of `ptanh_float` in Eigen, Eigen/src/Core/MathFunctionsImpl.h.
_FLAT = np.float32(7.90531110763549805)
_P1, _P3, _P5, _P7, _P9, _P11, _P13 = (
    np.float32(coefficient)
    for coefficient in (
        4.89352455891786e-03,
        6.37261928875436e-04,
        1.48572235717979e-05,
        5.12229709037114e-08,
        -8.60467152213735e-11,
        2.00018790482477e-13,
        -2.76076847742355e-16,
    )
)
_Q0, _Q2, _Q4, _Q6 = (
    np.float32(coefficient)
    for coefficient in (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)
)


@njit(**COMPILE)
def multiply(weights: Floats, inputs: Floats, bias: Floats, outputs: Floats) -> None:
    """Write `weights.T @ inputs + bias[:, None]` to `outputs`.

    Args:
        weights: (rows, columns); both multiples of 4.
        inputs: (rows, lanes).
        bias: (columns,).
        outputs: (columns, lanes), written.
    """
    for row in range(0, outputs.shape[0], TILE_ROWS):
        for lane in range(0, outputs.shape[1], LANES):
            multiply_tile(weights, inputs, bias, outputs, row, lane)


@njit(**COMPILE)
def add_outer_products(
    first: Floats, first_gradients: Floats, second: Floats, second_gradients: Floats, sums: Floats
) -> None:
    """Add `first @ first_gradients.T + second @ second_gradients.T` to `sums`.

    It computes two products at once, because the sum over a vector's elements costs as much as eight vector products.

    Args:
        first: (rows, lanes); rows is a multiple of 4.
        first_gradients: (columns, lanes); columns is a multiple of 2.
        second: As `first`.
        second_gradients: As `first_gradients`.
        sums: (rows, columns), added to.
    """
    zero = np.float32(0)
    for row in range(0, len(first), 4):
        x0, x1, x2, x3 = first[row], first[row + 1], first[row + 2], first[row + 3]
        y0, y1, y2, y3 = second[row], second[row + 1], second[row + 2], second[row + 3]
        for column in range(0, len(first_gradients), 2):
            p, q = first_gradients[column], first_gradients[column + 1]
            v, w = second_gradients[column], second_gradients[column + 1]
            a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
            for lane in range(first.shape[1]):
                a0 += x0[lane] * p[lane] + y0[lane] * v[lane]
                a1 += x1[lane] * p[lane] + y1[lane] * v[lane]
                a2 += x2[lane] * p[lane] + y2[lane] * v[lane]
                a3 += x3[lane] * p[lane] + y3[lane] * v[lane]
                b0 += x0[lane] * q[lane] + y0[lane] * w[lane]
                b1 += x1[lane] * q[lane] + y1[lane] * w[lane]
                b2 += x2[lane] * q[lane] + y2[lane] * w[lane]
                b3 += x3[lane] * q[lane] + y3[lane] * w[lane]
            sums[row, column] += a0
            sums[row + 1, column] += a1
            sums[row + 2, column] += a2
            sums[row + 3, column] += a3
            sums[row, column + 1] += b0
            sums[row + 1, column + 1] += b1
            sums[row + 2, column + 1] += b2
            sums[row + 3, column + 1] += b3


@njit(inline="always")
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of a float32 number, with an error of at most 3e-7.

    Eigen and XLA use the same approximation: a quotient of two polynomials, constant beyond 7.9.
    """
    # Written so that NaN stays NaN.
    x = _FLAT if x > _FLAT else x
    x = -_FLAT if x < -_FLAT else x
    s = x * x
    odd = _P13 * s + _P11
    odd = odd * s + _P9
    odd = odd * s + _P7
    odd = odd * s + _P5
    odd = odd * s + _P3
    odd = odd * s + _P1
    return x * odd / (((_Q6 * s + _Q4) * s + _Q2) * s + _Q0)


@njit(**COMPILE)
def tanh_inplace(row: Floats) -> None:
    """Replace each element of a vector by its hyperbolic tangent."""
    for place in range(len(row)):
        row[place] = tanh(row[place])


@njit(**COMPILE)
def sigmoid_inplace(row: Floats) -> None:
    """Replace each element of a vector by its logistic sigmoid."""
    for place in range(len(row)):
        row[place] = HALF * tanh(HALF * row[place]) + HALF


@njit(void(ROW, ROW, ROW, ROW, float32, float32, float32), **COMPILE)
def apply_rmsprop(
    weights: Floats,
    velocities: Floats,
    gradients: Floats,
    squares: Floats,
    learning_rate: np.float32,
    rho: np.float32,
    epsilon: np.float32,
) -> None:
    """Do one step of `keras.optimizers.RMSprop` without momentum.

    Args:
        weights: (n,), changed.
        velocities: (n,), the moving averages of the squared gradients; changed.
        gradients: (n,).
        squares: (n,), what is averaged: the squared gradients, but see `add_embedding_gradients`.
        learning_rate: Above 0.
        rho: Share of the old average that is kept, 0 to 1.
        epsilon: Added to the average before its square root.
    """
    for place in range(len(weights)):
        velocities[place] = rho * velocities[place] + (ONE - rho) * squares[place]
    for place in range(len(weights)):
        weights[place] -= learning_rate * gradients[place] / np.sqrt(velocities[place] + epsilon)
