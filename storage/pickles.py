"""Read pickled arrays of lists that anyone may have written: all opcodes are checked before any is executed.

An unpickler that allows only a few names still executes opcodes, and some are harmful. One opcode of six bytes reserves
gigabytes. One opcode of one byte makes an object of seventy bytes. A dict with deeply nested tuples as keys needs their
hashes, which take forever or crash Python.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any

import numpy as np
import numpy.typing as npt

# A real archive has 25,000. Each may take 100 bytes of memory, even if it takes one byte in the pickle.
MAXIMUM_ELEMENTS = 1 << 20
# Objects of an array beside its elements: names, its dtype and its shape.
FURTHER_OBJECTS = 64
ONLY_LISTS = "only arrays of lists of integers are allowed"

# Integers, references to earlier objects, and the marks around a list's elements: almost all bytes of an archive.
_ELEMENTS = re.compile(rb"(?:(?:K.|M..)++|J.{4}|[(ea]|h.|j.{4})*+", re.DOTALL)
# Opcodes without an argument that make an object: a list, a tuple, None, True, False, a name, or the result of a call.
_OBJECTS = frozenset(b"])\x85\x86\x87tN\x88\x89R\x93")
# The opcodes of strings, bytes and long integers, and how many bytes their length field has. `pickletools` in Python's
# library describes all opcodes.
_LENGTHS = {ord("\x8c"): 1, ord("X"): 4, ord("C"): 1, ord("B"): 4, ord("U"): 1, ord("T"): 4, ord("\x8a"): 1}
_STOP, _MEMOIZE, _BUILD, _GLOBAL = (ord(name) for name in ".\x94bc")
# Opcodes with an argument of fixed size in bytes, except those of the memo.
_FIXED = {0x80: 1, 0x95: 8, ord("G"): 8}
_PLACES = {ord("q"): 1, ord("r"): 4}


def read_array(content: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return a pickled array of Python objects. Its elements should be lists of integers, but the caller must check it.

    Args:
        content: The pickle.
        shape: The array's shape, from the header of the .npy file.

    Raises:
        pickle.UnpicklingError: The pickle holds a name or an opcode that such an array does not need.
        Exception: Almost any other error, if the pickle is damaged.
    """
    elements = math.prod(shape)
    if elements > MAXIMUM_ELEMENTS:
        raise pickle.UnpicklingError(f"at most {MAXIMUM_ELEMENTS} reviews are allowed, and its header gives {elements}")
    check_opcodes(content, elements + FURTHER_OBJECTS)
    array = ArrayUnpickler(io.BytesIO(content)).load()
    if not isinstance(array, PickledArray) or array.shape != shape:
        kind = "ndarray" if isinstance(array, PickledArray) else type(array).__name__
        raise pickle.UnpicklingError(f"it must hold an array of shape {shape}, and holds {kind}")
    # Not `np.array`, which makes a matrix if all lists have the same length. NumPy pickles the objects of an array in
    # Fortran's order row by row too.
    return np.fromiter(array.values, object, elements).reshape(shape)


def check_opcodes(content: bytes, most: int) -> None:
    """Check that a pickle holds only the opcodes of an array of lists, and makes at most `most` objects.

    Raises:
        pickle.UnpicklingError: It holds another opcode, makes more objects, or is truncated.
    """
    position, objects, memoized = 0, 0, 0
    while True:
        position = _end_of_elements(content, position)
        if position >= len(content):
            raise pickle.UnpicklingError("it is truncated")
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
            raise pickle.UnpicklingError(f"{ONLY_LISTS}, and it holds the opcode {opcode:#04x}")
        if max(objects, memoized) > most:
            raise pickle.UnpicklingError(f"at most {most} objects are allowed, and it holds more")


def _end_of_elements(content: bytes, position: int) -> int:
    match = _ELEMENTS.match(content, position)
    return match.end() if match else position


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays of objects, and refuses every other name before it is imported.

    It does not use NumPy's own classes either, because they trust the sizes and fields in a pickle.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return the class that stands in for a name of NumPy's.

        Args:
            module: The module in the pickle; the names of NumPy 1 and of NumPy 2 are known.
            name: The name in the module.

        Raises:
            pickle.UnpicklingError: A pickled array does not need this name.
        """
        if module in ("numpy._core.multiarray", "numpy.core.multiarray") and name == "_reconstruct":
            return PickledArray
        if (module, name) == ("numpy", "ndarray"):
            return PickledArray
        if (module, name) == ("numpy", "dtype"):
            return PickledDtype
        raise pickle.UnpicklingError(f"{ONLY_LISTS}, and it names {module}.{name}")


class PickledArray:
    """The shape and the elements of a pickled array."""

    __slots__ = ("shape", "values")

    def __init__(self, subtype: type, shape: tuple[int, ...], _kind: bytes) -> None:
        # NumPy always pickles an empty array, which the state then fills. The messages here and below do not show what
        # was received, because deeply nested tuples may be endlessly long as text.
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
    """The dtype of a pickled array of objects. Nothing of it is kept."""

    __slots__ = ()

    def __init__(self, kind: str, _align: bool, _copy: bool) -> None:
        if type(kind) is not str or kind not in ("O8", "O4", "O"):
            raise pickle.UnpicklingError("only arrays of objects are allowed, and it asks for another")

    def __setstate__(self, _state: tuple[Any, ...]) -> None:
        """Ignore the state."""
