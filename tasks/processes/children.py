"""The child processes of one run: give them work, and turn their deaths into ordinary errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tasks.processes.child_process import ChildProcess
from tasks.processes.messages import Answer, Answered, Event, Failed, Job, Request, read_line, write_line


class ChildFailedError(RuntimeError):
    """A child process did not answer: its work failed, it was killed, or it reached its timeout.

    Attributes:
        may_pass: Whether another attempt may succeed.
        log: The end of the child's standard error.
    """

    def __init__(self, message: str, *, may_pass: bool = True, log: str = "") -> None:
        super().__init__(message)
        self.may_pass, self.log = may_pass, log


class BadInputError(ValueError):
    """A child process refused its request, or a file that the request names.

    Attributes:
        may_pass: Whether another attempt may succeed, as after an error of the store.
        log: The end of the child's standard error.
    """

    def __init__(self, message: str, *, may_pass: bool, log: str = "") -> None:
        super().__init__(message)
        self.may_pass, self.log = may_pass, log


class Children:
    """The child processes of one run. All methods may be called from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[ChildProcess] = []
        self._busy: set[ChildProcess] = set()
        self._is_closing = False

    def start_ahead(self, job: Job[Any, Any], count: int) -> None:
        """Start children for a job until `count` are idle, so that their imports overlap with other work."""
        with self._lock:
            waiting = sum(child.serves(job) for child in self._idle)
            self._idle.extend(ChildProcess(job) for _ in range(count - waiting))

    def ask(
        self,
        job: Job[Request, Answer],
        request: Request,
        timeout_seconds: float,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> Answer:
        """Let a child do a job, and return its answer. If the child fails, only this request fails.

        Args:
            job: The kind of work.
            request: Its input.
            timeout_seconds: The child is killed after this time.
            on_event: Called in this thread with each event of the child.

        Raises:
            BadInputError: The child refused its input; the message is the child's.
            ChildFailedError: The child failed, was killed, or reached the timeout.
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
        """End the idle children of a job, to free their memory."""
        with self._lock:
            ended = [child for child in self._idle if child.serves(job)]
            self._idle = [child for child in self._idle if child not in ended]
        for child in ended:
            child.end()

    def close(self) -> None:
        """End every child, and refuse to start more. A pending `ask` raises a `ChildFailedError`."""
        with self._lock:
            self._is_closing = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        # The threads in `ask` wait for these and close them.
        for child in busy:
            child.kill()
        for child in idle:
            child.end()

    def _take(self, job: Job[Any, Any]) -> ChildProcess:
        """Return an idle child of the job or a new one, and count it as busy."""
        with self._lock:
            if self._is_closing:
                raise ChildFailedError("it was not started, because the run is being ended", may_pass=False)
            for child in [one for one in self._idle if one.serves(job)]:
                self._idle.remove(child)
                if child.process.poll() is None:
                    break
                child.end()
            else:
                child = ChildProcess(job)
            self._busy.add(child)
            return child

    def _give_back(self, child: ChildProcess, *, is_usable: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            if is_usable and not self._is_closing:
                self._idle.append(child)
                return
        child.end()

    def _explain(self, child: ChildProcess, last: Failed | None, expired_after: float | None) -> Exception:
        """Return the error to raise for a request without an answer.

        Args:
            child: The child that was asked.
            last: Its last message, None if it died without one.
            expired_after: The timeout in seconds if it was reached, otherwise None.
        """
        if last is None and self._is_closing:
            return ChildFailedError("it was ended with the run", may_pass=False)
        if last is None and expired_after is not None:
            return ChildFailedError(f"it was ended after its timeout of {expired_after:g} s", log=child.read_log())
        if last is None:
            return ChildFailedError(child.explain_death(), log=child.read_log())
        kind = BadInputError if last.is_bad_input else ChildFailedError
        return kind(last.error, may_pass=last.may_pass, log=child.read_log())


_started_ahead: ContextVar[Children] = ContextVar("started_ahead")


@contextmanager
def children_of_command() -> Iterator[Children]:
    """Yield children for the flow that the block calls, so that they can start before the flow is imported."""
    children = Children()
    token = _started_ahead.set(children)
    try:
        yield children
    finally:
        _started_ahead.reset(token)
        children.close()


@contextmanager
def children_of_run() -> Iterator[Children]:
    """Yield the children of `children_of_command`, or new ones without it, and end them with the block.

    If the flow is interrupted, its trainings still run in threads. Ending their children ends these threads too.
    """
    children = _started_ahead.get(None) or Children()
    try:
        yield children
    finally:
        children.close()
