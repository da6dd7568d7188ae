"""Read the IMDB archive (an .npz with pickled lists) without trusting it."""

from __future__ import annotations

import io
import pickle
import zipfile
from array import array
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

PARTS = ("train", "test")
MAXIMUM_MEMBER_BYTES = 4 << 30
AS_THEY_STAND = slice(None)


@dataclass(frozen=True)
class Reviews:
    """Reviews of one part of the archive, in the archive's order.

    Attributes:
        tokens: uint32, all reviews' word ranks one after another.
        offsets: int64, shape (reviews + 1,); review i is `tokens[offsets[i]:offsets[i + 1]]`.
        labels: uint8, shape (reviews,), 0 negative or 1 positive.
    """

    tokens: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.uint8]


def check_archive(file: IO[bytes], name: str) -> None:
    """Check that a file is a whole .npz archive with the four members, without reading them.

    Raises:
        ValueError: It is not: truncated, say, or something else altogether.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            missing = sorted({f"{column}_{part}.npy" for column in "xy" for part in PARTS} - set(archive.namelist()))
    except zipfile.BadZipFile as error:
        raise ValueError(f"{name} must be a whole .npz archive. Received: {file.seek(0, 2)} bytes, {error}.") from None
    if missing:
        raise ValueError(f"{name} must be an archive that holds {missing[0]}. It holds none.")


def read_labels(content: bytes, part: str, name: str) -> npt.NDArray[np.uint8]:
    """Return the labels of one part of an archive in the format of `keras.datasets.imdb`.

    Args:
        content: The whole .npz file.
        part: "train" or "test".
        name: What to call the archive in an error.

    Raises:
        ValueError: It is no such archive, or holds labels other than 0 and 1.
    """
    labels = _read_member(content, f"y_{part}.npy", name)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{name}: y_{part} must be a row of integers. Received: {labels.dtype} {labels.shape}.")
    strange = labels[(labels != 0) & (labels != 1)]
    if len(strange):
        raise ValueError(f"{name}: y_{part} must hold labels of 0 and 1 only. Received: {strange[0]}.")
    return labels.astype(np.uint8)


def read_reviews(
    content: bytes, part: str, name: str, order: npt.NDArray[np.integer] | slice = AS_THEY_STAND
) -> Reviews:
    """Return the reviews and labels of one part; arguments as for `read_labels`.

    `order` holds positions in the part: which reviews to return, and in which order. To put Python's lists in order
    moves pointers, where Arrow would move every token.

    Raises:
        ValueError: It is no such archive, or holds anything but one list of word ranks per label.
    """
    labels = read_labels(content, part, name)
    lists = _read_member(content, f"x_{part}.npy", name)
    if lists.dtype != object or lists.ndim != 1:
        raise ValueError(
            f"{name}: x_{part} must hold one list of word ranks per review. Received: {lists.dtype} {lists.shape}."
        )
    if len(lists) != len(labels):
        raise ValueError(
            f"{name}: x_{part} and y_{part} must have the same length. Received: {len(lists)} and {len(labels)}."
        )
    tokens, offsets = _flatten(lists[order], f"{name}: x_{part}")
    return Reviews(tokens, offsets, labels[order])


def _flatten(lists: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    strange = {type(review).__name__ for review in lists} - {"list"}
    if strange:
        raise ValueError(f"{name} must hold one list of word ranks per review. Received: {min(strange)}.")
    tokens = array("I")
    offsets = np.zeros(len(lists) + 1, np.int64)
    try:
        for position, review in enumerate(lists, start=1):
            # Takes integers alone, where NumPy would take 1.5 for 1 and "7" for 7.
            tokens.fromlist(review)
            offsets[position] = len(tokens)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{name} must hold word ranks, integers from 0 to 4294967295. Received: {error}.") from None
    return np.frombuffer(tokens, np.uint32), offsets


def _read_member(content: bytes, member: str, name: str) -> npt.NDArray[Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = archive.getinfo(member).file_size
            if size > MAXIMUM_MEMBER_BYTES:
                raise ValueError(  # noqa: TRY301 - the handler below puts the archive's name in front
                    f"it must unpack to at most {MAXIMUM_MEMBER_BYTES} bytes, and says {size}"
                )
            with archive.open(member) as stream:
                return _read_array(stream)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{name} must be a whole .npz archive. Received: {len(content)} bytes, {error}.") from None
    except KeyError:
        raise ValueError(f"{name} must be an archive that holds {member}. It holds none.") from None
    # The pickle module documents that damaged input may raise almost anything.
    except Exception as error:
        raise ValueError(f"{name}: {member} cannot be read: {error}.") from None


def _read_array(stream: BinaryIO | Any) -> npt.NDArray[Any]:
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        array = ArrayUnpickler(stream).load()
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ValueError(f"it must hold an array of shape {shape}, and holds {type(array).__name__}")
        return array
    content = stream.read()
    return np.frombuffer(content, dtype).reshape(shape)


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays of plain lists of numbers, and refuses every other name before it is imported."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy._core.multiarray", "numpy.core.multiarray") and name == "_reconstruct":
            return _reconstruct_empty
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        raise pickle.UnpicklingError(f"only arrays of lists of integers are allowed, and it names {module}.{name}")


def _reconstruct_empty(subtype: type, shape: tuple[int, ...], _kind: bytes) -> npt.NDArray[Any]:
    # NumPy always pickles an empty array first and fills it by its state; any other shape would only be a memory bomb.
    if subtype is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError(
            f"only empty arrays may be constructed, and it asks for {subtype} of shape {shape}"
        )
    return np.ndarray((0,), np.int8)
