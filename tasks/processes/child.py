"""The child's side of a child process: read requests, send events and answers, and end when the parent ends."""

from __future__ import annotations

import importlib
import importlib.abc
import os
import select
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.processes.imports import gc_paused
from tasks.processes.messages import Answered, Event, Failed, Job, Message, get_adapter, read_line, write_line

BAD_INPUT_EXIT_CODE = 2
FAILURE_EXIT_CODE = 1
# Freed if memory runs out, so that there is enough to report it.
RESERVE_BYTES = 8 << 20
# A child ends after an answer if it has grown by more than this since its first one. It grows because programs that XLA
# has compiled stay in memory until the process ends: 20 MB for each training.
MAXIMUM_GROWTH_BYTES = 96 << 20
# Errors that another attempt would raise again.
LASTING_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, ImportError, NotImplementedError)

# The `main` of a job's module: takes the request and a function that sends events, and returns the answer.
Main = Callable[[Any, Callable[[Event], None]], Any]

_reserve = [bytearray(RESERVE_BYTES)]


class _Omission(importlib.abc.MetaPathFinder):
    """Raises for the import of some libraries, as if they were not installed."""

    def __init__(self, libraries: tuple[str, ...]) -> None:
        self.libraries = libraries

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> None:
        if fullname in self.libraries:
            raise ModuleNotFoundError(f"{fullname} is left out of child processes", name=fullname)


def serve(main: Main, job: Job[Any, Any]) -> int:
    """Read requests from standard input and answer them with `main`, until one fails or standard input ends.

    Messages go to the original standard output. Prints of libraries go to standard error, so that they do not mix with
    messages. The parent keeps standard input open as long as it lives.

    Args:
        main: Does the work of one request.
        job: The types of requests and answers.

    Returns:
        The exit code.
    """
    messages = os.dup(1)
    os.dup2(2, 1)

    def send(message: Message) -> None:
        unsent = write_line(message, Message)
        while unsent:
            unsent = unsent[os.write(messages, unsent) :]

    size_at_first = 0
    # A line without a line end means that the parent died while it wrote.
    while (line := sys.stdin.buffer.readline()).endswith(b"\n"):
        answer = _answer(main, job, line, send)
        if isinstance(answer, int):
            return answer
        size = _measure_memory() if job.is_repeatable else 0
        size_at_first = size_at_first or size
        is_last = not job.is_repeatable or size - size_at_first > MAXIMUM_GROWTH_BYTES
        send(Answered(answer, is_last))
        if is_last:
            break
    return 0


def _measure_memory() -> int:
    """Return the bytes of memory that this process occupies; 0 if the system does not tell."""
    # Imported late: a child that answers one request does not need it.
    import psutil

    try:
        size: int = psutil.Process().memory_info().rss
    except (psutil.Error, OSError):
        return 0
    return size


def _answer(main: Main, job: Job[Any, Any], line: bytes, send: Callable[[Message], None]) -> str | int:
    """Do the work of a request, and return the answer as JSON. If it fails, send a message and return the exit code."""
    try:
        answer: str = get_adapter(job.answer).dump_json(main(read_line(line, job.request), send)).decode()
    # Handle MemoryError first: evaluating the next `except` allocates memory.
    except MemoryError as error:
        _reserve.clear()
        send(Failed(f"it ran out of memory: {str(error) or 'Python got none'}", is_bad_input=False, may_pass=True))
        return FAILURE_EXIT_CODE
    except (ValueError, OSError) as error:
        send(Failed(str(error), is_bad_input=True, may_pass=isinstance(error, OSError)))
        return BAD_INPUT_EXIT_CODE
    except Exception as error:
        traceback.print_exc()
        last_line = traceback.format_exception_only(error)[-1].strip()
        send(Failed(last_line, is_bad_input=False, may_pass=not isinstance(error, LASTING_ERRORS)))
        return FAILURE_EXIT_CODE
    return answer


def exit_with_parent(folder: Path) -> None:
    """Wait for the end of standard input, which only the parent holds open, and end this process. Reads nothing.

    Args:
        folder: The folder that the parent has made for this process, and can no longer remove itself.
    """
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(FAILURE_EXIT_CODE)


def run_module(name: str, *left_out: str) -> int:
    """Import a module with a `JOB` and a `main`, and serve its requests.

    Args:
        name: The module's dotted name.
        left_out: Libraries whose import is refused.

    Returns:
        The exit code.
    """
    # Started before the import, which may take seconds.
    threading.Thread(target=exit_with_parent, args=(Path(os.environ["TMPDIR"]),), daemon=True).start()
    sys.meta_path.insert(0, _Omission(left_out))
    try:
        with gc_paused():
            module = importlib.import_module(name)
    except MemoryError:
        _reserve.clear()
        raise
    return serve(module.main, module.JOB)
