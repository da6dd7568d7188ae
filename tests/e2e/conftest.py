"""A real browser for what people look at, and a real Prefect server with the deployments on it."""

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
    # No name leads anywhere, whatever a page may ask for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

LAPTOP = {"width": 1280, "height": 900}

# Says on the console what a page's policy refused, and what a smuggled-in script would do first.
WATCH = """
window.alert = () => console.error("a script ran");
addEventListener("securitypolicyviolation", (event) => console.error("refused by policy", event.violatedDirective));
"""


@pytest.fixture(scope="module")
def chromium():
    """Ends with the file, because it gives its thread an event loop, in which Prefect's functions return coroutines."""
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL | None]:
    """A PostgreSQL server where one is installed, else None."""
    server = PostgreSQL() if INSTALLED else None
    try:
        yield server
    finally:
        if server:
            server.stop()


@pytest.fixture(scope="session")
def environment(tmp_path_factory, migrated_home, object_server, postgresql):
    """The environment of a Prefect server that this process's tests share, with a bucket's credentials.

    Its database has tables and nothing else. It is PostgreSQL's if possible, as with several workers in production: on
    SQLite the server now and then stands still for a minute.
    """
    folder = tmp_path_factory.mktemp("server")
    made = make_environment(folder) | CREDENTIALS | {"AWS_ENDPOINT_URL": object_server.url}
    if postgresql:
        postgresql.client("createdb", "shared")
        made["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = postgresql.url("shared")
        upgrade(made)
    else:
        migrated_home(Path(made["PREFECT_HOME"]))
    with (folder / "server.txt").open("w") as log, prefect_server(made, log):
        yield made


@dataclass
class Site:
    """A server to which `make deploy` has deployed, and its workers, whose trainings are stubs but for `REAL_SEED`."""

    api: Any
    environment: dict[str, str]
    log: Any
    workers: dict[str, subprocess.Popen] = field(default_factory=dict)

    def worker(self, pool: str, name: str) -> subprocess.Popen:
        """Return a worker of a pool that lives, with one flow run at a time."""
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
    """A server with the deployments, and a worker of the pool `retraining` that lives."""
    deployed_site.worker("retraining", "nights")
    return deployed_site
