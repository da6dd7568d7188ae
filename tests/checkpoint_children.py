"""A training child that kills itself at a moment that its request names."""

import os
import signal
from typing import Any

from storage.store import Store
from tasks.training import training


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Train, and die after the event of epoch `die_after_epoch` or as `die_before` says."""
    if "die_after_epoch" in request:
        die_after_epoch(request["die_after_epoch"])
    if "die_before" in request:
        die_before(*request["die_before"])
    return training.main(request)


def die_after_epoch(number: int) -> None:
    send_event = training.send_event

    def send_and_die(**event: Any) -> None:
        send_event(**event)
        if event.get("epoch") == number:
            os.kill(os.getpid(), signal.SIGKILL)

    training.send_event = send_and_die


def die_before(method: str, number: int) -> None:
    """Die before the nth call, from 1, of a method of Store with a path among the checkpoints."""
    original, calls = getattr(Store, method), []

    def count(self: Store, path: str, *arguments: Any, **options: Any) -> Any:
        if "/checkpoints" in path:
            calls.append(path)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return original(self, path, *arguments, **options)

    setattr(Store, method, count)
