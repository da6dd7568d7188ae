"""The child's side of a supervised process: take one request, send events, and end when the parent does."""

from __future__ import annotations

import importlib
import importlib.abc
import json
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from tasks.processes.imports import gc_paused

BAD_INPUT_EXIT_CODE = 2
FAILURE_EXIT_CODE = 1
# Keras and pyarrow import these only because they are installed. Only the report's child uses them: 1.6 s and 130 MB of
# a training, 0.3 s and 70 MB of each other step.
LEFT_OUT = ("pandas", "sklearn", "matplotlib")
USING_THEM = ("tasks.evaluation.publish_report",)
# Given back when memory has run out, so that there is some to say so with.
RESERVE_BYTES = 8 << 20

_events: TextIO | None = None
_reserve = [bytearray(RESERVE_BYTES)]


class _Omission(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> None:
        if fullname in LEFT_OUT:
            raise ModuleNotFoundError(f"{fullname} is left out of child processes", name=fullname)


def send_event(**event: Any) -> None:
    """Send one event to the supervisor. Every value must be JSON."""
    if _events is not None:
        _events.write(json.dumps(event) + "\n")
        _events.flush()


def serve(main: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Answer the request on standard input with the result of `main`; return the exit code.

    Events go to what was standard output; whatever libraries print goes to standard error, so that it cannot tear an
    event. Standard input stays open as long as the parent lives, and its end ends this process.
    """
    global _events
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        # Started ahead of time and not needed, or the parent died in the middle of its request.
        return 0
    request = json.loads(line)
    _events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        send_event(result=main(request))
    except MemoryError as error:
        # First, for even the tuple of the next clause wants memory.
        _reserve.clear()
        send_event(error=f"it ran out of memory: {str(error) or 'Python got none'}", bad_input=False)
        return FAILURE_EXIT_CODE
    except (ValueError, OSError) as error:
        send_event(error=str(error), bad_input=True)
        return BAD_INPUT_EXIT_CODE
    except Exception as error:
        traceback.print_exc()
        last_line = traceback.format_exception_only(error)[-1].strip()
        send_event(error=last_line, bad_input=False)
        return FAILURE_EXIT_CODE
    return 0


def exit_with_parent() -> None:
    """Wait until standard input ends, which only the parent holds open, and end this process. Reads nothing of it."""
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    os._exit(FAILURE_EXIT_CODE)


def run_module(module: str) -> int:
    """Import a module, wait for a request, and answer it with the module's `main`; return the exit code."""
    # Before the import, which takes a while.
    threading.Thread(target=exit_with_parent, daemon=True).start()
    if module not in USING_THEM:
        sys.meta_path.insert(0, _Omission())
    try:
        with gc_paused():
            main = importlib.import_module(module).main
    except MemoryError:
        _reserve.clear()
        raise
    return serve(main)
