"""The inner loops of LSTM, GRU and SimpleRNN, compiled by Numba for the CPU at hand.

The batch is the innermost axis of every array, so that a step of eight units still fills the CPU's vectors. All arrays
are float32 and contiguous; `lanes`, the padded batch, is a multiple of `LANES`. One thread computes everything, in an
order that does not depend on the data: the same input gives the same bits.

Numba turns these loops into vector instructions when each writes to one array and reads from a few: with more, its
checks for overlap give up. Hence one line for each loop. `error_model="numpy"` leaves out a check for zero divisors
that would keep every loop with a division scalar. `fastmath` leaves NaN and infinity as they are, so that a training
that blows up is seen.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config, float32, njit, void

from tasks.kernels.tiles import LANES, TILE_ROWS, multiply_tile

Floats = npt.NDArray[np.float32]


def _choose_cache_folder() -> str:
    """Return a folder of compiled code that is of this very source.

    Numba compares the file that a function stands in, and not those of the functions that it calls: after a change
    there it would go on with the old code.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sorted(here.glob("*.py")))).hexdigest()[:16]
    beside = here / "__pycache__" if os.access(here, os.W_OK) else Path.home() / ".cache" / "nightly-retraining"
    return str(Path(config.CACHE_DIR or beside) / f"kernels-{digest}")


config.CACHE_DIR = _choose_cache_folder()
COMPILE: dict[str, Any] = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy", "cache": True}

# Compiled for these types when their module is imported, or taken from Numba's cache beside it: an array that is not
# contiguous is refused, where Numba would otherwise compile slow code for it.
ROW, MATRIX, CUBE = float32[::1], float32[:, ::1], float32[:, :, ::1]

ONE, HALF = np.float32(1), np.float32(0.5)
# The coefficients of Eigen's `ptanh_float`.
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
    """Write `weights.T @ inputs + bias[:, None]`; weights (inputs, outputs), bias (outputs,), arrays (…, lanes)."""
    for row in range(0, outputs.shape[0], TILE_ROWS):
        for lane in range(0, outputs.shape[1], LANES):
            multiply_tile(weights, inputs, bias, outputs, row, lane)


@njit(**COMPILE)
def add_correlations(first: Floats, first_slopes: Floats, second: Floats, second_slopes: Floats, sums: Floats) -> None:
    """Add `first @ first_slopes.T + second @ second_slopes.T` to `sums`.

    Two products at once, because adding up the places of a vector takes as long as eight products of vectors.

    Args:
        first: (4 n, lanes).
        first_slopes: (2 m, lanes).
        second: As `first`.
        second_slopes: As `first_slopes`.
        sums: (4 n, 2 m).
    """
    zero = np.float32(0)
    for row in range(0, len(first), 4):
        x0, x1, x2, x3 = first[row], first[row + 1], first[row + 2], first[row + 3]
        y0, y1, y2, y3 = second[row], second[row + 1], second[row + 2], second[row + 3]
        for column in range(0, len(first_slopes), 2):
            p, q = first_slopes[column], first_slopes[column + 1]
            v, w = second_slopes[column], second_slopes[column + 1]
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
    """Return the hyperbolic tangent to within 3e-7.

    As Eigen and XLA approximate it: a quotient of polynomials, flat beyond 7.9.
    """
    # The comparisons keep NaN as it is.
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
    for place in range(len(row)):
        row[place] = tanh(row[place])


@njit(**COMPILE)
def sigmoid_inplace(row: Floats) -> None:
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
    """Move flat weights against their gradients, as `keras.optimizers.RMSprop` does without momentum."""
    for place in range(len(weights)):
        velocities[place] = rho * velocities[place] + (ONE - rho) * squares[place]
    for place in range(len(weights)):
        weights[place] -= learning_rate * gradients[place] / np.sqrt(velocities[place] + epsilon)
