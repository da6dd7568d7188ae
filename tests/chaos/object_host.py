"""An S3 server as a process of its own: `python -m tests.chaos.object_host ADDRESS PORT BUCKET`.

It stops at the end of its input.
"""

from __future__ import annotations

import sys

from tests.object_server import ObjectServer

if __name__ == "__main__":
    address, port, bucket = sys.argv[1:]
    server = ObjectServer(address, int(port))
    server.ask("PUT", f"/{bucket}")
    print("ready", flush=True)
    sys.stdin.read()
    server.stop()
