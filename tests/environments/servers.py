"""Servers on loopback that are not what a run expects. They end with the process."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(answers: dict[str, tuple[int, str]], otherwise: tuple[int, str], noted: list[str] | None = None) -> str:
    """Start a server; return its address.

    Args:
        answers: By path, the status and the text.
        otherwise: The answer of all other paths.
        noted: Gets each request's address.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            if noted is not None:
                noted.append(self.path)
            status, text = answers.get(self.path, otherwise)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_CONNECT = answer

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def listen_silently() -> tuple[str, socket.socket]:
    """Return an address that takes connections and never answers, and its socket."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    return f"http://127.0.0.1:{listener.getsockname()[1]}", listener


def find_closed_port() -> str:
    """Return an address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
