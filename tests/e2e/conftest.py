"""A real browser, and a real Prefect server with the project's deployments."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from storage.store import Store
from tests.e2e.postgresql import INSTALLED, PostgreSQL
from tests.e2e.servers import deploy, end, make_environment, open_client, prefect_server, start_worker, upgrade
from tests.object_server import CREDENTIALS
from tests.stubs import STUB

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The browser can reach this machine only.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

LAPTOP = {"width": 1280, "height": 900}

# Writes to the console if the page's policy refused something, or if an injected script called `alert`.
WATCH = """
window.alert = () => console.error("a script ran");
addEventListener("securitypolicyviolation", (event) => console.error("refused by policy", event.violatedDirective));
"""


@pytest.fixture(scope="module")
def chromium():
    """Ends with the test file: it gives its thread an event loop, in which Prefect's functions return coroutines."""
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
    """A tab that opens only the addresses in `allowed`, and notes all else in `complaints`."""

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


@pytest.fixture(scope="module")
def tab_of(chromium):
    """Return the tab with scripts or the one without. Each is opened once, because opening takes longer than a test."""

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
    """Open a page from a file or an address; it may load nothing else but the files in `also`.

    The test fails if the page asks for anything else, runs an injected script, or writes to the console.
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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL | None]:
    """A PostgreSQL server if one is installed, else None."""
    server = PostgreSQL() if INSTALLED else None
    try:
        yield server
    finally:
        if server:
            server.stop()


@pytest.fixture(scope="session")
def environment(tmp_path_factory, migrated_home, object_server, postgresql):
    """The environment of a Prefect server that the tests of this process share, with a bucket's credentials.

    Its database is empty but for the tables. It is on PostgreSQL if that is installed, as in production with several
    workers: on SQLite the server sometimes stands still for a minute.
    """
    folder = tmp_path_factory.mktemp("server")
    made = make_environment(folder) | CREDENTIALS | {"AWS_ENDPOINT_URL": object_server.url}
    if postgresql:
        postgresql.run_client("createdb", "shared")
        made["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = postgresql.url("shared")
        upgrade(made)
    else:
        migrated_home(Path(made["PREFECT_HOME"]))
    with (folder / "server.txt").open("w") as log, prefect_server(made, log):
        yield made


@dataclass
class Site:
    """A server with the deployments, and its workers. Their trainings are stubs, except for the seed `REAL_SEED`."""

    api: Any
    environment: dict[str, str]
    log: Any
    workers: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start_worker(self, pool: str, name: str) -> subprocess.Popen:
        """Return a running worker of a pool, with one flow run at a time; start it if it does not run."""
        there = self.workers.get(name)
        if there is None or there.poll() is not None:
            self.workers[name] = start_worker(pool, self.environment, self.log, "--limit", "1", "--name", name)
        return self.workers[name]

    @property
    def store(self) -> Store:
        """The store that the workers' environment names."""
        return Store(self.environment["RETRAIN_STORE"])


@pytest.fixture(scope="session")
def deployed_site(environment, tmp_path_factory) -> Iterator[Site]:
    """The shared server with the deployments, and without workers at first."""
    with (tmp_path_factory.mktemp("workers") / "log.txt").open("w") as log, open_client(environment) as client:
        deploy(environment)
        site = Site(client, environment | STUB, log)
        try:
            yield site
        finally:
            for worker in site.workers.values():
                end(worker)


@pytest.fixture
def site(deployed_site) -> Site:
    """A server with the deployments, and a running worker of the pool `retraining`."""
    deployed_site.start_worker("retraining", "runs")
    return deployed_site
