"""A Prefect server on PostgreSQL: runs survive the loss of the database or the server, and a backup can be restored."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from storage.runs import verify_store
from storage.store import Store
from tests.e2e.postgresql import INSTALLED, PostgreSQL
from tests.e2e.servers import (
    SHORT_RUN,
    deploy,
    end,
    free_port,
    make_environment,
    open_client,
    prefect_server,
    read_deployment,
    start_run,
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

ONE = SHORT_RUN | {"variants": ["lstm"], "jobs": 1}
# A stub trains for six seconds.
LONG = ONE | {"epochs": 60, "patience": 60}


class Site:
    """PostgreSQL, a Prefect server on it with the deployments, and a worker."""

    def __init__(self, folder):
        self.log = (folder / "log.txt").open("w")
        self.database = PostgreSQL()
        self.database.run_client("createdb", "prefect")
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
        """Return the worker's descendants: the processes of flow runs, and their children."""
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


def wait_for_sound_end(site, flow_run, children):
    """Wait for the end of a flow run and its processes, check its message and the store, and return its state."""
    _, alive = psutil.wait_procs(children, timeout=180)
    assert alive == []
    state = wait_for_end(site.api, flow_run)
    assert state["type"] == "COMPLETED" or state["message"], state
    assert verify_store(Store(site.environment["RETRAIN_STORE"])).damaged == ()
    return state


def test_a_run_goes_on_if_its_database_restarts(site):
    run = start_run(site.api, LONG)
    wait_for_epoch(site.api, run)
    children = site.children()
    site.database.restart()
    state = wait_for_sound_end(site, run, children)
    assert (state["type"], " lstm is chosen. " in state["message"]) == ("COMPLETED", True)


def test_a_real_run_goes_on_if_its_server_is_killed_and_the_next_run_succeeds(site):
    run = start_run(site.api, ONE | {"epochs": 300, "patience": 300, "seeds": [REAL_SEED]})
    wait_for_epoch(site.api, run)
    children = site.children()
    site.server.send_signal(signal.SIGKILL)
    site.server.wait()
    time.sleep(5)
    site.server = start_server(site.environment, site.log)
    wait_for_server(site.server, site.api)
    state = wait_for_sound_end(site, run, children)
    assert (state["type"], " lstm is chosen. " in state["message"]) == ("COMPLETED", True)
    following = wait_for_end(site.api, start_run(site.api, ONE))
    assert following["type"] == "COMPLETED", following


def test_a_backup_restored_into_another_database_has_the_deployments(site, tmp_path):
    scheduled = {"deployments": {"name": {"any_": ["nightly"]}}}
    wait_until(lambda: site.api.post("/flow_runs/count", json=scheduled).json(), 60, "a scheduled run")
    dump = tmp_path / "prefect.dump"
    site.database.run_client("pg_dump", "--format=custom", f"--file={dump}", "prefect")
    site.database.run_client("createdb", "restored")
    site.database.run_client("pg_restore", "--no-owner", "--exit-on-error", "--dbname=restored", str(dump))
    environment = site.environment | {
        # The server creates no tables, so that it uses those of the backup.
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": site.database.url("restored"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
    }
    with prefect_server(environment, site.log) as client:
        for name in ("nightly-retraining/nightly", "nightly-retraining/smoke", "train-variant/worker"):
            assert read_deployment(client, name)["id"] == read_deployment(site.api, name)["id"]
        assert client.post("/flow_runs/count", json=scheduled).json() >= 1


def test_the_server_listens_on_loopback_alone(site):
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(site.server.pid), *psutil.Process(site.server.pid).children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
