"""Run a PostgreSQL server in a temporary folder, on loopback, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.servers import free_port

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
PASSWORD = "only-on-loopback"


class PostgreSQL:
    """The server and its cluster, which `initdb` makes with a password, as in production."""

    def __init__(self, launcher: tuple[str, ...] = ()) -> None:
        """Start the server; `launcher` are the first words of each of its commands."""
        self._launcher = launcher
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.port = free_port()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            shutil.chown(self.folder, "postgres", "postgres")
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            "initdb", "--auth=scram-sha-256", "--username=prefect", f"--pwfile={secret}", "--no-sync", *self._data
        )
        self._control("start", "--options", f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off")

    @property
    def _data(self) -> tuple[str, str]:
        return ("--pgdata", str(self.folder / "data"))

    @property
    def version(self) -> str:
        return INSTALLED[-1].parent.name

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://prefect:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which PostgreSQL's own commands find the server."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "prefect", "PGPASSWORD": PASSWORD}

    def restart(self) -> None:
        """Restart the server and cut every connection, as an upgrade of its package does."""
        self._control("restart", "--mode", "fast")

    def stop(self) -> None:
        self._control("stop", "--mode", "immediate")
        shutil.rmtree(self.folder)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "--wait", "--log", str(self.folder / "log.txt"), *self._data, *arguments)

    def _run(self, command: str, *arguments: str) -> None:
        as_its_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*self._launcher, *as_its_user, str(INSTALLED[-1] / command), *arguments],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    def run_client(self, command: str, *arguments: str) -> None:
        """Run one of PostgreSQL's client commands on this server."""
        subprocess.run(
            [*self._launcher, str(INSTALLED[-1] / command), *arguments],
            env=os.environ | self.environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
