"""A training's process that kills itself at a moment that its request names."""

import math
import os
import signal
from dataclasses import dataclass
from typing import Any

from storage.store import Store
from tasks.processes.messages import EpochFinished
from tasks.training import checkpoints, training
from tasks.training.training_request import TrainingRequest


@dataclass(frozen=True)
class CheckpointedTraining:
    """A training, how often it is saved, and when it is killed.

    Attributes:
        request: The training.
        every_epochs: Epochs between two checkpoints.
        die_after_epoch: The epoch, from 1, after which the process dies.
        die_before: A method of `Store` and a number n, from 1: the process dies before the nth call.
    """

    request: TrainingRequest
    every_epochs: int = 2
    die_after_epoch: int | None = None
    die_before: tuple[str, int] | None = None


def main(asked, tell):
    """Train, and die at the moment that was asked for. Changes modules, so it needs a process of its own."""
    checkpoints.EVERY_EPOCHS, checkpoints.COST_SHARE = asked.every_epochs, math.inf

    def tell_and_die(event):
        tell(event)
        if isinstance(event, EpochFinished) and event.epoch == asked.die_after_epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    if asked.die_before:
        die_before(*asked.die_before)
    return training.main(asked.request, tell_and_die)


def die_before(method: str, number: int) -> None:
    """Die before the nth call, from 1, of a method of `Store` with the path of a checkpoint."""
    original, calls = getattr(Store, method), []

    def count(self: Store, path: str, *arguments: Any, **options: Any) -> Any:
        if "/checkpoints" in path:
            calls.append(path)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return original(self, path, *arguments, **options)

    setattr(Store, method, count)
