"""A temporary Prefect server, which runs as long as one command.

Prefect also starts a server if none is configured, but that server can outlive a command that is killed. This one ends
with its command, so that no process is left behind.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

from tasks.processes.child import exit_with_parent
from tasks.processes.imports import gc_paused

LAUNCH = "import sys; from flows.cli.temporary_server import serve; serve(int(sys.argv[1]))"
START_SECONDS = 120
STOP_SECONDS = 5
# The settings of Prefect's own temporary server: no web pages, and only the services that one run needs.
ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


class ServerFailedError(RuntimeError):
    """The temporary server did not start."""


class TemporaryServer:
    """The server's process. It starts at once, answers after `wait`, and is stopped when this process exits."""

    def __init__(self) -> None:
        self.port = _find_free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process, by `stop`
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(self.port)],
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            # Ctrl-C must reach the flow only: the flow then still reports its state to the server.
            start_new_session=True,
        )
        # Exit functions run in reverse order: those that Prefect registers later still send its last log records.
        atexit.register(self.stop)

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            ServerFailedError: The server ended, or did not answer within 120 s.
        """
        import httpx

        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health", timeout=STOP_SECONDS).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        ended = self._process.poll() is not None
        raise ServerFailedError(
            f"Prefect's temporary server {'ended' if ended else f'did not answer within {START_SECONDS} s'}: "
            f"{self._reason()} Set PREFECT_API_URL to use a server of your own."
        )

    def _reason(self) -> str:
        """Return the first error that the server logged, else its last line."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return next((line for line in lines if "ERROR" in line), lines[-1] if lines else "it logged nothing.")

    def stop(self) -> None:
        """Ask the process to end, and kill it if it still runs after 5 s."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._log.close()
        atexit.unregister(self.stop)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(port: int) -> None:
    """Run the server in this process, on loopback, until it is terminated or its parent dies."""
    threading.Thread(target=exit_with_parent, daemon=True).start()
    with gc_paused():
        import uvicorn
        from prefect.server.api.server import create_app

    uvicorn.run(create_app, factory=True, host="127.0.0.1", port=port, log_level="error", lifespan="on")
