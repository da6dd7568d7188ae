"""The command's temporary Prefect server starts, answers, and leaves no process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import httpx
import psutil
import pytest

from flows.cli import temporary_server
from flows.cli.temporary_server import ServerFailedError, TemporaryServer
from tests.places import PROJECT_ROOT
from tests.processes import is_gone
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("migrated_home")]

START = """
from flows.cli.temporary_server import TemporaryServer
server = TemporaryServer()
server.wait()
print(server._process.pid, flush=True)
input()
"""


@pytest.fixture
def server():
    started = TemporaryServer()
    yield started
    started.stop()


def is_listening(port: int) -> bool:
    return any(one.laddr.port == port for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN)


def test_a_server_answers_on_loopback_alone_and_ends_if_it_is_stopped(server):
    server.wait()
    assert httpx.get(f"{server.url}/health").json() is True
    process = psutil.Process(server._process.pid)
    processes = [process, *process.children(recursive=True)]
    listening = [
        one.laddr for each in processes for one in each.net_connections("inet") if one.status == psutil.CONN_LISTEN
    ]
    assert [address.port for address in listening] == [server.port]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    # UDP sockets have no state, so that none may exist.
    assert [one for each in processes for one in each.net_connections("udp")] == []
    server.stop()
    assert not is_listening(server.port)


def test_the_error_of_a_server_that_cannot_start_has_its_last_log_line(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        monkeypatch.setattr(temporary_server, "_find_free_port", lambda: occupant.getsockname()[1])
        started = TemporaryServer()
        try:
            started._process.wait(60)
            with pytest.raises(ServerFailedError) as caught:
                started.wait()
        finally:
            started.stop()
    assert str(caught.value).startswith("Prefect's temporary server ended: ")
    assert "address already in use" in str(caught.value)
    assert str(caught.value).endswith("Set PREFECT_API_URL to use a server of your own.")


def test_a_server_whose_command_is_killed_ends():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", START], cwd=PROJECT_ROOT, **pipes) as command:
        pid = int(command.stdout.readline())
        assert psutil.pid_exists(pid)
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
    wait_until(lambda: is_gone(pid), 20, "the end of the server")
