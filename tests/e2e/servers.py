"""Start a real Prefect server with the project's deployments, workers and flow runs, and wait for them."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

import httpx
import psutil
from prefect.client.base import PrefectHttpxSyncClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import alarms
from storage.records import Run
from storage.runs import read_run
from storage.store import Store
from tests.places import PROJECT_ROOT
from tests.waiting import wait_until

PREFECT = str(Path(sys.executable).with_name("prefect"))
ALARMS = PROJECT_ROOT / "automations.yaml"
# The windows in `automations.yaml`, and shorter ones for the tests: of the alarms for a silent run, a run that is not
# over, and no report. Prefect allows no less than 10 s. A run sends its first heartbeat when its process has imported
# Prefect: after 5 s, and much later on a busy machine.
SHORT_WINDOWS = {"within: 90\n": "within: 40\n", "within: 14400\n": "within: 10\n", "within: 100800\n": "within: 12\n"}
# Parameters of a run that takes a few seconds.
SHORT_RUN = {
    "source": "sample",
    "sample_reviews": 400,
    "epochs": 2,
    "maxlen": 40,
    "variants": ["lstm", "gru"],
    "baselines": False,
}
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end(process: subprocess.Popen) -> None:
    """Ask a process to end, and kill it if it still runs after 30 s."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_whole(*processes: subprocess.Popen) -> int:
    """Kill processes and all their descendants at once, as if their machine was lost; return how many."""
    doomed = [psutil.Process(process.pid) for process in processes]
    doomed += [child for parent in doomed for child in parent.children(recursive=True)]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, timeout=20)
    for process in processes:
        process.wait()
    return len(doomed)


def make_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a server, its workers and its clients; all their files are below `folder`."""
    return {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # The default is 5 s.
        "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
        # As in operate/; the default is 10 s.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PYTHONPATH": str(PROJECT_ROOT),
        "RETRAIN_STORE": str(folder / "store"),
    }


def start(command: list[str], environment: dict[str, str], log: TextIO) -> subprocess.Popen:
    """Start one of Prefect's commands in the project's folder."""
    return subprocess.Popen([PREFECT, *command], env=environment, cwd=PROJECT_ROOT, stdout=log, stderr=log)


def upgrade(environment: dict[str, str]) -> None:
    """Create the tables of the database that an environment names."""
    command = [PREFECT, "server", "database", "upgrade", "-y"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)


def start_server(environment: dict[str, str], log: TextIO) -> subprocess.Popen:
    port = environment["PREFECT_API_URL"].split(":")[2].split("/")[0]
    return start(["server", "start", "--host", "127.0.0.1", "--port", port], environment, log)


def start_worker(pool: str, environment: dict[str, str], log: TextIO, *options: str) -> subprocess.Popen:
    return start(["worker", "start", "--pool", pool, *options], environment, log)


def open_client(environment: dict[str, str], timeout: float = 60) -> PrefectHttpxSyncClient:
    """Return a client that repeats a request if the server answers 503, as Prefect's own do, because SQLite is busy."""
    return PrefectHttpxSyncClient(base_url=environment["PREFECT_API_URL"], timeout=timeout, raise_on_all_errors=False)


def wait_for_server(server: subprocess.Popen, client: PrefectHttpxSyncClient, seconds: float = 180) -> None:
    """Wait until a server answers; fail if it ends before."""

    def is_healthy() -> bool:
        assert server.poll() is None, f"the server ended with exit code {server.poll()}: its log says why"
        try:
            return client.get("/health").is_success
        except httpx.TransportError:
            return False

    wait_until(is_healthy, seconds, "the server's start")


@contextmanager
def prefect_server(environment: dict[str, str], log: TextIO) -> Iterator[PrefectHttpxSyncClient]:
    """Run a Prefect server on loopback, and yield a client of it."""
    server = start_server(environment, log)
    try:
        with open_client(environment) as client:
            wait_for_server(server, client)
            yield client
    finally:
        end(server)


