"""The outcome of a run, kept in this process in case Prefect's server cannot be told of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from storage.records import Run


class Outcome:
    """What a flow leaves before it returns.

    Attributes:
        run: The published run; None until then.
        is_over: Set when only Prefect has anything left to do.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.is_over = threading.Event()


# Ids of the runs that this process has published.
_published: list[str] = []

_outcome: ContextVar[Outcome | None] = ContextVar("outcome", default=None)


@contextmanager
def expect_outcome() -> Iterator[Outcome]:
    """Yield the outcome of the flow that the block calls."""
    outcome = Outcome()
    token = _outcome.set(outcome)
    try:
        yield outcome
    finally:
        _outcome.reset(token)


def leave_outcome(run: Run, *, is_over: bool = True) -> None:
    """Keep a published run for the caller of the flow, if it expects one.

    Args:
        run: Its record.
        is_over: Whether only Prefect has anything left to do.
    """
    _published.append(run.run_id)
    outcome = _outcome.get()
    if outcome:
        outcome.run = run
        if is_over:
            outcome.is_over.set()


def describe_interruption() -> str:
    """Return what an interrupted command says: whether this process had published a run by then."""
    return f"interrupted; run {_published[-1]} was published" if _published else "interrupted; no run was published"
