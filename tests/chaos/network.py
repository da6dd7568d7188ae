"""Several hosts on one machine: network namespaces at one switch, each of which can be cut off from the others."""

from __future__ import annotations

import os
import subprocess
import uuid
from contextlib import suppress
from typing import TextIO

from tests.places import PROJECT_ROOT

SUBNET = "10.77.0"


def find_obstacle() -> str:
    """Return why this process cannot make network namespaces; "" if it can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    name = f"probe-{uuid.uuid4().hex[:6]}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "delete", name)
    except FileNotFoundError:
        return "the command `ip` (package iproute2) is not installed"
    except subprocess.CalledProcessError as error:
        return f"this machine allows no network namespaces: {error.stderr.strip()}"
    return ""


class Network:
    """Hosts with an address each. What they do on their loopback stays with them.

    Attributes:
        addresses: The address of each host, by its name.
    """

    def __init__(self, *hosts: str) -> None:
        self.addresses = {host: f"{SUBNET}.{number}" for number, host in enumerate(hosts, 1)}
        self._prefix = uuid.uuid4().hex[:6]
        self._switch = f"{self._prefix}-switch"
        self._made: list[str] = []
        try:
            self._make_namespace(self._switch)
            _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "bridge", "up")
            for host, address in self.addresses.items():
                self._connect(host, address)
        except BaseException:
            self.close()
            raise

    def _make_namespace(self, name: str) -> None:
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")

    def _connect(self, host: str, address: str) -> None:
        space = self._space_of(host)
        self._make_namespace(space)
        peer = ("peer", "name", "eth0", "netns", space)
        _ip("-n", self._switch, "link", "add", host, "type", "veth", *peer)
        _ip("-n", self._switch, "link", "set", host, "master", "bridge", "up")
        _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")

    def _space_of(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def command_on(self, host: str, *words: str) -> list[str]:
        """Return a command that does another command on a host."""
        return ["ip", "netns", "exec", self._space_of(host), *words]

    def start(self, host: str, words: list[str], environment: dict[str, str], log: TextIO) -> subprocess.Popen[str]:
        """Start a command on a host, in the project's folder."""
        command = self.command_on(host, *words)
        return subprocess.Popen(command, env=environment, cwd=PROJECT_ROOT, stdout=log, stderr=log, text=True)

    def run(self, host: str, words: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """Do a command on a host; return its exit code and all that it printed."""
        done = subprocess.run(
            self.command_on(host, *words),
            env=environment,
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def cut(self, host: str) -> None:
        """Cut a host off: what is sent to it or by it is lost without an answer."""
        _ip("-n", self._switch, "link", "set", host, "down")

    def heal(self, host: str) -> None:
        _ip("-n", self._switch, "link", "set", host, "up")

    def close(self) -> None:
        """Remove all hosts. Their processes must have ended."""
        for name in reversed(self._made):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30)