def deploy(environment: dict[str, str]) -> str:
    """Run `make deploy`; return what it printed."""
    deployed = subprocess.run(
        ["make", "deploy"], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    return deployed.stdout + deployed.stderr


def load_alarms(
    environment: dict[str, str], path: Path = ALARMS, address: str = "", block: str = ""
) -> tuple[int, str, str]:
    """Load the alarms in this process, as the last step of `make deploy` does.

    Args:
        environment: It names the Prefect server.
        path: The file with the alarms.
        address: The webhook's address; empty for none.
        block: The type and the name of the notification block; empty for none.

    Returns:
        The exit code, standard output and standard error.
    """
    output, errors = io.StringIO(), io.StringIO()
    variables = {"RETRAIN_ALARM_WEBHOOK": address, "RETRAIN_ALARM_BLOCK": block}
    with (
        temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}),
        patch.dict(os.environ, variables),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        return alarms.main(str(path)), output.getvalue(), errors.getvalue()


def shorten_alarms(environment: dict[str, str], windows: Sequence[str] = tuple(SHORT_WINDOWS)) -> str:
    """Load the alarms with some of their windows shortened; return standard output."""
    text = ALARMS.read_text()
    for window in windows:
        assert text.count(window) == 1, window
        text = text.replace(window, SHORT_WINDOWS[window])
    path = Path(environment["PREFECT_HOME"]) / "short-alarms.yaml"
    path.write_text(text)
    code, output, errors = load_alarms(environment, path)
    assert (code, errors) == (0, "")
    return output


def read_deployment(api: httpx.Client, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/deployments/name/{name}").raise_for_status().json()
    return answer


def create_flow_run(api: httpx.Client, name: str, parameters: dict[str, Any] | None = None) -> str:
    """Create a flow run of a deployment that is due now; return its id."""
    wanted = {"parameters": parameters or {}, "state": {"type": "SCHEDULED"}}
    created = api.post(f"/deployments/{read_deployment(api, name)['id']}/create_flow_run", json=wanted)
    identifier: str = created.raise_for_status().json()["id"]
    return identifier


def start_run(api: httpx.Client, parameters: dict[str, Any]) -> str:
    """Start a run of the deployment `smoke` with other parameters; return the id of its flow run."""
    return create_flow_run(api, "nightly-retraining/smoke", parameters)


def read_flow_run(api: httpx.Client, identifier: str) -> dict[str, Any] | None:
    """Return a flow run as the server has it, or None if the server does not answer."""
    answer = api.get(f"/flow_runs/{identifier}")
    return answer.json() if answer.is_success else None


# The wait is long, because a server on SQLite can stand still for 60 s if two workers ask it.
def wait_for_end(api: httpx.Client, identifier: str, seconds: float = 400) -> dict[str, Any]:
    """Wait for the end of a flow run; return its last state."""

    def read_final_state() -> dict[str, Any] | None:
        flow_run = read_flow_run(api, identifier)
        return flow_run["state"] if flow_run and flow_run["state_type"] in OVER else None

    return wait_until(read_final_state, seconds, "the end of the flow run", every=0.5)


def find_run(store: Store, identifier: str) -> Run:
    """Return the run that a flow run published in a store."""
    manifests = [path for path in store.list_files("runs") if path.endswith(f"-{identifier[:6]}/run.json")]
    assert len(manifests) == 1, f"the flow run {identifier} published {manifests}"
    return read_run(store, manifests[0].split("/")[1])


def read_logs(api: httpx.Client, identifier: str) -> list[str]:
    """Return the newest 200 messages in a flow run's log, the newest first."""
    wanted = {"logs": {"flow_run_id": {"any_": [identifier]}}, "sort": "TIMESTAMP_DESC"}
    answer = api.post("/logs/filter", json=wanted)
    return [log["message"] for log in answer.json()] if answer.is_success else []


def wait_for_epoch(api: httpx.Client, identifier: str) -> None:
    """Wait until a training of a flow run has finished an epoch."""
    wait_until(lambda: any(" epoch " in message for message in read_logs(api, identifier)), 300, "an epoch", every=0.5)
