"""Serve files on loopback, as a web server serves the reports."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serve(folder):
    """Serve a folder on loopback; yield the server's address and the growing list of requested paths."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def send_response(self, code, message=None):
            asked.append(self.path)
            super().send_response(code, message)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
