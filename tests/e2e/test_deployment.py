"""The project's deployments on a real Prefect server, with a real worker."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from storage.runs import verify_store
from tests.e2e.servers import PREFECT, find_run, read_deployment, wait_for_end
from tests.places import PROJECT_ROOT
from tests.stubs import REAL_SEED
from tests.waiting import wait_until


def test_make_deploy_without_a_server_says_what_it_needs():
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    answer = subprocess.run(
        ["make", "deploy"], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    assert "PREFECT_API_URL must name the Prefect server" in answer.stderr


def test_the_deployments_are_as_the_readme_says(site):
    nightly = read_deployment(site.api, "nightly-retraining/nightly")
    smoke = read_deployment(site.api, "nightly-retraining/smoke")
    (schedule,) = nightly["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 2 * * *", "Asia/Seoul")
    assert (schedule["slug"], schedule["active"]) == ("every-night-at-two", True)
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["parameters"] == {"source": "imdb", "gate": "mode=propose"}
    assert read_deployment(site.api, "promote-champion/promote")["schedules"] == []
    assert smoke["schedules"] == []
    assert (smoke["parameters"]["source"], smoke["parameters"]["epochs"]) == ("sample", 2)
    assert nightly["work_pool_name"] == smoke["work_pool_name"] == "retraining"


def test_the_form_of_a_deployment_has_bounds_and_help(site):
    properties = read_deployment(site.api, "nightly-retraining/nightly")["parameter_openapi_schema"]["properties"]
    assert properties["epochs"]["description"] == "epochs of each training: at most this many"
    assert (properties["epochs"]["minimum"], properties["epochs"]["default"]) == (1, 100)
    assert properties["language"]["enum"] == ["en", "ko"]


def test_the_server_refuses_a_parameter_that_is_out_of_bounds(site):
    command = [PREFECT, "deployment", "run", "nightly-retraining/smoke", "--tag", "refused", "--param", "epochs=0"]
    answer = subprocess.run(
        command, env=site.environment, cwd=PROJECT_ROOT, check=False, capture_output=True, text=True
    )
    assert answer.returncode != 0
    assert "'epochs'. Failure reason: 0 is less than the minimum of 1" in " ".join(answer.stdout.split())
    runs = site.api.post("/flow_runs/filter", json={"flow_runs": {"tags": {"all_": ["refused"]}}}).json()
    assert runs == []


def test_the_schedule_creates_runs_at_two_in_the_morning(site):
    wanted = {
        "deployments": {"id": {"any_": [read_deployment(site.api, "nightly-retraining/nightly")["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    runs = wait_until(lambda: site.api.post("/flow_runs/filter", json=wanted).json(), 60, "a scheduled run")
    for run in runs:
        starts = datetime.fromisoformat(run["expected_start_time"].replace("Z", "+00:00"))
        assert starts.astimezone(ZoneInfo("Asia/Seoul")).strftime("%H:%M") == "02:00"
    assert len(runs) >= 2


@pytest.fixture(scope="module")
def real_run(deployed_site):
    """A small run of the deployment `smoke` with real trainings, started as the README says."""
    site = deployed_site
    site.start_worker("retraining", "runs")
    smaller = ["sample_reviews=400", 'variants=["gru"]', "baselines=false", f"seeds=[{REAL_SEED}]"]
    options = [word for one in smaller for word in ("--param", one)]
    command = [PREFECT, "deployment", "run", "nightly-retraining/smoke", "--tag", "real", *options]
    subprocess.run(command, env=site.environment, cwd=PROJECT_ROOT, check=True, capture_output=True)
    (started,) = site.api.post("/flow_runs/filter", json={"flow_runs": {"tags": {"all_": ["real"]}}}).json()
    state = wait_for_end(site.api, started["id"])
    assert state["type"] == "COMPLETED", state
    return find_run(site.store, started["id"])


def test_a_deployed_run_ends_completed_with_real_models(site, real_run):
    assert [training.epochs for training in real_run.trainings] == [2]
    assert {training.versions["keras"].split(".")[0] for training in real_run.trainings} == {"3"}
    assert verify_store(site.store).damaged == ()


def test_the_report_of_a_deployed_run_opens_in_a_browser(site, real_run, open_page):
    page = open_page(Path(site.store.locate(real_run.report.path)))
    assert "gru is the only variant." in page.locator("h1").inner_text()
    assert page.locator("tbody tr").filter(has_text="chosen").count() >= 1
    assert page.get_by_text("Made-up reviews: this run trained").is_visible()
