"""The alarms on a real server, and who is called: by a night that failed, was killed, is late, or never came."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import pytest
import yaml
from pytest_httpserver import HTTPServer

from tests.e2e.servers import (
    ALARMS,
    NIGHT,
    SHORT_WINDOWS,
    create_run,
    deploy,
    end,
    kill_whole,
    load_alarms,
    make_environment,
    prefect_server,
    shorten_alarms,
    start_worker,
)
from tests.places import PROJECT_ROOT
from tests.stubs import OFTEN, STUB
from tests.waiting import wait_until

FAILED, SILENT = "nightly retraining: run failed", "nightly retraining: run went silent"
NOT_OVER, NOTHING = "nightly retraining: night not over by six", "nightly retraining: nothing for 28 hours"
# Until somebody ends it, on a worker.
ENDLESS = NIGHT | {
    "epochs": 20_000,
    "patience": 20_000,
    "variants": ["lstm"],
    "placement": "workers",
    "timeout_seconds": 600,
}
SILENCE = "within: 90\n"
# The address is a secret: it must turn up nowhere.
CANARY = "canary-Zm9yIHRoZSBhbGFybXM"


@dataclass
class Receiver:
    """Takes alarms, as a pager or a chat would."""

    server: HTTPServer

    def __post_init__(self):
        alarm = {"uri": f"/{CANARY}", "method": "POST", "headers": {"Content-Type": "application/json"}}
        self.server.expect_request(**alarm).respond_with_data(status=204)
        self.address = self.server.url_for(CANARY)

    @property
    def calls(self):
        return [request.get_json() for request, response in self.server.log if response.status_code == 204]

    def wait_for(self, alarm, seconds, flow_run=""):
        """Return the first call of an alarm, where given of one flow run."""

        def called():
            found = [call for call in self.calls if call["alarm"] == alarm and flow_run in (call["flow_run"] or "")]
            return found[:1]

        return wait_until(called, seconds, f"the alarm {alarm}")[0]


def state_of(api, identifier):
    return api.get(f"/flow_runs/{identifier}").raise_for_status().json()["state"]


def run_of(event):
    return event["resource"]["prefect.resource.id"].removeprefix("prefect.flow-run.")


@dataclass
class Site:
    """A server with the alarms, a receiver, and a night whose machine was lost.

    Attributes:
        printed: What the alarms' deployment said: without an address, with one, and once more.
        automations: Those on the server after each of these.
        failing: A night that no worker trains for, and that gives up after longer than a lost one is given.
        killed: The lost night's flow run, and that of its training.
        killed_at: When it was lost.
        late: The alarm of a night that was due while no worker lived.
        nothing: The alarm that neither a report nor another alarm came; no report had come before.
        taken: A night that a worker took and never started.
    """

    api: Any
    environment: dict[str, str]
    log: TextIO
    receiver: Receiver
    printed: list[str] = field(default_factory=list)
    automations: list[list[dict[str, Any]]] = field(default_factory=list)
    failing: str = ""
    killed: tuple[str, str] = ("", "")
    killed_at: datetime = datetime.min
    late: dict[str, Any] = field(default_factory=dict)
    nothing: dict[str, Any] = field(default_factory=dict)
    taken: str = ""

    def note(self, printed):
        self.printed.append(printed)
        self.automations.append(self.api.post("/automations/filter", json={}).raise_for_status().json())

    def take_a_night_and_vanish(self):
        """Do what a worker does whose machine is lost before it has started what it took."""
        self.taken = create_run(self.api, "nightly-retraining/smoke")
        pending = {"state": {"type": "PENDING"}, "force": True}
        self.api.post(f"/flow_runs/{self.taken}/set_state", json=pending).raise_for_status()

    def lose_a_night(self):
        """Start a night that hands out its training, and kill both workers when both runs are known to live."""
        workers = [start_worker(pool, self.environment, self.log) for pool in ("retraining", "training")]
        night = create_run(self.api, "nightly-retraining/smoke", ENDLESS)

        def alive():
            """Both runs have sent their first heartbeat."""
            heard = {run_of(event) for event in self.events("prefect.flow-run.heartbeat")}
            return sorted(heard, key=lambda run: run != night) if len(heard) == 2 else None

        try:
            self.killed = tuple(wait_until(alive, 240, "the heartbeats of a night and of its training", every=0.5))
        finally:
            kill_whole(*workers)
        self.killed_at = datetime.now(UTC)

    def let_a_night_be_late(self):
        """Load the alarms that take hours with seconds, and let a night be due while no worker lives."""
        self.printed.append(shorten_alarms(self.environment))
        late = create_run(self.api, "nightly-retraining/nightly")
        self.late = self.receiver.wait_for(NOT_OVER, 120, late)
        self.api.delete(f"/flow_runs/{late}").raise_for_status()

    def start_a_failing_night(self):
        """Return the worker that has taken it."""
        worker = start_worker("retraining", self.environment, self.log, "--limit", "1")
        self.failing = create_run(self.api, "nightly-retraining/nightly", ENDLESS | {"timeout_seconds": 44})
        wait_until(
            lambda: state_of(self.api, self.failing)["type"] == "RUNNING", 180, "the failing night's start", every=0.5
        )
        return worker

    def events(self, name):
        wanted = {"filter": {"event": {"name": [name]}}}
        return self.api.post("/events/filter", json=wanted).raise_for_status().json()["events"]


@pytest.fixture(scope="module")
def site(tmp_path_factory, migrated_home):
    folder = tmp_path_factory.mktemp("alarms")
    environment = make_environment(folder) | STUB | OFTEN | {"PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "2"}
    migrated_home(Path(environment["PREFECT_HOME"]))
    worker = None
    with (
        (folder / "log.txt").open("w") as log,
        prefect_server(environment, log) as client,
        HTTPServer(host="127.0.0.1") as server,
    ):
        try:
            receiver = Receiver(server)
            made = Site(client, environment, log, receiver)
            made.note(load_alarms(environment)[1])
            made.note(deploy(environment | {"RETRAIN_ALARM_WEBHOOK": receiver.address}))
            made.note(load_alarms(environment)[1])
            # The window of silence is shorter from here on, as the heartbeats are.
            shorten_alarms(environment, [SILENCE])
            made.take_a_night_and_vanish()
            made.lose_a_night()
            made.let_a_night_be_late()
            made.nothing = receiver.wait_for(NOTHING, 120)
            # The time of both goes on while the other tests run.
            worker = made.start_a_failing_night()
            yield made
        finally:
            if worker:
                end(worker)


def test_the_alarms_wait_as_long_as_they_say_for_a_heartbeat_a_night_and_a_report():
    alarms = {alarm["name"]: alarm for alarm in yaml.safe_load(ALARMS.read_text())["automations"]}
    windows = {name: alarm["trigger"]["within"] for name, alarm in alarms.items()}
    # In seconds: three heartbeats, four hours, 28 hours.
    assert windows == {SILENT: 90, FAILED: 0, NOT_OVER: 14_400, NOTHING: 100_800}
    assert list(SHORT_WINDOWS) == ["within: 90\n", "within: 14400\n", "within: 100800\n"]
    for one in yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]:
        variables = one["work_pool"]["job_variables"]["env"]
        assert variables == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}, one["name"]


def test_without_an_address_silent_runs_are_marked_all_the_same_and_it_is_said_that_nobody_is_called(site):
    assert "No alarm calls anyone: RETRAIN_ALARM_WEBHOOK is not set" in site.printed[0]
    assert [automation["name"] for automation in site.automations[0]] == [SILENT]


def test_make_deploy_creates_the_alarms_and_a_second_time_leaves_them_as_they_are(site):
    assert {automation["name"] for automation in site.automations[1]} == {SILENT, FAILED, NOT_OVER, NOTHING}
    assert "Alarms: 4 on the server, 3 of them new or changed." in site.printed[1]
    assert "Alarms: 4 on the server, 0 of them new or changed." in site.printed[2]
    assert site.automations[2] == site.automations[1]


def test_alarms_that_wait_for_another_time_are_changed_on_the_server(site):
    assert site.printed[3].startswith("Alarms: 4 on the server, 2 of them new or changed.")


def test_it_calls_when_nothing_comes_at_all_though_no_worker_lives(site):
    assert site.nothing["reason"].startswith("no report and no other alarm came")
    assert (site.nothing["report"], site.nothing["verdict"]) == (None, None)


def test_it_calls_when_no_worker_takes_a_night_that_is_due(site):
    assert site.late["reason"].startswith("due at 20")
    assert site.late["reason"].endswith(" and not over: no worker took it, or it hangs")


def test_what_comes_after_the_last_report_is_silence_and_the_call_names_that_report(site):
    event = {
        "event": "retraining.report.published",
        "resource": {
            "prefect.resource.id": "retraining.report.20261124T170000Z-c48114",
            "prefect.resource.name": "nightly-retraining/nightly",
        },
        "payload": {"verdict": 'Best tonight: "gru".', "report": "/srv/reports/x.html", "failures": []},
    }

    def called_with_a_report():
        return [call for call in site.receiver.calls if call["alarm"] == NOTHING and call["report"]]

    # Another alarm that is delivered meanwhile is a sign of life too, and has no report: then once more.
    for _ in range(6):
        unique = {"id": str(uuid.uuid4()), "occurred": datetime.now(UTC).isoformat()}
        site.api.post("/events", json=[event | unique]).raise_for_status()
        with suppress(AssertionError):
            wait_until(called_with_a_report, 20, "the alarm with a report")
            break
    (call,) = called_with_a_report()
    assert (call["report"], call["verdict"]) == ("/srv/reports/x.html", 'Best tonight: "gru".')


def test_a_reason_with_quotes_and_lines_arrives_as_it_is(site):
    reason = 'He said "no"\nand <left> \\ {{ 7 * 7 }} — 아니요'
    run = create_run(site.api, "nightly-retraining/smoke")
    failed = {"state": {"type": "FAILED", "message": reason}, "force": True}
    site.api.post(f"/flow_runs/{run}/set_state", json=failed).raise_for_status()
    call = site.receiver.wait_for(FAILED, 60, run)
    assert (call["state"], call["reason"], call["report"]) == ("Failed", reason, None)


def test_a_night_whose_machine_was_lost_is_marked_crashed_half_a_minute_after_its_window_at_most_and_calls(site):
    night, training = site.killed
    wait_until(lambda: state_of(site.api, night)["type"] == "CRASHED", 130, "the night's crash", every=0.5)
    wait_until(lambda: state_of(site.api, training)["type"] == "CRASHED", 30, "its training's crash", every=0.5)
    marked = datetime.fromisoformat(state_of(site.api, night)["timestamp"].replace("Z", "+00:00"))
    # The window is 40 s long here; 90 s, as people are promised two minutes in all.
    assert marked - site.killed_at < timedelta(seconds=40 + 30)
    reason = "it sent no heartbeat for 90 s, so its process or its machine was lost"
    assert state_of(site.api, night)["message"] == state_of(site.api, training)["message"] == reason
    call = site.receiver.wait_for(FAILED, 30, night)
    assert (call["deployment"], call["state"], call["reason"]) == ("smoke", "Crashed", reason)
    # Whoever hands out a lost training is told of it by this state, so it calls nobody.
    assert not [call for call in site.receiver.calls if training in (call["flow_run"] or "")]


def test_a_night_whose_worker_was_lost_before_it_started_it_is_marked_crashed_and_calls(site):
    call = site.receiver.wait_for(FAILED, 120, site.taken)
    assert (call["state"], call["reason"][:29]) == ("Crashed", "it sent no heartbeat for 90 s")
    assert state_of(site.api, site.taken)["type"] == "CRASHED"


def test_a_night_that_lives_longer_is_not_marked_and_calls_with_its_reason_and_report_when_it_fails(site):
    call = site.receiver.wait_for(FAILED, 180, site.failing)
    assert (call["deployment"], call["state"]) == ("nightly", "Failed")
    assert call["reason"] == f"lstm-seed42 failed; the report says so: {call['report']}"
    assert "No model tonight: every training failed." in Path(call["report"]).read_text()

    def published():
        events = site.events("retraining.report.published")
        return [event for event in events if event["payload"]["report"] == call["report"]]

    (event,) = wait_until(published, 60, "the event of the report")
    assert event["resource"]["prefect.resource.name"] == "nightly-retraining/nightly"
    assert event["payload"]["verdict"] == "No model tonight: every training failed."
    assert event["payload"]["failures"] == ["lstm-seed42"]
    run = site.api.get(f"/flow_runs/{site.failing}").raise_for_status().json()
    # Longer than a run without heartbeats is left alone, which is 40 s here.
    assert run["total_run_time"] > 44
    states = site.api.get("/flow_run_states/", params={"flow_run_id": site.failing}).raise_for_status().json()
    assert "CRASHED" not in {state["type"] for state in states}


def test_the_address_turns_up_in_no_log_and_not_in_the_database(site):
    assert CANARY not in Path(site.log.name).read_text()
    assert CANARY not in " ".join(site.printed)
    database = sorted(Path(site.environment["PREFECT_HOME"]).glob("prefect.db*"))
    assert database
    assert not any(CANARY.encode() in path.read_bytes() for path in database)


def test_an_address_that_is_none_is_refused_without_being_shown(site):
    code, said, wrong = load_alarms(site.environment, address=CANARY)
    assert code == 2
    assert wrong == (
        "make deploy: RETRAIN_ALARM_WEBHOOK must be an http or https address. What it is is not shown here.\n"
    )
    assert CANARY not in said
