"""A temporary Prefect server, which runs as long as one command.

Prefect also starts a server if none is configured, but that server can outlive a command that is killed. This one ends
with its command, so that no process is left behind. It also starts while the flow is imported, which makes a short run
3 s shorter than Prefect's own does.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from pathlib import Path

from storage.proxies import CERTIFICATE_VARIABLES, PROXY_VARIABLES
from tasks.processes.child import exit_with_parent
from tasks.processes.child_process import PROJECT_ROOT
from tasks.processes.environment import make_environment
from tasks.processes.imports import gc_paused

# The project's folder comes first on the path; -P keeps the working folder off it.
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); from flows.cli.temporary_server import serve; serve(int(sys.argv[2]))"
)
START_SECONDS = 120
STOP_SECONDS = 5
ANSWER_SECONDS = 5
# The settings of Prefect's own temporary server: no web pages, and only the services that one run needs.
ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
# Made at set-up: a database with all of Prefect's tables and no run. Making the tables takes five seconds.
EMPTY_DATABASE = Path(sys.prefix) / "share" / "nightly-retraining" / f"prefect-{version('prefect')}.db"


class ServerFailedError(RuntimeError):
    """The temporary server did not start."""


class TemporaryServer:
    """The server's process. It starts at once, answers after `wait`, and is stopped when this process exits."""

    def __init__(self) -> None:
        self.port = _find_free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        # Its own home: the user's database may be locked, damaged, or of another version.
        self._home = Path(tempfile.mkdtemp(prefix="retrain-server-"))
        with suppress(OSError):
            shutil.copyfile(EMPTY_DATABASE, self._home / "prefect.db")
        self._log = (self._home / "log.txt").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", LAUNCH, str(PROJECT_ROOT), str(self.port)],
            cwd=self._home,
            env=_make_server_environment(self._home),
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
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._is_healthy():
                return
            time.sleep(0.05)
        ended = self._process.poll() is not None
        raise ServerFailedError(
            f"Prefect's temporary server {'ended' if ended else f'did not answer within {START_SECONDS} s'}: "
            f"{self._reason()} Set PREFECT_API_URL to use a server of your own."
        )

    def _is_healthy(self) -> bool:
        # Not httpx, which would ask a proxy.
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _reason(self) -> str:
        """Return the first error that the server logged, else its last line."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "ERROR" in line and "Traceback" not in line]
        return next(iter([*errors, *lines[-1:]]), "it logged nothing.")

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
        shutil.rmtree(self._home, ignore_errors=True)
        atexit.unregister(self.stop)


def _make_server_environment(home: Path) -> dict[str, str]:
    """Return the server's environment: without the user's settings of Prefect, and without proxies."""
    environment = {name: value for name, value in make_environment({}).items() if not name.startswith("PREFECT_")}
    for name in (*PROXY_VARIABLES, *map(str.upper, PROXY_VARIABLES), *CERTIFICATE_VARIABLES):
        environment.pop(name, None)
    own = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "TMPDIR": str(home),
    }
    return {**environment, **ENVIRONMENT, **own}


def make_empty_database() -> None:
    """Make the database that temporary servers start from, unless it is there. The set-up calls this.

    Raises:
        OSError: The folder of the environment cannot be written.
    """
    if EMPTY_DATABASE.exists():
        return
    EMPTY_DATABASE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=EMPTY_DATABASE.parent) as home:
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
        environment = _make_server_environment(Path(home))
        subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True, timeout=START_SECONDS)
        (Path(home) / "prefect.db").rename(EMPTY_DATABASE)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(port: int) -> None:
    """Run the server in this process, on loopback, until it is terminated or its parent dies."""
    threading.Thread(target=exit_with_parent, args=(Path(os.environ["PREFECT_HOME"]),), daemon=True).start()
    with gc_paused():
        import uvicorn
        from prefect.server.api.server import create_app

    uvicorn.run(create_app, factory=True, host="127.0.0.1", port=port, log_level="error", lifespan="on")


if __name__ == "__main__":
    make_empty_database()
