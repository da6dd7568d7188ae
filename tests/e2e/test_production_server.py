"""A Prefect server on PostgreSQL: nights go on when the database or the server is lost, and a backup restores."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from storage.runs import verify_store
from storage.store import Store
from tests.e2e.postgresql import INSTALLED, PostgreSQL
from tests.e2e.servers import (
    NIGHT,
    deploy,
    deployment,
    end,
    free_port,
    make_environment,
    open_client,
    prefect_server,
    start_night,
    start_server,
    start_worker,
    upgrade,
    wait_for_end,
    wait_for_epoch,
    wait_for_server,
)
from tests.stubs import REAL_SEED, STUB
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not INSTALLED, reason="no PostgreSQL on this machine: install Debian's postgresql")

ONE = NIGHT | {"variants": ["lstm"], "jobs": 1}
# Some six seconds of a stub's training.
LONG = ONE | {"epochs": 60, "patience": 60}


class Site:
    """PostgreSQL, a Prefect server on it, and a worker that has taken `make deploy`'s deployments."""

    def __init__(self, folder):
        self.log = (folder / "log.txt").open("w")
        self.database = PostgreSQL()
        self.database.client("createdb", "prefect")
        self.environment = (
            make_environment(folder) | STUB | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database.url("prefect")}
        )
        self.api = open_client(self.environment)
        upgrade(self.environment)
        self.server = start_server(self.environment, self.log)
        self.worker = None
        wait_for_server(self.server, self.api)
        deploy(self.environment)
        self.worker = start_worker("retraining", self.environment, self.log)

    def children(self):
        """Return the processes below the worker: flow runs, and what they started."""
        return psutil.Process(self.worker.pid).children(recursive=True)

    def stop(self):
        for process in filter(None, (self.worker, self.server)):
            end(process)
        self.api.close()
        self.database.stop()
        self.log.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("production"))
    yield made
    made.stop()


def check_that_all_is_well_after(site, identifier, children):
    """The night ends and says how, no process of it is left, and nothing in the store is damaged; return its state."""
    _, alive = psutil.wait_procs(children, timeout=180)
    assert alive == []
    state = wait_for_end(site.api, identifier)
    assert state["type"] == "COMPLETED" or state["message"], state
    assert verify_store(Store(site.environment["RETRAIN_STORE"])).damaged == ()
    return state


def test_a_night_goes_on_when_its_database_restarts(site):
    night = start_night(site.api, LONG)
    wait_for_epoch(site.api, night)
    children = site.children()
    site.database.restart()
    state = check_that_all_is_well_after(site, night, children)
    assert (state["type"], state["message"][:18]) == ("COMPLETED", "Best tonight: lstm")


def test_a_real_night_goes_on_when_its_server_is_killed_and_so_does_the_one_after_it(site):
    night = start_night(site.api, ONE | {"epochs": 300, "patience": 300, "seeds": [REAL_SEED]})
    wait_for_epoch(site.api, night)
    children = site.children()
    site.server.send_signal(signal.SIGKILL)
    site.server.wait()
    time.sleep(5)
    site.server = start_server(site.environment, site.log)
    wait_for_server(site.server, site.api)
    state = check_that_all_is_well_after(site, night, children)
    assert (state["type"], state["message"][:18]) == ("COMPLETED", "Best tonight: lstm")
    following = wait_for_end(site.api, start_night(site.api, ONE))
    assert following["type"] == "COMPLETED", following


def test_a_backup_restored_into_another_database_has_the_deployments(site, tmp_path):
    scheduled = {"deployments": {"name": {"any_": ["nightly"]}}}
    wait_until(lambda: site.api.post("/flow_runs/count", json=scheduled).json(), 60, "a scheduled night")
    dump = tmp_path / "prefect.dump"
    site.database.client("pg_dump", "--format=custom", f"--file={dump}", "prefect")
    site.database.client("createdb", "restored")
    site.database.client("pg_restore", "--no-owner", "--exit-on-error", "--dbname=restored", str(dump))
    environment = site.environment | {
        # It makes no tables by itself: those of the backup must do.
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": site.database.url("restored"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
    }
    with prefect_server(environment, site.log) as client:
        for name in ("nightly-retraining/nightly", "nightly-retraining/smoke", "train-variant/worker"):
            assert deployment(client, name)["id"] == deployment(site.api, name)["id"]
        assert client.post("/flow_runs/count", json=scheduled).json() >= 1


def test_the_server_listens_on_loopback_alone(site):
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(site.server.pid), *psutil.Process(site.server.pid).children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
