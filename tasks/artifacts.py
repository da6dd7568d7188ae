"""Show trainings and reports in Prefect, without ever waiting long for its server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import cast
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

# What Prefect's client raises if the server is away, does not answer, or answers with an error.
UNREACHABLE = (httpx.HTTPError, PrefectException, RuntimeError)
REQUEST_SECONDS = 5.0
# Each update of an artifact is a request to Prefect's server, which may share its CPUs with the trainings.
PAUSE_SECONDS = 3.0
LAST_UPDATE_SECONDS = 3.0


@contextmanager
def brief_requests() -> Iterator[None]:
    """Give up requests to Prefect's server in the block after five seconds, and do not repeat them."""
    with temporary_settings({PREFECT_API_REQUEST_TIMEOUT: REQUEST_SECONDS, PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


class ProgressArtifact:
    """The progress of one training, or of another long step, in Prefect.

    A thread of its own sends the newest value, so a training never waits for the server. While the server is away,
    older values are dropped. Make it inside the task, whose run the artifact belongs to.
    """

    def __init__(self, training: str, key: str | None = None) -> None:
        self.training, self.logger = training, get_run_logger()
        self._key = key or f"training-{training.replace('_', '-')}"
        self._artifact: UUID | None = None
        self._latest: tuple[float, str] | None = None
        self._changed, self._closing = threading.Event(), threading.Event()
        self._is_away = False
        # The thread sees the settings and the run of the task.
        self._thread = threading.Thread(target=copy_context().run, args=(self._send_all,), daemon=True)
        self._thread.start()

    def update(self, percent: float, description: str) -> None:
        """Show this value as soon as possible; return at once.

        Args:
            percent: 0 to 100.
            description: What the training does, in a few words.
        """
        self._latest = percent, f"{self.training}: {description}"
        self._changed.set()

    def close(self) -> None:
        """Send the last value, and wait for that at most three seconds."""
        self._closing.set()
        self._changed.set()
        self._thread.join(LAST_UPDATE_SECONDS)

    def _send_all(self) -> None:
        with brief_requests():
            while not self._closing.is_set() or self._latest:
                self._changed.wait()
                self._changed.clear()
                if latest := self._latest:
                    self._latest = None
                    self._send(*latest)
                self._closing.wait(PAUSE_SECONDS)

    def _send(self, percent: float, text: str) -> None:
        try:
            if self._artifact is None:
                self._artifact = cast(UUID, create_progress_artifact(percent, key=self._key, description=text))
            else:
                update_progress_artifact(self._artifact, percent, description=text)
            self._is_away = False
        except UNREACHABLE as error:
            # Said once, until the server is back.
            if not self._is_away:
                self.logger.warning("%s: Prefect's server could not be told the progress: %s", self.training, error)
            self._is_away = True
