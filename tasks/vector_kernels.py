"""The inner loops of LSTM and GRU, compiled by Numba for the CPU at hand.

The batch is the innermost axis of every array, so that a step of eight units still fills the CPU's vectors. All arrays
are float32 and contiguous; `lanes`, the padded batch, is a multiple of `LANES`. One thread computes everything, in an
order that does not depend on the data: the same input gives the same bits.

Numba turns these loops into vector instructions when each writes to one array and reads from a few: with more, its
checks for overlap give up. Hence one line for each loop. `error_model="numpy"` leaves out a check for zero divisors
that would keep every loop with a division scalar. `fastmath` leaves NaN and infinity as they are, so that a training
that blows up is seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic as _untyped_intrinsic

Floats = npt.NDArray[np.float32]

VECTOR = 8
TILE_ROWS, TILE_VECTORS = 4, 2
LANES = VECTOR * TILE_VECTORS
COMPILE: dict[str, Any] = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy", "cache": True}

HALF = np.float32(0.5)
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


_I64 = ir.IntType(64)
_FLOAT, _FLOATS = ir.FloatType(), ir.VectorType(ir.FloatType(), VECTOR)


# Numba's own types are wrong about what it returns.
intrinsic: Any = _untyped_intrinsic


class _Matrix:
    """Addresses inside a two-dimensional float32 array, for the code that builds LLVM instructions."""

    def __init__(self, context: Any, builder: Any, array_type: Any, value: Any) -> None:
        array = context.make_array(array_type)(context, builder, value)
        self.builder = builder
        self.data = builder.ptrtoint(array.data, ir.IntType(64))
        self.rows = builder.extract_value(array.shape, 0)
        self.columns = builder.extract_value(array.shape, array_type.ndim - 1)
        self.row_bytes = builder.extract_value(array.strides, 0)

    def address(self, row: Any, column: Any, vectors: int = 0) -> Any:
        offset = self.builder.add(self.builder.mul(row, self.row_bytes), self.builder.mul(column, _I64(4)))
        return self.builder.add(self.builder.add(self.data, offset), _I64(4 * VECTOR * vectors))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=4)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=4)


_variable: Any = cgutils.alloca_once_value


def _spread(builder: Any, number: Any) -> Any:
    """Return a vector that holds `number` in every place."""
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR))


def _add_product(builder: Any, first: Any, second: Any, total: Any) -> None:
    """Add a product to the vector that `total` points to, in one instruction where the CPU has it."""
    flags = ("contract",)
    product = builder.fmul(first, second, flags=flags)
    builder.store(builder.fadd(builder.load(total), product, flags=flags), total)


@intrinsic
def _multiply_tile(_typing: Any, weights: Any, inputs: Any, bias: Any, outputs: Any, row: Any, column: Any) -> Any:
    """Write 4 rows by 16 lanes of `weights.T @ inputs + bias[:, None]`, which stay in registers all the while."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = zip(signature.args[:4], arguments[:4], strict=True)
        weight, vector, bias_row, output = (_Matrix(context, builder, kind, value) for kind, value in arrays)
        first_row, first_lane = arguments[4:]
        zero, rows, vectors = _I64(0), range(TILE_ROWS), range(TILE_VECTORS)
        totals = []
        for place in rows:
            bias_address = bias_row.address(zero, builder.add(first_row, _I64(place)))
            start = _spread(builder, _load(builder, bias_address, _FLOAT))
            totals.append([_variable(builder, start) for _ in vectors])
        with cgutils.for_range(builder, weight.rows) as loop:
            columns = [_load(builder, vector.address(loop.index, first_lane, place), _FLOATS) for place in vectors]
            for place in rows:
                weight_address = weight.address(loop.index, builder.add(first_row, _I64(place)))
                factor = _spread(builder, _load(builder, weight_address, _FLOAT))
                for total, lanes in zip(totals[place], columns, strict=True):
                    _add_product(builder, factor, lanes, total)
        for place in rows:
            target = builder.add(first_row, _I64(place))
            for part in vectors:
                _store(builder, builder.load(totals[place][part]), output.address(target, first_lane, part))
        return context.get_dummy_value()

    return types.void(weights, inputs, bias, outputs, row, column), generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return 8 vectors of 8 with rows as columns, by Eklundh's method: swap halves, then quarters, then eighths."""
    for distance in (4, 2, 1):
        upper = [j if not j & distance else VECTOR + j - distance for j in range(VECTOR)]
        lower = [j + distance if not j & distance else VECTOR + j for j in range(VECTOR)]
        places = ir.VectorType(ir.IntType(32), VECTOR)
        for i in (i for i in range(VECTOR) if not i & distance):
            pair = rows[i], rows[i + distance]
            rows[i] = builder.shuffle_vector(*pair, ir.Constant(places, upper))
            rows[i + distance] = builder.shuffle_vector(*pair, ir.Constant(places, lower))
    return rows


