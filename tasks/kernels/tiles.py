"""Operations on tiles of arrays that stay in the CPU's registers, written in LLVM instructions.

LLVM does not find them in Numba's loops by itself. All arrays are float32 with contiguous rows, and all sizes must be
whole tiles. Nothing is checked here.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic as _untyped_intrinsic

VECTOR = 8
TILE_ROWS, TILE_VECTORS = 4, 2
LANES = VECTOR * TILE_VECTORS

_I64 = ir.IntType(64)
_FLOAT, _FLOATS = ir.FloatType(), ir.VectorType(ir.FloatType(), VECTOR)


# Numba's type hints of `intrinsic` are wrong about what it returns.
intrinsic: Any = _untyped_intrinsic


class _Matrix:
    """Builds the LLVM instructions for addresses inside a two-dimensional float32 array."""

    def __init__(self, context: Any, builder: Any, array_type: Any, value: Any) -> None:
        array = context.make_array(array_type)(context, builder, value)
        self.builder = builder
        self.data = builder.ptrtoint(array.data, _I64)
        self.rows = builder.extract_value(array.shape, 0)
        self.row_bytes = builder.extract_value(array.strides, 0)

    def address(self, row: Any, column: Any, vectors: int = 0) -> Any:
        """Return the address of an element, plus a number of vectors."""
        offset = self.builder.add(self.builder.mul(row, self.row_bytes), self.builder.mul(column, _I64(4)))
        return self.builder.add(self.builder.add(self.data, offset), _I64(4 * VECTOR * vectors))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=4)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=4)


_variable: Any = cgutils.alloca_once_value


def _broadcast(builder: Any, number: Any) -> Any:
    """Return a vector with `number` in each of its elements."""
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR))


def _add_product(builder: Any, first: Any, second: Any, total: Any) -> None:
    """Add a product to the vector that `total` points to, in one instruction if the CPU has fused multiply-add."""
    flags = ("contract",)
    product = builder.fmul(first, second, flags=flags)
    builder.store(builder.fadd(builder.load(total), product, flags=flags), total)


@intrinsic
def multiply_tile(_typing: Any, weights: Any, inputs: Any, bias: Any, outputs: Any, row: Any, column: Any) -> Any:
    """Write 4 rows by 16 lanes of `weights.T @ inputs + bias[:, None]`; the sums stay in registers until the end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = zip(signature.args[:4], arguments[:4], strict=True)
        weight, vector, bias_row, output = (_Matrix(context, builder, kind, value) for kind, value in arrays)
        first_row, first_lane = arguments[4:]
        zero, rows, vectors = _I64(0), range(TILE_ROWS), range(TILE_VECTORS)
        totals = []
        for place in rows:
            bias_address = bias_row.address(zero, builder.add(first_row, _I64(place)))
            start = _broadcast(builder, _load(builder, bias_address, _FLOAT))
            totals.append([_variable(builder, start) for _ in vectors])
        with cgutils.for_range(builder, weight.rows) as loop:
            columns = [_load(builder, vector.address(loop.index, first_lane, place), _FLOATS) for place in vectors]
            for place in rows:
                weight_address = weight.address(loop.index, builder.add(first_row, _I64(place)))
                factor = _broadcast(builder, _load(builder, weight_address, _FLOAT))
                for total, lanes in zip(totals[place], columns, strict=True):
                    _add_product(builder, factor, lanes, total)
        for place in rows:
            target = builder.add(first_row, _I64(place))
            for part in vectors:
                _store(builder, builder.load(totals[place][part]), output.address(target, first_lane, part))
        return context.get_dummy_value()

    return types.void(weights, inputs, bias, outputs, row, column), generate


def _transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose 8 vectors of 8 elements by Eklundh's method: swap halves, then quarters, then eighths."""
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
    """Return the tokens of 8 lanes of a uint16 row as 64-bit integers, for addresses."""
    tokens = context.make_array(kind)(context, builder, value)
    addresses = (builder.gep(tokens.data, [builder.add(lane, _I64(i))]) for i in range(VECTOR))
    return [builder.zext(builder.load(address), _I64) for address in addresses]


@intrinsic
def look_up_tile(_typing: Any, table: Any, tokens: Any, target: Any, lane: Any, column: Any) -> Any:
    """Copy 8 features of the words of 8 lanes from rows of `table` into columns of `target`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = _Matrix(context, builder, signature.args[0], arguments[0])
        goal = _Matrix(context, builder, signature.args[2], arguments[2])
        first_lane, first_feature = arguments[3:]
        chosen = _load_tokens(context, builder, signature.args[1], arguments[1], first_lane)
        rows = [_load(builder, words.address(token, first_feature), _FLOATS) for token in chosen]
        for i, row in enumerate(_transpose(builder, rows)):
            _store(builder, row, goal.address(builder.add(first_feature, _I64(i)), first_lane))
        return context.get_dummy_value()

    return types.void(table, tokens, target, lane, column), generate


@intrinsic
def add_to_words_tile(_typing: Any, source: Any, tokens: Any, sums: Any, squares: Any, lane: Any, column: Any) -> Any:
    """Add 8 features of 8 lanes, columns of `source`, to the tokens' rows of `sums`, and their squares to `squares`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        origin, total, square = (_Matrix(context, builder, signature.args[i], arguments[i]) for i in (0, 2, 3))
        first_lane, first_feature = arguments[4:]
        chosen = _load_tokens(context, builder, signature.args[1], arguments[1], first_lane)
        features = (builder.add(first_feature, _I64(i)) for i in range(VECTOR))
        rows = [_load(builder, origin.address(feature, first_lane), _FLOATS) for feature in features]
        for token, row in zip(chosen, _transpose(builder, rows), strict=True):
            for goal, amount in ((total, row), (square, builder.fmul(row, row))):
                address = goal.address(token, first_feature)
                _store(builder, builder.fadd(_load(builder, address, _FLOATS), amount), address)
        return context.get_dummy_value()

    return types.void(source, tokens, sums, squares, lane, column), generate
