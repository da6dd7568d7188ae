"""The parent's side of one child process: start it, send it a request, read its messages, and end it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tasks.processes.environment import make_environment
from tasks.processes.messages import Answered, Event, Failed, Job, Message, read_line

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# How much of a log is kept with a failure.
LOG_LINES, LOG_LENGTH = 20, 2000
# The project's folder comes first on the path, before any other `tasks`; -P keeps the working folder off it.
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from tasks.processes.child import run_module; sys.exit(run_module(*sys.argv[1:]))"
)


class ChildProcess:
    """A child process for one kind of job: a fresh interpreter, never a fork.

    It ends itself if this process dies: it watches its standard input, which only this process holds open.
    """

    def __init__(self, job: Job[Any, Any]) -> None:
        self.module, self.environment = job.module, job.environment
        # The process may be killed at any time, and then it cannot remove its temporary files itself.
        self.folder = Path(tempfile.mkdtemp(prefix="retrain-"))
        self.stderr = (self.folder / "stderr.txt").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", LAUNCH, str(PROJECT_ROOT), job.module, *job.leaves_out],
            cwd=PROJECT_ROOT,
            env={**make_environment(job.environment), "TMPDIR": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            # Ctrl-C at the terminal must reach the flow alone, which then ends its children in order.
            start_new_session=True,
        )

    def serves(self, job: Job[Any, Any]) -> bool:
        """Return whether this process can do the job: it has the same module and the same environment."""
        return (self.module, self.environment) == (job.module, job.environment)

    def ask(self, request: bytes, on_event: Callable[[Event], None]) -> Answered | Failed | None:
        """Send a request, and return the last message; None if the process died without one.

        Args:
            request: One line of JSON.
            on_event: Called with each event before the last message.

        Raises:
            ValueError: The process sent a line that is not a message.
        """
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the child must be started with pipes")
        try:
            stdin.write(request)
            stdin.flush()
        except BrokenPipeError:
            return None
        for line in stdout:
            if not line.endswith(b"\n"):
                # The process was killed while it wrote the message.
                return None
            message = read_line(line, Message)
            if isinstance(message, (Answered, Failed)):
                return message
            on_event(message)
        return None

    def kill(self) -> None:
        """Kill the process and everything in its session, if it still runs."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process if it still runs, and close its pipes and remove its files."""
        self.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            if stream:
                # Closing flushes the buffer into the pipe of a dead process.
                with suppress(BrokenPipeError):
                    stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def explain_death(self) -> str:
        """Wait for the process, and return how it ended and the last line of its standard error."""
        returncode = self.process.wait()
        lines = _read_lines(self.stderr)
        reason = f"it ended with exit code {returncode}"
        if returncode < 0:
            reason = f"it was killed by {signal.Signals(-returncode).name}"
            if -returncode == signal.SIGKILL:
                reason += " (the system does that when memory runs out)"
        return f"{reason}; the last line of its errors: {lines[-1]}" if lines else reason

    def read_log(self) -> str:
        """Return the end of the process's standard error: at most 20 lines and 2,000 characters."""
        return "\n".join(_read_lines(self.stderr)[-LOG_LINES:])[-LOG_LENGTH:]


def _read_lines(stderr: IO[bytes]) -> list[str]:
    """Return the lines of a child's standard error, without "Exception ignored", which is never the cause."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return [line for line in lines if not line.startswith("Exception ignored")]
