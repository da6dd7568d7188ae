"""A training child that kills itself at a moment that its request names."""

import os
import signal
from typing import Any

from storage.store import Store
from tasks import training_child


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Train, and die before the given call, from 1, of the given method of Store in the checkpoints' folder."""
    method, number = request["die_before"]
    original, calls = getattr(Store, method), []

    def counted(self: Store, path: str, *arguments: Any, **options: Any) -> Any:
        if "/checkpoints" in path:
            calls.append(path)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return original(self, path, *arguments, **options)

    setattr(Store, method, counted)
    return training_child.main(request)
