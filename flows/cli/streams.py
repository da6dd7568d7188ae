"""Standard output and error of a command: whatever happens to them, the command goes on."""

from __future__ import annotations

import codecs
import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

# Shown in place of characters that a terminal's encoding lacks; a question mark in place of all others.
SUBSTITUTES = {"–": "-", "−": "-", "…": "...", "→": "->", "×": "x", "·": "-", "≥": ">=", "≤": "<=", "±": "+-"}
SUBSTITUTES |= {"“": '"', "”": '"', "‘": "'", "’": "'", "━": "-", "─": "-", "╸": "-", "╺": "-", "✔": "ok", "✖": "x"}
SUBSTITUTES |= {"▲": "!", "●": "*"}
ERROR_HANDLER = "retrain.substitute"


# How long a log waits for a reader that stands still, and how much text a pipe that is ready takes without waiting.
STALL_SECONDS = 10.0
PIECE_LENGTH = select.PIPE_BUF // 4


class TolerantStream:
    """A text stream that notes its first error and drops what is written after it.

    Attributes:
        error: The first error of a write; None if there was none.
    """

    def __init__(self, stream: TextIO, *, is_log: bool = False) -> None:
        """Wrap a stream. If it is a log, text is dropped while nobody reads it: a run does not wait for a reader."""
        self._stream, self._is_log = stream, is_log
        self._dropped = 0
        self.error: Exception | None = None
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors=ERROR_HANDLER)

    def write(self, text: str) -> int:
        """Write a text; an error is noted and not raised."""
        if self.error is None:
            try:
                if self._is_log:
                    self._write_log(text)
                else:
                    self._stream.write(text)
            # Writing to a closed stream raises a ValueError.
            except (OSError, ValueError) as error:
                self.error = error
        return len(text)

    def _write_log(self, text: str) -> None:
        for start in range(0, len(text), PIECE_LENGTH):
            if not self._is_read():
                self._dropped += 1
                return
            if self._dropped:
                self._stream.write("... (nobody read this log for a while; lines are missing here)\n")
                self._dropped = 0
            self._stream.write(text[start : start + PIECE_LENGTH])
            self._stream.flush()

    def _is_read(self) -> bool:
        """Return whether a write would not wait; give a reader that stands still ten seconds once."""
        try:
            poll = select.poll()
            poll.register(self._stream.fileno(), select.POLLOUT)
        # It is not a file.
        except (OSError, ValueError):
            return True
        return bool(poll.poll(0 if self._dropped else 1000 * STALL_SECONDS))

    def flush(self) -> None:
        """Write what is buffered; an error is noted and not raised."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    @property
    def lost_reader(self) -> bool:
        """Whether writing failed because nobody reads any more, as after `| head`."""
        return isinstance(self.error, OSError) and self.error.errno == errno.EPIPE

    def finish(self) -> None:
        """Write what is buffered; after an error, drop it, so that Python does not report it when it ends."""
        self.flush()
        if self.error is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def substitute(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that cannot be encoded, and where the encoder goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(character, "?") for character in missing), error.end


@contextmanager
def tolerant_streams() -> Iterator[TolerantStream]:
    """Make standard output and error tolerant in the block.

    Yields:
        Standard output.
    """
    codecs.register_error(ERROR_HANDLER, substitute)
    _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    output, errors = TolerantStream(before[0]), TolerantStream(before[1], is_log=True)
    sys.stdout, sys.stderr = output, errors  # type: ignore[assignment]  # they have all methods of a stream
    try:
        yield output
    finally:
        output.finish()
        errors.finish()
        sys.stdout, sys.stderr = before


def _open_closed_descriptors() -> None:
    """Open the null device in place of standard streams that are closed: the next file would take their number."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115 - open until the end


def is_animated(stream: Any) -> bool:
    """Return whether a stream is a terminal on which lines can be drawn again, whatever FORCE_COLOR says."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    except (OSError, ValueError):
        return False
