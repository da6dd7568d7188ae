"""A real browser for what people look at, and a real Prefect server with the deployments on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prefect.client.base import PrefectHttpxSyncClient

from tests.object_server import CREDENTIALS

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
PREFECT = str(Path(sys.executable).with_name("prefect"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name leads anywhere, whatever a page may ask for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# A night that takes a few seconds of training.
NIGHT = {
    "source": "sample",
    "sample_reviews": 400,
    "epochs": 2,
    "maxlen": 40,
    "variants": ["lstm", "gru"],
    "baselines": False,
}
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

LAPTOP = {"width": 1280, "height": 900}

# Says on the console what a page's policy refused, and what a smuggled-in script would do first.
WATCH = """
window.alert = () => console.error("a script ran");
addEventListener("securitypolicyviolation", (event) => console.error("refused by policy", event.violatedDirective));
"""


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: install Debian's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A tab that follows only the addresses in `allowed`, and what it complained about."""

    page: Any
    allowed: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def let_through_or_refuse(self, route):
        if route.request.url in self.allowed:
            route.continue_()
        else:
            self.complaints.append(f"asked for {route.request.url}")
            route.abort()

    def dismiss(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="session")
def tab_of(chromium):
    """Return the tab with scripts, or the one without; each is opened once, for that takes longer than many pages."""

    @cache
    def open_tab(java_script_enabled):
        context = chromium.new_context(java_script_enabled=java_script_enabled)
        context.add_init_script(WATCH)
        context.set_default_timeout(10_000)
        tab = Tab(context.new_page())
        context.route("**/*", tab.let_through_or_refuse)
        tab.page.on("console", lambda message: tab.complaints.append(f"{message.type}: {message.text}"))
        tab.page.on("pageerror", lambda error: tab.complaints.append(f"error: {error}"))
        tab.page.on("dialog", tab.dismiss)
        return tab

    return open_tab


@pytest.fixture
def open_page(tab_of):
    """Open a page as a reader would, from a file or an address, with no network beyond it and the files in `also`.

    At the end nothing else may have been asked for, nobody else's script may have run, and the console must be empty.
    """
    used = []

    def open_address(place, also=(), viewport=LAPTOP, color_scheme="light", java_script_enabled=True):
        tab = tab_of(java_script_enabled)
        used.append(tab)
        address = place.as_uri() if isinstance(place, Path) else place
        tab.allowed |= {address, *(path.as_uri() for path in also)}
        tab.page.set_viewport_size(viewport)
        tab.page.emulate_media(media="screen", color_scheme=color_scheme)
        tab.page.goto(address)
        return tab.page

    yield open_address
    complaints = []
    for tab in used:
        tab.page.goto("about:blank")
        complaints += tab.complaints
        tab.allowed.clear()
        tab.complaints.clear()
    assert complaints == []


@contextmanager
def serve(folder):
    """Serve a folder on loopback; yields the server's address and the growing list of the paths asked for."""
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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"{what} did not happen in {seconds} s")


def end(process):
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def make_environment(folder):
    """Return the environment of a server, its workers and those who talk to it, with everything below `folder`."""
    return {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # As operate/ starts workers; by itself 10.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "RETRAIN_STORE": str(folder / "store"),
    }


def start(command, environment, log):
    """Start one of Prefect's commands in the project's folder."""
    return subprocess.Popen([PREFECT, *command], env=environment, cwd=PROJECT_ROOT, stdout=log, stderr=log)


def start_server(environment, log):
    port = environment["PREFECT_API_URL"].split(":")[2].split("/")[0]
    return start(["server", "start", "--host", "127.0.0.1", "--port", port], environment, log)


def open_client(environment, timeout=30):
    """Return a client that asks again, as all of Prefect does, when SQLite is busy and the server answers 503."""
    return PrefectHttpxSyncClient(base_url=environment["PREFECT_API_URL"], timeout=timeout, raise_on_all_errors=False)


def wait_for_server(client, seconds=180):
    def is_healthy():
        try:
            return client.get("/health").is_success
        except httpx.TransportError:
            return False

    wait_until(is_healthy, seconds, "the server's start")


def deploy(environment):
    """Return what `make deploy` printed."""
    deployed = subprocess.run(
        ["make", "deploy"], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    return deployed.stdout + deployed.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory, object_server, migrated_home):
    """With a bucket's credentials, so that a night can be told to use one."""
    made = make_environment(tmp_path_factory.mktemp("deployment"))
    migrated_home(Path(made["PREFECT_HOME"]))
    return made | CREDENTIALS | {"AWS_ENDPOINT_URL": object_server.url}


@pytest.fixture(scope="module")
def api(environment, tmp_path_factory):
    """A client of a Prefect server to which `make deploy` has deployed, with a worker on its pool."""
    log = (tmp_path_factory.mktemp("logs") / "server-and-worker.txt").open("w")
    server = start_server(environment, log)
    worker = None
    try:
        with open_client(environment) as client:
            wait_for_server(client)
            deploy(environment)
            worker = start(["worker", "start", "--pool", "retraining"], environment, log)
            yield client
    finally:
        for process in filter(None, (worker, server)):
            end(process)
        log.close()


def deployment(api, name):
    return api.get(f"/deployments/name/{name}").raise_for_status().json()


def start_night(api, parameters):
    """Return the id of a flow run of the deployment `smoke` with other parameters."""
    smoke = deployment(api, "nightly-retraining/smoke")["id"]
    created = api.post(f"/deployments/{smoke}/create_flow_run", json={"parameters": parameters})
    return created.raise_for_status().json()["id"]


def kill_whole(*processes):
    """Kill processes and all that they started, at once, as the loss of their machine would; return how many."""
    doomed = [psutil.Process(process.pid) for process in processes]
    doomed += [child for parent in doomed for child in parent.children(recursive=True)]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, timeout=20)
    for process in processes:
        process.wait()
    return len(doomed)
