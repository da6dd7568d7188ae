"""A real Prefect server and a real worker on loopback, deployed to with the project's own command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from storage.runs import read_run, verify_store
from storage.store import Store

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
PREFECT = str(Path(sys.executable).with_name("prefect"))


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


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployment")
    return {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "RETRAIN_STORE": str(folder / "store"),
    }


@pytest.fixture(scope="module")
def api(environment, tmp_path_factory):
    """A client of a Prefect server to which `make deploy` has deployed, with a worker on its pool."""
    url = environment["PREFECT_API_URL"]
    port = url.split(":")[2].split("/")[0]
    log = (tmp_path_factory.mktemp("logs") / "server-and-worker.txt").open("w")
    options = {"env": environment, "cwd": PROJECT_ROOT, "stdout": log, "stderr": subprocess.STDOUT}
    server = subprocess.Popen([PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port], **options)
    worker = None
    try:
        with httpx.Client(base_url=url, timeout=30) as client:

            def is_healthy():
                try:
                    return client.get("/health").is_success
                except httpx.TransportError:
                    return False

            wait_until(is_healthy, 90, "the server's start")
            deployed = subprocess.run(
                ["make", "deploy"], env=environment, cwd=PROJECT_ROOT, capture_output=True, check=False
            )
            assert deployed.returncode == 0, deployed.stdout + deployed.stderr
            worker = subprocess.Popen([PREFECT, "worker", "start", "--pool", "retraining"], **options)
            yield client
    finally:
        for process in filter(None, (worker, server)):
            end(process)
        log.close()


def deployment(api, name):
    return api.get(f"/deployments/name/nightly-retraining/{name}").raise_for_status().json()


def test_make_deploy_says_that_it_needs_a_server():
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    answer = subprocess.run(
        ["make", "deploy"], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    assert "PREFECT_API_URL must name the Prefect server" in answer.stderr


def test_the_deployments_are_as_the_readme_says(api):
    nightly, smoke = deployment(api, "nightly"), deployment(api, "smoke")
    (schedule,) = nightly["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 2 * * *", "Asia/Seoul")
    assert (schedule["slug"], schedule["active"]) == ("every-night-at-two", True)
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["parameters"] == {"source": "imdb"}
    assert smoke["schedules"] == []
    assert (smoke["parameters"]["source"], smoke["parameters"]["epochs"]) == ("sample", 2)
    assert nightly["work_pool_name"] == smoke["work_pool_name"] == "retraining"


def test_the_schedule_really_makes_runs_at_two_in_the_morning(api):
    wanted = {
        "deployments": {"id": {"any_": [deployment(api, "nightly")["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    runs = wait_until(lambda: api.post("/flow_runs/filter", json=wanted).json(), 60, "a scheduled run")
    for run in runs:
        starts = datetime.fromisoformat(run["expected_start_time"].replace("Z", "+00:00"))
        assert starts.astimezone(ZoneInfo("Asia/Seoul")).strftime("%H:%M") == "02:00"
    assert len(runs) >= 2


def test_a_deployed_run_ends_completed_and_its_report_opens_in_a_browser(api, environment, open_page):
    command = [PREFECT, "deployment", "run", "nightly-retraining/smoke"]
    subprocess.run(command, env=environment, cwd=PROJECT_ROOT, check=True, capture_output=True)
    wanted = {"deployments": {"id": {"any_": [deployment(api, "smoke")["id"]]}}}

    def finished_run():
        (run,) = api.post("/flow_runs/filter", json=wanted).json()
        return run if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    flow_run = wait_until(finished_run, 240, "the smoke run's end")
    assert flow_run["state_type"] == "COMPLETED", flow_run["state"]
    store = Store(environment["RETRAIN_STORE"])
    (manifest,) = [path for path in store.list_files("runs") if path.endswith("/run.json")]
    run = read_run(store, manifest.split("/")[1])
    assert run.run_id.endswith(flow_run["id"][:6])
    assert [training.epochs for training in run.trainings] == [2, 2, 2, 2]
    assert verify_store(store).damaged == ()
    page = open_page(Path(store.locate(run.report.path)))
    assert page.locator("h1").inner_text() == "Nightly retraining"
    assert page.locator("tbody tr").filter(has_text="best").count() >= 1
    assert page.get_by_text("Made-up reviews: this run trained").is_visible()
