"""Trainings in processes forked from one that has imported TensorFlow, for tests that need many: 0.1 s instead of 4 s.

What they do is the training child's own work, and they die as it would; only who started them is another.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

from storage.records import TrainingResult
from storage.runs import read_training_record
from tasks.processes.training_process import ENVIRONMENT

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.checkpoint_children"])


def run_forked(request: dict[str, Any], events: list[dict[str, Any]] | None = None) -> TrainingResult | None:
    """Return the training's record, or None when SIGKILL ended it; what it sends is added to `events`."""
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_train, args=(request, sender), daemon=True)
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
        result = read_training_record(seen.pop()["result"])
    if events is not None:
        events += seen
    return result


def _train(request: dict[str, Any], sender: Connection) -> None:
    from tasks.training import checkpoints, training
    from tests import checkpoint_children

    def send_event(**event: Any) -> None:
        sender.send(event)

    checkpoints.send_event = training.send_event = send_event
    send_event(result=checkpoint_children.main(request))
