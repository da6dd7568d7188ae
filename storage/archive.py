"""Read an archive in the format of IMDB's, an .npz file with pickled lists, that anyone may have written."""

from __future__ import annotations

import io
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from storage.pickles import read_array
from storage.text import on_one_line

PARTS = ("train", "test")
# The largest member of the IMDB archive has 14 MB unpacked, that of 500,000 sample reviews 130 MB. Reading a member
# takes up to 16 times its size plus 256 MB.
MAXIMUM_MEMBER_BYTES = 160 << 20
# Each part of the IMDB archive has 6 million words, of 500,000 sample reviews 63 million.
MAXIMUM_WORDS = 64 << 20
# NumPy uses no other compressions, and `zipfile` unpacks the others without a limit.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# `zipfile` needs 700 bytes of memory for each member. A checkpoint has a few dozen.
MAXIMUM_MEMBERS = 10_000
CHUNK_BYTES = 1 << 20
ARCHIVE_ORDER = slice(None)


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
    """Check that a file is a whole .npz archive with the four members of IMDB's, without reading them.

    Args:
        file: Open for reading, at its start.
        name: The archive's name for error messages.

    Raises:
        ValueError: The file is truncated, is not an .npz archive, or lacks a member.
    """
    with _open_archive(file, name) as archive:
        missing = sorted({f"{column}_{part}.npy" for column in "xy" for part in PARTS} - set(archive.namelist()))
    if missing:
        raise ValueError(f"{name} must be an archive that holds {missing[0]}. It holds none.")


def read_labels(content: bytes, part: str, name: str) -> npt.NDArray[np.uint8]:
    """Return the labels of one part of an archive in the format of `keras.datasets.imdb`.

    Args:
        content: The whole .npz file.
        part: "train" or "test".
        name: The archive's name for error messages.

    Returns:
        uint8, shape (reviews,): 0 negative, 1 positive.

    Raises:
        ValueError: The content is not such an archive, or holds labels other than 0 and 1.
    """
    labels = _read_part(content, f"y_{part}.npy", name)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{name}: y_{part} must be a row of integers. Received: {labels.dtype} {labels.shape}.")
    strange = labels[(labels != 0) & (labels != 1)]
    if len(strange):
        raise ValueError(f"{name}: y_{part} must hold labels of 0 and 1 only. Received: {strange[0]}.")
    return labels.astype(np.uint8)


def read_reviews(
    content: bytes, part: str, name: str, order: npt.NDArray[np.integer] | slice = ARCHIVE_ORDER
) -> Reviews:
    """Return the reviews and labels of one part.

    Args:
        content: The whole .npz file.
        part: "train" or "test".
        name: The archive's name for error messages.
        order: Positions of the reviews to return, in their order. Sorting Python lists here moves pointers only;
            sorting an Arrow table later would copy every token.

    Raises:
        ValueError: The content is not such an archive, or does not hold one list of word ranks per label.
    """
    labels = read_labels(content, part, name)
    lists = _read_part(content, f"x_{part}.npy", name)
    if lists.dtype != object or lists.ndim != 1:
        raise ValueError(
            f"{name}: x_{part} must hold one list of word ranks per review. Received: {lists.dtype} {lists.shape}."
        )
    if len(lists) != len(labels):
        raise ValueError(
            f"{name}: x_{part} and y_{part} must have the same length. Received: {len(lists)} and {len(labels)}."
        )
    tokens, offsets = _flatten(lists, order, f"{name}: x_{part}")
    return Reviews(tokens, offsets, labels[order])


def read_arrays(content: bytes, name: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an .npz archive by name.

    Raises:
        ValueError: The content is not an .npz archive, or it holds a pickle.
    """
    with _open_archive(io.BytesIO(content), name) as archive:
        members = archive.namelist()
        return {
            member.removesuffix(".npy"): _read_member(archive, member, name, allow_pickle=False) for member in members
        }


def _flatten(
    lists: npt.NDArray[Any], order: npt.NDArray[np.integer] | slice, name: str
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    strange = {type(review).__name__ for review in lists} - {"list"}
    if strange:
        raise ValueError(f"{name} must hold one list of word ranks per review. Received: {min(strange)}.")
    lists = lists[order]
    # A small pickle can hold one list and refer to it a million times.
    words = sum(map(len, lists))
    if words > MAXIMUM_WORDS:
        raise ValueError(f"{name} must hold at most {MAXIMUM_WORDS} words. Received: {words}.")
    tokens = array("I")
    offsets = np.zeros(len(lists) + 1, np.int64)
    try:
        for position, review in enumerate(lists, start=1):
            # Accepts integers only. NumPy would convert 1.5 to 1 and "7" to 7.
            tokens.fromlist(review)
            offsets[position] = len(tokens)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{name} must hold word ranks, integers from 0 to 4294967295. Received: {error}.") from None
    return np.frombuffer(tokens, np.uint32), offsets


def _open_archive(file: IO[bytes], name: str) -> zipfile.ZipFile:
    try:
        members = sum(chunk.count(b"PK\x01\x02") for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))
        if members > MAXIMUM_MEMBERS:
            raise ValueError(  # noqa: TRY301 - the handler below puts the archive's name in front
                f"it must have at most {MAXIMUM_MEMBERS} members, and has more"
            )
        return zipfile.ZipFile(file)
    # A damaged directory of the archive raises other errors than `BadZipFile` too.
    except Exception as error:
        size = file.seek(0, io.SEEK_END)
        raise ValueError(
            f"{name} must be a whole .npz archive. Received: {size} bytes, {on_one_line(error)}."
        ) from None


def _read_part(content: bytes, member: str, name: str) -> npt.NDArray[Any]:
    with _open_archive(io.BytesIO(content), name) as archive:
        if member not in archive.namelist():
            raise ValueError(f"{name} must be an archive that holds {member}. It holds none.")
        return _read_member(archive, member, name, allow_pickle=True)


def _read_member(archive: zipfile.ZipFile, member: str, name: str, *, allow_pickle: bool) -> npt.NDArray[Any]:
    try:
        return _read_npy(io.BytesIO(b"".join(_unpack(archive, member))), allow_pickle=allow_pickle)
    # By its documentation, the pickle module may raise almost any error on damaged input.
    except Exception as error:
        raise ValueError(f"{name}: {on_one_line(member)} cannot be read: {on_one_line(error)}.") from None


def _unpack(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    """Yield a member's bytes in chunks, because its size in the directory of the archive may be wrong."""
    information, size = archive.getinfo(member), 0
    if information.compress_type not in COMPRESSIONS:
        raise ValueError(f"it must be stored or deflated. Received: compression {information.compress_type}")
    if information.file_size > MAXIMUM_MEMBER_BYTES:
        raise ValueError(
            f"it must unpack to at most {MAXIMUM_MEMBER_BYTES} bytes, and its header gives {information.file_size}"
        )
    with archive.open(member) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            size += len(chunk)
            if size > MAXIMUM_MEMBER_BYTES:
                raise ValueError(f"it must unpack to at most {MAXIMUM_MEMBER_BYTES} bytes, and has more")
            yield chunk


def _read_npy(stream: io.BytesIO, *, allow_pickle: bool) -> npt.NDArray[Any]:
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(stream)
    content = stream.read()
    if dtype.kind != "O":
        return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")
    if not allow_pickle:
        raise ValueError("it must hold numbers, and holds a pickle")
    return read_array(content, shape)
