"""A real Prefect server and a real worker on loopback, deployed to with the project's own command."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from storage.runs import read_run, verify_store
from storage.store import Store
from tests.e2e.conftest import PREFECT, PROJECT_ROOT, deployment, wait_until


def test_make_deploy_says_that_it_needs_a_server():
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    answer = subprocess.run(
        ["make", "deploy"], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    assert "PREFECT_API_URL must name the Prefect server" in answer.stderr


def test_the_deployments_are_as_the_readme_says(api):
    nightly, smoke = deployment(api, "nightly-retraining/nightly"), deployment(api, "nightly-retraining/smoke")
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
        "deployments": {"id": {"any_": [deployment(api, "nightly-retraining/nightly")["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    runs = wait_until(lambda: api.post("/flow_runs/filter", json=wanted).json(), 60, "a scheduled run")
    for run in runs:
        starts = datetime.fromisoformat(run["expected_start_time"].replace("Z", "+00:00"))
        assert starts.astimezone(ZoneInfo("Asia/Seoul")).strftime("%H:%M") == "02:00"
    assert len(runs) >= 2


def test_a_deployed_run_ends_completed_and_its_report_opens_in_a_browser(api, environment, open_page):
    smaller = ["--param", "sample_reviews=400", "--param", 'variants=["lstm","gru"]', "--param", "baselines=false"]
    command = [PREFECT, "deployment", "run", "nightly-retraining/smoke", *smaller]
    subprocess.run(command, env=environment, cwd=PROJECT_ROOT, check=True, capture_output=True)
    wanted = {"deployments": {"id": {"any_": [deployment(api, "nightly-retraining/smoke")["id"]]}}}

    def finished_run():
        (run,) = api.post("/flow_runs/filter", json=wanted).json()
        return run if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    flow_run = wait_until(finished_run, 240, "the smoke run's end")
    assert flow_run["state_type"] == "COMPLETED", flow_run["state"]
    store = Store(environment["RETRAIN_STORE"])
    (manifest,) = [path for path in store.list_files("runs") if path.endswith("/run.json")]
    run = read_run(store, manifest.split("/")[1])
    assert run.run_id.endswith(flow_run["id"][:6])
    assert [training.epochs for training in run.trainings] == [2, 2]
    assert verify_store(store).damaged == ()
    page = open_page(Path(store.locate(run.report.path)))
    assert page.locator("h1").inner_text() == "Nightly retraining"
    assert page.locator("tbody tr").filter(has_text="best").count() >= 1
    assert page.get_by_text("Made-up reviews: this run trained").is_visible()
