"""Trainings in processes that are forked after the import of TensorFlow: each starts in 0.1 s instead of 4 s.

They do the same work as a training's child process, and can be killed like it. Only the start differs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

from storage.records import TrainingResult
from tasks.processes.messages import Event
from tasks.training.training_request import ENVIRONMENT, TrainingRequest

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.checkpoint_children"])


def run_forked(asked: TrainingRequest | Any, events: list[Event] | None = None) -> TrainingResult | None:
    """Run a training; return its record, or None if it was killed.

    Args:
        asked: A request, or a `CheckpointedTraining`.
        events: The training's events are added to it.
    """
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_train, args=(asked, sender), daemon=True)
    with patch.dict(os.environ, ENVIRONMENT):
        process.start()
    sender.close()
    seen = []
    while receiver.poll(120):
        try:
            seen.append(receiver.recv())
        except EOFError:
            break
    process.join(10)
    if process.exitcode == -signal.SIGKILL:
        result = None
    else:
        assert process.exitcode == 0, f"the training ended with {process.exitcode}"
        result = seen.pop()
    if events is not None:
        events += seen
    return result


def _train(asked: TrainingRequest | Any, sender: Connection) -> None:
    from tasks.training import training
    from tests import checkpoint_children

    main = training.main if isinstance(asked, TrainingRequest) else checkpoint_children.main
    sender.send(main(asked, sender.send))
