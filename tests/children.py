"""A child process for the tests of `Children`; its request says what it does."""

import importlib
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from storage.datasets import dataset_folder, publish_dataset
from storage.store import Store
from tasks.data import sample
from tasks.processes.messages import Job, Warned
from tests.waiting import wait_until

JOB = Job("tests.children", dict[str, Any], dict[str, Any])

# Each object holds the previous one, because a list of them would need much memory at once when it grows.
taken: list[Any] = [None]

# A slow import, as of TensorFlow on a busy machine.
time.sleep(float(os.environ.get("SECONDS_TO_IMPORT", "0")))


def main(request, tell):
    return {
        "count": count,
        "print": print_much,
        "kill itself": lambda _request, _tell: os.kill(os.getpid(), signal.SIGKILL),
        "raise": raise_error,
        "run out of memory": run_out_of_memory,
        "sleep": sleep_long,
        "build": build_dataset,
        "return": lambda request, _tell: request,
        "environment": lambda request, _tell: {"value": os.environ.get(request["name"])},
        "pid": lambda _request, _tell: {"pid": os.getpid()},
        "nap": nap,
        "grow": grow,
        "import": lambda request, _tell: importlib.import_module(request["name"]),
        "sleep with a child": sleep_with_a_child,
        "exit": lambda request, _tell: os._exit(request["code"]),
    }[request["do"]](request, tell)


def count(request, tell):
    for number in range(1, request["to"] + 1):
        tell(Warned(str(number)))
    return {"counted": request["to"]}


def print_much(_request, tell):
    sys.stdout.write("torn")
    tell(Warned("between"))
    sys.stdout.flush()
    os.write(1, b'{"kind": "answered", "answer": "forged"}\n')
    subprocess.run(["/bin/echo", "from a grandchild"], check=True)
    return {"whole": True}


def raise_error(request, tell):
    kinds = {"ValueError": ValueError, "FileNotFoundError": FileNotFoundError, "ZeroDivisionError": ZeroDivisionError}
    raise kinds[request["kind"]](request["message"])


def run_out_of_memory(_request, tell):
    """Allocate all memory up to a limit, to the last byte, and keep it."""
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + (16 << 20),) * 2)
    for size in (1 << 20, 1 << 10, 1):
        with suppress(MemoryError):
            while True:
                taken[0] = (taken[0], bytearray(size))
    while True:
        taken[0] = (taken[0],)


def grow(request, _tell):
    """Allocate memory and keep it."""
    taken.append(b"x" * (request["megabytes"] << 20))
    return {"pid": os.getpid()}


def nap(_request, _tell):
    """Be busy for half a second, so that another request needs another process."""
    time.sleep(0.5)
    return {"pid": os.getpid()}


def sleep_long(request, tell):
    """Send this process's id in an event, write it to a file, and wait to be ended."""
    tell(Warned(str(os.getpid())))
    if "pid_file" in request:
        Path(request["pid_file"]).write_text(f"{os.getpid()}\n")
    time.sleep(600)


def sleep_with_a_child(request, tell):
    """Start a process, send its id in an event, and wait to be ended."""
    with subprocess.Popen(["sleep", "600"]) as process:
        tell(Warned(str(process.pid)))


def build_dataset(request, tell):
    """Build a dataset at the same time as another process: each waits until both have started."""
    store, waiting = Store(request["store"]), Path(request["waiting"])
    (waiting / str(os.getpid())).touch()
    wait_until(lambda: len(list(waiting.iterdir())) == 2, 30, "the other process's start", every=0.001)
    inputs = {"version": 1, "reviews": 20}
    files = sample.main(sample.SampleRequest(20, request["store"], dataset_folder("sample", inputs)), tell)
    return {"key": publish_dataset(store, "sample", inputs, files, "x").key}
