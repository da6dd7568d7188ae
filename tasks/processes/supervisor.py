"""Run a module in a fresh child process, hear its events, and turn its death into an ordinary error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LAUNCH = "import sys; from tasks.processes.child import run_module; sys.exit(run_module(sys.argv[1]))"
NO_CHANGES: Mapping[str, str] = MappingProxyType({})


class ChildFailedError(RuntimeError):
    """A child process ended without a result: it crashed, was killed, or ran out of time."""


class _Supervision:
    """The children of one flow run, and whether they are being ended."""

    def __init__(self) -> None:
        self.children: set[subprocess.Popen[bytes]] = set()
        self.closing = threading.Event()


# Prefect hands a flow's context variables on to the threads of its tasks.
_supervision: ContextVar[_Supervision] = ContextVar("supervision")


@contextmanager
def supervise_children() -> Iterator[None]:
    """End every child that was started in the block when the block is left by an exception, and start no other.

    That is how an interrupted flow leaves it, while its trainings still run in threads that nothing else would end.
    """
    supervision = _Supervision()
    token = _supervision.set(supervision)
    try:
        yield
    except BaseException:
        supervision.closing.set()
        for process in list(supervision.children):
            _kill(process)
        raise
    finally:
        _supervision.reset(token)
        end_prepared_children()


def is_closing() -> bool:
    """Return whether the flow is ending its children, so that none of them is worth starting again."""
    supervision = _supervision.get(None)
    return supervision is not None and supervision.closing.is_set()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a child if it still runs, with all that it has started, which is in its session."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class _Child(NamedTuple):
    """A child process that has not been given its request."""

    module: str
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]

    def end(self) -> None:
        """Kill the process if it still runs, and close what it had open."""
        _kill(self.process)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            if stream:
                # What is still in the buffer for a dead child has nowhere to go.
                with suppress(BrokenPipeError):
                    stream.close()


_prepared: list[_Child] = []
_preparing = threading.Lock()


def prepare_children(module: str, count: int, environment: Mapping[str, str] = NO_CHANGES) -> None:
    """Start up to `count` children ahead of their requests, so that they import while other work goes on.

    `run_child` takes one with the same module and environment where there is one. Whoever calls this also calls
    `end_prepared_children`; a child whose parent dies before it asks ends itself.
    """
    with _preparing:
        waiting = sum(child.module == module for child in _prepared)
        _prepared.extend(_start(module, environment) for _ in range(count - waiting))


def end_prepared_children() -> None:
    """End the children that were prepared and never asked."""
    with _preparing:
        for child in _prepared:
            child.end()
        _prepared.clear()


def _take_prepared(module: str, environment: Mapping[str, str]) -> _Child | None:
    with _preparing:
        for child in _prepared[:]:
            if (child.module, child.environment) == (module, environment):
                _prepared.remove(child)
                if child.process.poll() is None:
                    return child
                child.end()
    return None


def _start(module: str, environment: Mapping[str, str]) -> _Child:
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child, by `_Child.end`
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, module],
        cwd=PROJECT_ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        # A Ctrl-C at the terminal is for the flow, which then ends its children in order.
        start_new_session=True,
    )
    return _Child(module, environment, process, stderr)


def run_child(
    module: str,
    request: dict[str, Any],
    timeout_seconds: float,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
    environment: Mapping[str, str] = NO_CHANGES,
) -> dict[str, Any]:
    """Run a module's `main` with `request` in a child process, and return its result.

    The child is a fresh interpreter, never a fork, and ends itself when this process dies: it watches its standard
    input, which only this process holds open.

    Args:
        module: Has a function `main` that takes the request and returns the result.
        request: JSON.
        timeout_seconds: After it the child is killed.
        on_event: Called in this thread with each event that the child sends.
        environment: Variables to set beside the inherited ones.

    Raises:
        ValueError: The child refused its input; the message is the child's.
        ChildFailedError: The child failed, was killed, or took too long.
    """
    if is_closing():
        raise ChildFailedError("it was not started, because the run is being ended")
    child = _take_prepared(module, environment) or _start(module, environment)
    process = child.process
    supervision = _supervision.get(None) or _Supervision()
    supervision.children.add(process)
    if is_closing():
        _kill(process)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _kill(process)

    timer = threading.Timer(timeout_seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        answer = _converse(process, request, on_event)
        returncode = process.wait()
        return _judge(answer, returncode, child.stderr, timeout_seconds if expired.is_set() else None)
    finally:
        timer.cancel()
        child.end()
        supervision.children.discard(process)


def _judge(answer: dict[str, Any], returncode: int, stderr: IO[bytes], expired_after: float | None) -> dict[str, Any]:
    """Return a child's result, or raise what became of it."""
    if "result" in answer and returncode == 0:
        result: dict[str, Any] = answer["result"]
        return result
    if answer.get("bad_input"):
        raise ValueError(answer["error"])
    if is_closing():
        raise ChildFailedError("it was ended with the run")
    if expired_after is not None:
        raise ChildFailedError(f"it was ended after its timeout of {expired_after:g} s")
    raise ChildFailedError(answer.get("error") or _explain_death(returncode, stderr))


def _converse(
    process: subprocess.Popen[bytes], request: dict[str, Any], on_event: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Send the request, pass events on, and return the last event, which holds a result or an error."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the child must be started with pipes")
    try:
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
    except BrokenPipeError:
        return {}
    for line in stdout:
        if not line.endswith(b"\n"):
            # Killed in the middle of a word.
            break
        event: dict[str, Any] = json.loads(line)
        if "result" in event or "error" in event:
            return event
        on_event(event)
    return {}


def _explain_death(returncode: int, stderr: IO[bytes]) -> str:
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    # What Python could not even report, at the end of its memory or of its life, is never the reason.
    lines = [line for line in lines if not line.startswith("Exception ignored")]
    reason = f"it ended with exit code {returncode}"
    if returncode < 0:
        reason = f"it was killed by {signal.Signals(-returncode).name}"
        if -returncode == signal.SIGKILL:
            reason += " (the system does that when memory runs out)"
    return f"{reason}; its last words: {lines[-1]}" if lines else reason
