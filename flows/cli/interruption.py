"""End a command soon after Ctrl-C or SIGTERM, whatever it waits for."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from flows.cli.exit_codes import INTERRUPTED
from flows.outcome import describe_interruption

# A run that is told to end cancels its trainings and reports its state to Prefect. After this time it has to be over.
PATIENCE_SECONDS = 8.0
TERMINATED = 128 + signal.SIGTERM


@contextmanager
def ending_soon(tidy: Callable[[], None]) -> Iterator[None]:
    """End this process eight seconds after a signal to end, if the block has not ended by then.

    The signals' own handlers are left as they are. Outside the main thread, which alone gets signals, nothing is done.

    Args:
        tidy: Called before the process is ended in this way.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, tidy), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        # The watch ends when there is nothing to read any more.
        writer.close()


def _watch(reader: socket.socket, tidy: Callable[[], None]) -> None:
    with reader:
        while received := reader.recv(1):
            if received[0] in (signal.SIGINT, signal.SIGTERM):
                break
        else:
            return
        # Closed at the other end means that the block has ended in time.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            reader.settimeout(left)
            with suppress(TimeoutError):
                if not reader.recv(1):
                    return
    print(f"retrain run: {describe_interruption()}", file=sys.stderr)
    end_process(INTERRUPTED if received[0] == signal.SIGINT else TERMINATED, tidy)


def end_process(code: int, tidy: Callable[[], None]) -> None:
    """End this process at once, without waiting for Prefect's own threads."""
    with suppress(Exception):
        tidy()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
