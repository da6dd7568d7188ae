"""Turn a file's bytes into blocks of UTF-8 with line feeds as line ends, whatever encoding they have."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa

# Larger blocks fall out of the processor's cache, and cost the kernel a page fault for each page.
BLOCK_BYTES = 2 << 20
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Stands for bytes that cannot be decoded; the record that holds it is rejected. A noncharacter, so no text has it.
UNDECODABLE = "\ufdd0"
codecs.register_error("mark undecodable", lambda error: (UNDECODABLE, _end_of(error)))


def _end_of(error: UnicodeError) -> int:
    if not isinstance(error, (UnicodeDecodeError, UnicodeTranslateError)):
        raise error
    return error.end


def check_encoding(encoding: str) -> str:
    """Return the encoding's normal name.

    Raises:
        ValueError: Python knows no text encoding of this name.
    """
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError(
            f"`encoding` must be a text encoding that Python knows, such as cp949. Received: encoding={encoding}."
        ) from None
    return name


def find_encoding(beginning: bytes, encoding: str | None, name: str) -> tuple[str, int]:
    """Return the encoding of a file and the length of its byte-order mark.

    Args:
        beginning: The file's first bytes.
        encoding: As the user gave it, or None.
        name: The file's name for error messages.

    Raises:
        ValueError: The bytes are neither UTF-8 nor UTF-16 with a byte-order mark, and no encoding was given.
    """
    mark = next(((found, len(bom)) for bom, found in BOMS if beginning.startswith(bom)), None)
    if encoding is not None:
        given = check_encoding(encoding)
        # A byte-order mark says which of the two UTF-16 it is.
        return mark if mark and given.startswith(mark[0][:5]) else (given, 0)
    if mark:
        return mark
    if b"\x00" in beginning[:4096] and beginning[:4096].count(0) > len(beginning[:4096]) // 4:
        raise ValueError(f"{name} must be text. It looks like UTF-16 without a byte-order mark. Give --encoding.")
    check_utf8(beginning, name)
    return "utf-8", 0


def check_utf8(content: bytes, name: str) -> None:
    """Raise a ValueError that names --encoding if a share of the lines is not UTF-8.

    A few broken lines are records to reject; many are another encoding.
    """
    lines = content.split(b"\n")[:-1] or [content]
    broken = [line for line in lines if not _is_utf8(line)]
    if len(broken) > max(1, len(lines) // 100) or (broken and len(lines) < 100):
        shown = " ".join(f"{byte:02x}" for byte in _first_wrong(broken[0])[:8])
        raise ValueError(
            f"{name} must be UTF-8, and {len(broken):,} of its first {len(lines):,} lines are not (bytes {shown}). "
            "Give --encoding, such as cp949 for Korean or cp1252 for Western Europe."
        )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first_wrong(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return line[error.start :]
    return b""


def read_blocks(stream: BinaryIO, encoding: str, skipped: int, *, is_checked: bool = False) -> Iterator[bytes]:
    """Yield the text in blocks of UTF-8 whose line ends are line feeds; the last block may lack one.

    Bytes that cannot be decoded become `UNDECODABLE`. A carriage return alone ends a line only in a file that begins
    without line feeds, as old Macs wrote them; in others it is white space within a text, and becomes a space.

    Args:
        stream: Open for reading, at its start.
        encoding: Python's name of the encoding.
        skipped: Bytes to leave out at the start, the byte-order mark.
        is_checked: Whether bytes that cannot be decoded do not matter, so that UTF-8 passes as it is.
    """
    stream.read(skipped)
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("mark undecodable")
    rest, lone = b"", None
    while content := stream.read(BLOCK_BYTES):
        block = rest + (content if decoder is None else decoder.decode(content).encode())
        # A line end of two characters must not be cut in half, nor must a character.
        cut = _cut_of(block)
        rest, block = block[cut:], block[:cut]
        lone = lone or (b" " if b"\n" in block else b"\n")
        yield _clean(block, lone, is_checked=is_checked or decoder is not None)
    tail = rest + (b"" if decoder is None else decoder.decode(b"", final=True).encode())
    if tail:
        yield _clean(tail, lone or b"\n", is_checked=is_checked or decoder is not None)


def _cut_of(block: bytes) -> int:
    """Return where the block can be cut: after its last whole character, and before a carriage return at its end."""
    end = len(block)
    while end and len(block) - end < 4 and (block[end - 1] & 0xC0) == 0x80:
        end -= 1
    if end and block[end - 1] >= 0xC0:
        end -= 1
    elif end != len(block):
        end = len(block)
    return end - 1 if end and block[end - 1] == 0x0D else end


def _clean(block: bytes, lone: bytes, *, is_checked: bool) -> bytes:
    """Return a block with line feeds as line ends, and `lone` for a carriage return without one."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", lone)
    if is_checked or _is_valid(block):
        return block
    return block.decode(errors="mark undecodable").encode()


def _is_valid(block: bytes) -> bool:
    """Return whether bytes are UTF-8. Arrow looks at them without making a text of them."""
    bounds = pa.py_buffer(np.array([0, len(block)], np.int32))
    try:
        pa.Array.from_buffers(pa.string(), 1, [None, bounds, pa.py_buffer(block)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
