"""An S3 server on loopback: moto behind a WSGI application that can answer with faults."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from typing import Any

# A WSGI application, and a function that answers a request in its place.
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Fault = Callable[[Application, dict[str, Any], Callable[..., Any]], Iterable[bytes]]


# Tests check that this secret appears nowhere.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "canary/ZmluY2gtc2luZ3M+",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class ObjectServer:
    """moto's S3 server.

    Attributes:
        requests: Method and path of every request.
        url: The server's address.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        # These imports take two seconds, which the collection of tests does not need.
        from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        quiet = type("QuietHandler", (MotoRequestHandler,), {"log": lambda *_arguments: None})
        self.requests: list[tuple[str, str]] = []
        self._faults: list[tuple[str, str, Fault]] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(address, port, self, threaded=True, request_handler=quiet)
        self.url = f"http://{address}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        target = f"{path}?{environ.get('QUERY_STRING', '')}"
        for planned in self._faults:
            if planned[0] == method and re.search(planned[1], target):
                self._faults.remove(planned)
                return planned[2](self._moto, environ, start_response)
        return self._moto(environ, start_response)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, method: str, target: str, fault: Fault, times: int = 1) -> None:
        """Answer the next `times` requests with `fault`.

        Args:
            method: Of the requests.
            target: A regular expression that is searched in path and query.
            fault: The answer.
            times: Number of requests.
        """
        self._faults += [(method, target, fault)] * times

    def behave(self) -> None:
        self._faults.clear()

    def make_bucket(self) -> str:
        name = f"bucket-{uuid.uuid4().hex[:8]}"
        self.ask("PUT", f"/{name}")
        return name

    def ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """Do one request without the store. moto needs a signature, but does not check it."""
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261124/us-east-1/s3/aws4_request",
            # Otherwise moto reads the body as a form and stores nothing.
            "Content-Type": "application/octet-stream",
        }
        request = urllib.request.Request(self.url + target, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            content: bytes = response.read()
        return content

    def list_keys(self, bucket: str) -> list[str]:
        listing = self.ask("GET", f"/{bucket}?list-type=2").decode()
        return re.findall("<Key>(.*?)</Key>", listing)


def answer_busy(_moto: Application, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return _answer("503 Slow Down", "SlowDown", environ, start_response)


def answer_forbidden(
    _moto: Application, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    return _answer("403 Forbidden", "AccessDenied", environ, start_response)


def _answer(status: str, code: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as the test wants it</Message></Error>".encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body))), ("Connection", "close")]
    start_response(status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def answer_after(seconds: float) -> Fault:
    def wait(moto: Application, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(seconds)
        return moto(environ, start_response)

    return wait


def cut_upload(_moto: Application, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read a thousand bytes, and close the connection."""
    environ["wsgi.input"].read(1000)
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    start_response("500 Gone", [("Content-Length", "0")])
    return []


def cut_download(moto: Application, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Send half of the object, and close the connection."""
    content = b"".join(moto(environ, start_response))
    yield content[: len(content) // 2]
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def list_without(key: str) -> Fault:
    """Return a fault that omits a key from a listing, as a store with delayed listings does."""

    def leave_out(moto: Application, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answered: list[Any] = []
        content = b"".join(moto(environ, lambda *answer: answered.extend(answer))).decode()
        content = re.sub(f"<Contents>\\s*<Key>[^<]*{re.escape(key)}</Key>.*?</Contents>", "", content, flags=re.DOTALL)
        headers = [(name, value) for name, value in answered[1] if name.lower() != "content-length"]
        start_response(answered[0], [*headers, ("Content-Length", str(len(content.encode())))])
        return io.BytesIO(content.encode())

    return leave_out
