"""The child's side of a supervised process: take requests, send events and answers, and end when the parent does."""

from __future__ import annotations

import importlib
import importlib.abc
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import psutil

from tasks.processes.imports import gc_paused
from tasks.processes.messages import Answered, Event, Failed, Job, Message, adapter, read_line, write_line

BAD_INPUT_EXIT_CODE = 2
FAILURE_EXIT_CODE = 1
# Given back when memory has run out, so that there is some to say so with.
RESERVE_BYTES = 8 << 20
# A child that has grown by this since its first answer ends. A program that XLA has compiled stays in memory as long as
# the process, 20 MB for each training.
MAXIMUM_GROWTH_BYTES = 96 << 20
# The same request would raise them again.
LASTING_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, ImportError, NotImplementedError)

# What a job's module does: takes the request and a function that sends events, and returns the answer.
Main = Callable[[Any, Callable[[Event], None]], Any]

_reserve = [bytearray(RESERVE_BYTES)]


class _Omission(importlib.abc.MetaPathFinder):
    """Makes libraries as if they were not installed."""

    def __init__(self, libraries: tuple[str, ...]) -> None:
        self.libraries = libraries

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> None:
        if fullname in self.libraries:
            raise ModuleNotFoundError(f"{fullname} is left out of child processes", name=fullname)


def serve(main: Main, job: Job[Any, Any]) -> int:
    """Answer requests on standard input with what `main` returns, until one fails or there are no more.

    Messages go to what was standard output; whatever libraries print goes to standard error, so that it cannot tear a
    message. Standard input stays open as long as the parent lives, and its end ends this process.

    Returns:
        The exit code.
    """
    messages = os.dup(1)
    os.dup2(2, 1)

    def send(message: Message) -> None:
        unsent = write_line(message, Message)
        while unsent:
            unsent = unsent[os.write(messages, unsent) :]

    size_at_first = None
    # A line without its end is of a parent that died while it wrote.
    while (line := sys.stdin.buffer.readline()).endswith(b"\n"):
        answer = _answer(main, job, line, send)
        if isinstance(answer, int):
            return answer
        size = psutil.Process().memory_info().rss
        size_at_first = size_at_first or size
        is_last = not job.is_repeatable or size - size_at_first > MAXIMUM_GROWTH_BYTES
        send(Answered(answer, is_last))
        if is_last:
            break
    return 0


def _answer(main: Main, job: Job[Any, Any], line: bytes, send: Callable[[Message], None]) -> str | int:
    """Do the work of one request; return the answer's JSON. If that fails, say so and return the exit code."""
    try:
        answer: str = adapter(job.answer).dump_json(main(read_line(line, job.request), send)).decode()
    # First, because the tuple of the next clause needs memory too.
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


def exit_with_parent() -> None:
    """Wait until standard input ends, which only the parent holds open, and end this process. Reads nothing of it."""
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    os._exit(FAILURE_EXIT_CODE)


def run_module(name: str, *left_out: str) -> int:
    """Import a module that has a `JOB` and a `main`, and serve requests; return the exit code.

    Args:
        name: Dotted.
        left_out: Libraries to do without.
    """
    # Before the import, which takes a while.
    threading.Thread(target=exit_with_parent, daemon=True).start()
    sys.meta_path.insert(0, _Omission(left_out))
    try:
        with gc_paused():
            module = importlib.import_module(name)
    except MemoryError:
        _reserve.clear()
        raise
    return serve(module.main, module.JOB)