def _load_tokens(context: Any, builder: Any, kind: Any, value: Any, lane: Any) -> list[Any]:
    """Return the tokens of 8 lanes of a uint16 row, as addresses want them."""
    tokens = context.make_array(kind)(context, builder, value)
    addresses = (builder.gep(tokens.data, [builder.add(lane, _I64(i))]) for i in range(VECTOR))
    return [builder.zext(builder.load(address), _I64) for address in addresses]


@intrinsic
def look_up_tile(_typing: Any, table: Any, tokens: Any, target: Any, lane: Any, column: Any) -> Any:
    """Write 8 features of the words of 8 lanes: rows of `table`, columns of `target`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = _Matrix(context, builder, signature.args[0], arguments[0])
        goal = _Matrix(context, builder, signature.args[2], arguments[2])
        first_lane, first_feature = arguments[3:]
        chosen = _load_tokens(context, builder, signature.args[1], arguments[1], first_lane)
        rows = [_load(builder, words.address(token, first_feature), _FLOATS) for token in chosen]
        for i, row in enumerate(_transposed(builder, rows)):
            _store(builder, row, goal.address(builder.add(first_feature, _I64(i)), first_lane))
        return context.get_dummy_value()

    return types.void(table, tokens, target, lane, column), generate


@intrinsic
def add_to_words_tile(_typing: Any, source: Any, tokens: Any, sums: Any, squares: Any, lane: Any, column: Any) -> Any:
    """Add 8 features of 8 lanes, columns of `source`, to the rows of `sums` that the tokens name; and their squares."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        origin, total, square = (_Matrix(context, builder, signature.args[i], arguments[i]) for i in (0, 2, 3))
        first_lane, first_feature = arguments[4:]
        chosen = _load_tokens(context, builder, signature.args[1], arguments[1], first_lane)
        features = (builder.add(first_feature, _I64(i)) for i in range(VECTOR))
        rows = [_load(builder, origin.address(feature, first_lane), _FLOATS) for feature in features]
        for token, row in zip(chosen, _transposed(builder, rows), strict=True):
            for goal, amount in ((total, row), (square, builder.fmul(row, row))):
                address = goal.address(token, first_feature)
                _store(builder, builder.fadd(_load(builder, address, _FLOATS), amount), address)
        return context.get_dummy_value()

    return types.void(source, tokens, sums, squares, lane, column), generate


@njit(**COMPILE)
def multiply(weights: Floats, inputs: Floats, bias: Floats, outputs: Floats) -> None:
    """Write `weights.T @ inputs + bias[:, None]`; weights (inputs, outputs), bias (outputs,), arrays (…, lanes)."""
    for row in range(0, outputs.shape[0], TILE_ROWS):
        for lane in range(0, outputs.shape[1], LANES):
            _multiply_tile(weights, inputs, bias, outputs, row, lane)


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
def squash(row: Floats) -> None:
    for place in range(len(row)):
        row[place] = tanh(row[place])


@njit(**COMPILE)
def gate(row: Floats) -> None:
    for place in range(len(row)):
        row[place] = HALF * tanh(HALF * row[place]) + HALF
