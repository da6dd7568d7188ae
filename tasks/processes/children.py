"""Child processes that one run owns: ask them for work, and turn their deaths into ordinary errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from tasks.processes.messages import (
    Answer,
    Answered,
    Event,
    Failed,
    Job,
    Message,
    Request,
    read_line,
    write_line,
)

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LAUNCH = "import sys; from tasks.processes.child import run_module; sys.exit(run_module(*sys.argv[1:]))"


class ChildFailedError(RuntimeError):
    """A child process gave no answer: its work failed, it was killed, or it ran out of time.

    Attributes:
        may_pass: Whether another attempt may succeed.
    """

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class BadInputError(ValueError):
    """A child process refused its request, or a file that the request names.

    Attributes:
        may_pass: Whether another attempt may succeed, because a store did not answer.
    """

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class _Child:
    """A child process for one kind of job. It is a fresh interpreter, never a fork.

    It ends itself when this process dies: it watches its standard input, which only this process holds open.
    """

    def __init__(self, job: Job[Any, Any]) -> None:
        self.module, self.environment = job.module, job.environment
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, job.module, *job.leaves_out],
            cwd=PROJECT_ROOT,
            env={**os.environ, **job.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            # A Ctrl-C at the terminal is for the flow, which then ends its children in order.
            start_new_session=True,
        )

    def serves(self, job: Job[Any, Any]) -> bool:
        return (self.module, self.environment) == (job.module, job.environment)

    def ask(self, request: bytes, on_event: Callable[[Event], None]) -> Answered | Failed | None:
        """Send a request, pass events on, and return the last message; None if the child died without one."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the child must be started with pipes")
        try:
            stdin.write(request)
            stdin.flush()
        except BrokenPipeError:
            return None
        for line in stdout:
            if not line.endswith(b"\n"):
                # Killed in the middle of a message.
                return None
            message = read_line(line, Message)
            if isinstance(message, (Answered, Failed)):
                return message
            on_event(message)
        return None

    def kill(self) -> None:
        """Kill the process if it still runs, and all that it has started, which is in its session."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process if it still runs, and close what it had open."""
        self.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            if stream:
                # What is still in the buffer for a dead child has nowhere to go.
                with suppress(BrokenPipeError):
                    stream.close()

    def explain_death(self) -> str:
        """Return how the process ended, with the last line that it wrote to standard error."""
        returncode = self.process.wait()
        lines = _read_lines(self.stderr)
        reason = f"it ended with exit code {returncode}"
        if returncode < 0:
            reason = f"it was killed by {signal.Signals(-returncode).name}"
            if -returncode == signal.SIGKILL:
                reason += " (the system does that when memory runs out)"
        return f"{reason}; its last words: {lines[-1]}" if lines else reason


def _read_lines(stderr: IO[bytes]) -> list[str]:
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    # "Exception ignored" lines are never the cause.
    return [line for line in lines if not line.startswith("Exception ignored")]


class Children:
    """The child processes of one run. All methods may be called from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._is_closing = False

    def start_ahead(self, job: Job[Any, Any], count: int) -> None:
        """Have up to `count` children wait for requests of a job, so that they import while other work goes on."""
        with self._lock:
            waiting = sum(child.serves(job) for child in self._idle)
            self._idle.extend(_Child(job) for _ in range(count - waiting))

    def ask(
        self,
        job: Job[Request, Answer],
        request: Request,
        timeout_seconds: float,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> Answer:
        """Have a child do a job, and return its answer. A child that fails costs this request alone.

        Args:
            job: What to do.
            request: With what.
            timeout_seconds: After it the child is killed.
            on_event: Called in this thread with each event that the child sends.

        Raises:
            BadInputError: The child refused its input; the message is the child's.
            ChildFailedError: The child failed, was killed, or took too long.
        """
        child = self._take(job)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            child.kill()

        timer = threading.Timer(timeout_seconds, expire)
        timer.daemon = True
        timer.start()
        last = None
        try:
            last = child.ask(write_line(request, job.request), on_event)
            if isinstance(last, Answered):
                answer: Answer = read_line(last.answer, job.answer)
                return answer
            raise self._explain(child, last, timeout_seconds if expired.is_set() else None)
        finally:
            timer.cancel()
            self._give_back(child, is_usable=isinstance(last, Answered) and not last.is_last)

    def end_idle(self, job: Job[Any, Any]) -> None:
        """End the children that wait for requests of a job, which needs their memory no longer."""
        with self._lock:
            ended = [child for child in self._idle if child.serves(job)]
            self._idle = [child for child in self._idle if child not in ended]
        for child in ended:
            child.end()

    def close(self) -> None:
        """End every child, and start no other. Who waits for an answer gets a `ChildFailedError`."""
        with self._lock:
            self._is_closing = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        # Their own threads wait for them.
        for child in busy:
            child.kill()
        for child in idle:
            child.end()

    def _take(self, job: Job[Any, Any]) -> _Child:
        """Return a child that waits, or a new one, and note that it is at work."""
        with self._lock:
            if self._is_closing:
                raise ChildFailedError("it was not started, because the run is being ended", may_pass=False)
            for child in [one for one in self._idle if one.serves(job)]:
                self._idle.remove(child)
                if child.process.poll() is None:
                    break
                child.end()
            else:
                child = _Child(job)
            self._busy.add(child)
            return child

    def _give_back(self, child: _Child, *, is_usable: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            if is_usable and not self._is_closing:
                self._idle.append(child)
                return
        child.end()

    def _explain(self, child: _Child, last: Failed | None, expired_after: float | None) -> Exception:
        """Return the error to raise for a request without an answer."""
        if last is None and self._is_closing:
            return ChildFailedError("it was ended with the run", may_pass=False)
        if last is None and expired_after is not None:
            return ChildFailedError(f"it was ended after its timeout of {expired_after:g} s")
        if last is None:
            return ChildFailedError(child.explain_death())
        kind = BadInputError if last.is_bad_input else ChildFailedError
        return kind(last.error, may_pass=last.may_pass)


_started_ahead: ContextVar[Children] = ContextVar("started_ahead")


@contextmanager
def children_of_command() -> Iterator[Children]:
    """Yield children for the flow that is called in the block, so that they start before the flow is imported."""
    children = Children()
    token = _started_ahead.set(children)
    try:
        yield children
    finally:
        _started_ahead.reset(token)
        children.close()


@contextmanager
def children_of_run() -> Iterator[Children]:
    """Yield the children that the command has started for this run, or new ones, and end them with the block.

    An interrupted flow leaves the block while its trainings still run in threads that nothing else would end.
    """
    children = _started_ahead.get(None) or Children()
    try:
        yield children
    finally:
        children.close()
