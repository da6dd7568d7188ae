"""Read pickled arrays of lists without trusting them: every opcode is looked at before the first is obeyed.

An unpickler that allows few names still obeys opcodes: one of six bytes makes it reserve gigabytes, one byte makes an
object of seventy, and the hash of a tuple of tuples of tuples, wanted for a dict, takes for ever or crashes Python.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any

import numpy as np
import numpy.typing as npt

# Of a real archive 25,000; each may take 100 bytes, however few stand in the pickle.
MAXIMUM_ELEMENTS = 1 << 20
# What an array needs beside its elements: names, its dtype and its shape.
FURTHER_OBJECTS = 64

# Integers, references to what was there before, and where a list's elements begin and end: all but a few bytes.
_ELEMENTS = re.compile(rb"(?:(?:K.|M..)++|J.{4}|[(ea]|h.|j.{4})*+", re.DOTALL)
# Single bytes that make an object: lists, tuples, None, True, False, and a call and what it gives.
_OBJECTS = frozenset(b"])\x85\x86\x87tN\x88\x89R\x93")
# Bytes of the length that comes before a string or an integer of any size.
_LENGTHS = {ord("\x8c"): 1, ord("X"): 4, ord("C"): 1, ord("B"): 4, ord("U"): 1, ord("T"): 4, ord("\x8a"): 1}
_STOP, _MEMOIZE, _BUILD, _GLOBAL = (ord(name) for name in ".\x94bc")
# Bytes after an opcode that makes no object, or a float; the memo's places are not among them.
_FIXED = {0x80: 1, 0x95: 8, ord("G"): 8}
_PLACES = {ord("q"): 1, ord("r"): 4}


def read_array(content: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return a pickled array of objects, which are integers and lists of integers or at least nothing that acts.

    Raises:
        pickle.UnpicklingError: It holds anything that such an array has no need of.
        Exception: Almost any other, where a pickle is damaged.
    """
    elements = math.prod(shape)
    if elements > MAXIMUM_ELEMENTS:
        raise pickle.UnpicklingError(f"at most {MAXIMUM_ELEMENTS} reviews are allowed, and it announces {elements}")
    check_opcodes(content, elements + FURTHER_OBJECTS)
    array = ArrayUnpickler(io.BytesIO(content)).load()
    if not isinstance(array, PickledArray) or array.shape != shape:
        kind = "ndarray" if isinstance(array, PickledArray) else type(array).__name__
        raise pickle.UnpicklingError(f"it must hold an array of shape {shape}, and holds {kind}")
    # Not `np.array`, which would make a matrix of lists of equal length.
    # NumPy lists objects row by row, of an array in Fortran's order too.
    return np.fromiter(array.values, object, elements).reshape(shape)


def check_opcodes(content: bytes, most: int) -> None:
    """Check that a pickle holds no other opcodes than an array of lists, and makes at most so many objects.

    Raises:
        pickle.UnpicklingError: It does not.
    """
    position, objects, memoized = 0, 0, 0
    while True:
        position = _end_of_elements(content, position)
        if position >= len(content):
            raise pickle.UnpicklingError("it breaks off")
        opcode = content[position]
        position += 1
        if opcode == _STOP:
            return
        if opcode in _OBJECTS:
            objects += 1
        elif opcode == _MEMOIZE:
            memoized += 1
        elif opcode in _LENGTHS:
            objects += 1
            start = position + _LENGTHS[opcode]
            position = start + int.from_bytes(content[position:start], "little")
        elif opcode in _PLACES:
            memoized += 1
            place = int.from_bytes(content[position : position + _PLACES[opcode]], "little")
            if place > memoized:
                raise pickle.UnpicklingError(f"only {memoized} objects are there, and it puts one in place {place}")
            position += _PLACES[opcode]
        elif opcode == _GLOBAL:
            objects += 1
            position = content.find(b"\n", content.find(b"\n", position) + 1) + 1 or len(content)
        elif opcode in _FIXED:
            objects += opcode == ord("G")
            position += _FIXED[opcode]
        elif opcode != _BUILD:
            raise pickle.UnpicklingError(
                f"only arrays of lists of integers are allowed, and it holds the opcode {opcode:#04x}"
            )
        if max(objects, memoized) > most:
            raise pickle.UnpicklingError(f"at most {most} objects are allowed, and it holds more")


def _end_of_elements(content: bytes, position: int) -> int:
    match = _ELEMENTS.match(content, position)
    return match.end() if match else position


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays of plain lists of numbers, and refuses every other name before it is imported.

    NumPy's own classes are not asked either: they take what a pickle says of sizes and fields on trust.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy._core.multiarray", "numpy.core.multiarray") and name == "_reconstruct":
            return PickledArray
        if (module, name) == ("numpy", "ndarray"):
            return PickledArray
        if (module, name) == ("numpy", "dtype"):
            return PickledDtype
        raise pickle.UnpicklingError(f"only arrays of lists of integers are allowed, and it names {module}.{name}")


class PickledArray:
    """What a pickle says of an array: its shape and its elements."""

    __slots__ = ("shape", "values")

    def __init__(self, subtype: type, shape: tuple[int, ...], _kind: bytes) -> None:
        # NumPy always pickles an empty array first and fills it by its state. What else came is not written out here or
        # below: a tuple of tuples of tuples may be endless in words.
        if subtype is not PickledArray or type(shape) is not tuple or shape != (0,):
            raise pickle.UnpicklingError("only empty arrays may be constructed, and it asks for another")
        self.shape: tuple[int, ...] = shape
        self.values: list[Any] = []

    def __setstate__(self, state: tuple[int, tuple[int, ...], PickledDtype, bool, list[Any]]) -> None:
        _version, shape, _dtype, _is_fortran, values = state
        if type(values) is not list or type(shape) is not tuple or {*map(type, shape)} - {int}:
            raise pickle.UnpicklingError("only arrays of objects are allowed, and it holds another")
        if math.prod(shape) != len(values):
            raise pickle.UnpicklingError(
                f"an array must have as many elements as its shape says, and it has {len(values)}"
            )
        self.shape, self.values = shape, values


class PickledDtype:
    """The dtype of an array of objects, of which nothing is needed."""

    __slots__ = ()

    def __init__(self, kind: str, _align: bool, _copy: bool) -> None:
        if type(kind) is not str or kind not in ("O8", "O4", "O"):
            raise pickle.UnpicklingError("only arrays of objects are allowed, and it asks for another")

    def __setstate__(self, _state: tuple[Any, ...]) -> None:
        """Leave it as it is."""
