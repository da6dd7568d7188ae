"""The alarms on a real server: whom they call if a run fails, is lost, is late, or does not come."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml
from pytest_httpserver import HTTPServer

from tests.e2e.alarm_site import CANARY, DECIDED, FAILED, NOT_OVER, NOTHING, SILENT, Receiver, Site
from tests.e2e.servers import (
    ALARMS,
    SHORT_WINDOWS,
    create_flow_run,
    deploy,
    end,
    load_alarms,
    make_environment,
    prefect_server,
    shorten_alarms,
)
from tests.places import PROJECT_ROOT
from tests.stubs import OFTEN, STUB
from tests.waiting import wait_until

SILENCE = "within: 90\n"
# As long as the tests let a run be silent.
SHORT_SILENCE = timedelta(seconds=40)


@pytest.fixture(scope="module")
def site(tmp_path_factory, migrated_home):
    """A server with the alarms, on which runs have been lost and late; the failing run still goes on."""
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
            block = receiver.make_notification_block(environment)
            given = {"RETRAIN_ALARM_WEBHOOK": receiver.address, "RETRAIN_ALARM_BLOCK": f" {block}\n"}
            made.note(deploy(environment | given))
            made.note(load_alarms(environment)[1])
            # From here on, runs may be silent for a shorter time, and their heartbeats are more frequent.
            shorten_alarms(environment, [SILENCE])
            made.take_a_run_and_vanish()
            made.lose_a_run()
            made.let_a_run_be_late()
            made.nothing = receiver.wait_for(NOTHING, 120)
            # The other tests run while this run goes on.
            worker = made.start_a_failing_run()
            yield made
        finally:
            if worker:
                end(worker)


def test_the_windows_of_the_alarms_are_three_heartbeats_four_hours_and_28_hours():
    alarms = {alarm["name"]: alarm for alarm in yaml.safe_load(ALARMS.read_text())["automations"]}
    windows = {name: alarm["trigger"]["within"] for name, alarm in alarms.items()}
    # In seconds.
    assert windows == {SILENT: 90, FAILED: 0, NOT_OVER: 14_400, DECIDED: 0, NOTHING: 100_800}
    assert list(SHORT_WINDOWS) == ["within: 90\n", "within: 14400\n", "within: 100800\n"]
    for one in yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]:
        variables = one["work_pool"]["job_variables"]["env"]
        assert variables == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}, one["name"]


def test_without_an_address_silent_runs_are_marked_and_the_command_says_that_no_alarm_calls_anyone(site):
    assert "No alarm calls anyone: RETRAIN_ALARM_WEBHOOK is not set" in site.printed[0]
    assert [automation["name"] for automation in site.automations[0]] == [SILENT]


def test_make_deploy_creates_the_alarms_and_does_not_change_them_if_it_is_repeated(site):
    assert {automation["name"] for automation in site.automations[1]} == {SILENT, FAILED, NOT_OVER, DECIDED, NOTHING}
    assert "Alarms: 5 on the server, 4 of them new or changed." in site.printed[1]
    assert "Alarms: 5 on the server, 0 of them new or changed." in site.printed[2]
    assert site.automations[2] == site.automations[1]


def test_alarms_with_another_window_are_updated_on_the_server(site):
    assert site.printed[3].startswith("Alarms: 5 on the server, 2 of them new or changed.")


def test_an_alarm_calls_if_no_report_comes_and_no_worker_runs(site):
    assert site.nothing["reason"].startswith("no report and no other alarm came")
    assert (site.nothing["report"], site.nothing["verdict"]) == (None, None)


def test_an_alarm_calls_if_no_worker_takes_a_run_that_is_due(site):
    assert site.late["reason"].startswith("due at 20")
    assert site.late["reason"].endswith(" and not over: no worker took it, or it hangs")


def test_an_alarm_calls_with_the_command_if_a_champion_is_proposed(site):
    event = {
        "event": "retraining.champion.proposed",
        "resource": {"prefect.resource.id": "retraining.champion.main", "prefect.resource.name": "champion main"},
        "payload": {
            "text": 'gru-seed42 replaces "lstm-seed42": +0.90 points, a clear difference.',
            "outcome": "propose",
            "approve": "prefect deployment run promote-champion/promote -p run_id=x",
            "report": "/srv/reports/x.html",
        },
        "occurred": datetime.now(UTC).isoformat(),
        "id": str(uuid.uuid4()),
    }
    site.api.post("/events", json=[event]).raise_for_status()
    call = site.receiver.wait_for(DECIDED, 60)
    assert (call["reason"], call["state"]) == (event["payload"]["text"], "propose")
    assert call["approve"] == event["payload"]["approve"]
    assert call["text"].endswith("-p run_id=x /srv/reports/x.html")


def test_an_alarm_calls_if_nothing_follows_a_report_and_names_that_report(site):
    event = {
        "event": "retraining.report.published",
        "resource": {
            "prefect.resource.id": "retraining.report.20261124T170000Z-c48114",
            "prefect.resource.name": "nightly-retraining/nightly",
        },
        "payload": {"verdict": 'Chosen: "gru".', "report": "/srv/reports/x.html", "failures": []},
    }

    def find_calls_with_a_report():
        return [call for call in site.receiver.calls if call["alarm"] == NOTHING and call["report"]]

    # If another alarm is delivered meanwhile, it restarts the window without a report: then send the event again.
    for _ in range(6):
        unique = {"id": str(uuid.uuid4()), "occurred": datetime.now(UTC).isoformat()}
        site.api.post("/events", json=[event | unique]).raise_for_status()
        with suppress(AssertionError):
            wait_until(find_calls_with_a_report, 20, "the alarm with a report")
            break
    (call,) = find_calls_with_a_report()
    assert (call["report"], call["verdict"]) == ("/srv/reports/x.html", 'Chosen: "gru".')


def test_a_notification_has_a_subject_and_says_what_happened_and_where_to_look(site):
    def find_notification():
        return [one for one in site.receiver.notifications if one["title"] == NOTHING][:1]

    (one,) = wait_until(find_notification, 60, "a notification")
    assert one["text"].startswith("No report and no other alarm came: is the schedule paused")
    assert "Last verdict: " in one["text"]
    assert "Report: " in one["text"]


def test_what_cannot_notify_is_refused_in_one_line(site):
    for name, reason in {
        "team": "Received: team.",
        "slack-webhook/nobody": "The server has no block slack-webhook/nobody; make it in Prefect first.",
        "webhook/retraining-alarm": "The block webhook/retraining-alarm cannot send notifications.",
    }.items():
        code, _, printed = load_alarms(site.environment, block=name)
        assert code == 2
        assert printed == (
            "make deploy: RETRAIN_ALARM_BLOCK must be the type and the name of a notification block, such as "
            f"slack-webhook/team. {reason}\n"
        )


def test_a_reason_with_quotes_and_line_breaks_arrives_unchanged(site):
    reason = 'He said "no"\nand <left> \\ {{ 7 * 7 }} — 아니요'
    run = create_flow_run(site.api, "nightly-retraining/smoke")
    failed = {"state": {"type": "FAILED", "message": reason}, "force": True}
    site.api.post(f"/flow_runs/{run}/set_state", json=failed).raise_for_status()
    call = site.receiver.wait_for(FAILED, 60, run)
    assert (call["state"], call["reason"], call["report"]) == ("Failed", reason, None)


def test_a_run_whose_machine_was_lost_is_marked_crashed_after_one_window_of_silence_and_an_alarm_calls(site):
    run, training = site.lost
    reason = "it sent no heartbeat for 90 s, so its process or its machine was lost"
    assert site.wait_for_state(run, "CRASHED", 130)["message"] == reason
    assert site.wait_for_state(training, "CRASHED", 30)["message"] == reason
    for flow_run in site.lost:
        last = site.read_events("prefect.flow-run.heartbeat", flow_run)[0]
        # The server keeps the alarm's event a moment after it has acted on it.
        (alarm,) = wait_until(partial(find_silent_alarms, site, flow_run), 30, "the alarm's event", every=0.5)
        # The first window after the last heartbeat raised the alarm, and no other window did.
        assert alarm["payload"]["triggering_event"]["id"] == last["id"]
        assert read_time(alarm["occurred"]) - read_time(last["occurred"]) >= SHORT_SILENCE
        assert read_time(site.read_state(flow_run)["timestamp"]) >= read_time(alarm["occurred"])
    call = site.receiver.wait_for(FAILED, 30, run)
    assert (call["deployment"], call["state"], call["reason"]) == ("smoke", "Crashed", reason)
    # A lost training calls nobody: its run reads this state and submits it again.
    assert not [call for call in site.receiver.calls if training in (call["flow_run"] or "")]


def find_silent_alarms(site, flow_run):
    """Return the events of the alarm for silent runs that were raised for a flow run."""
    labels = {"prefect.resource.id": f"prefect.flow-run.{flow_run}"}
    return [
        event
        for event in site.read_events("prefect.automation.triggered")
        if (event["resource"]["prefect.resource.name"], event["payload"]["triggering_labels"]) == (SILENT, labels)
    ]


def read_time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_run_whose_worker_was_lost_before_it_started_is_marked_crashed_and_an_alarm_calls(site):
    call = site.receiver.wait_for(FAILED, 120, site.taken)
    assert (call["state"], call["reason"][:29]) == ("Crashed", "it sent no heartbeat for 90 s")
    assert site.read_state(site.taken)["type"] == "CRASHED"


def test_a_longer_run_is_not_marked_and_if_it_fails_the_alarm_has_its_reason_and_report(site):
    call = site.receiver.wait_for(FAILED, 180, site.failing)
    assert (call["deployment"], call["state"]) == ("nightly", "Failed")
    assert call["reason"] == f"lstm-seed42 failed; the report says so: {call['report']}"
    assert "No model: every training failed." in Path(call["report"]).read_text()

    def find_published():
        events = site.read_events("retraining.report.published")
        return [event for event in events if event["payload"]["report"] == call["report"]]

    (event,) = wait_until(find_published, 60, "the event of the report")
    assert event["resource"]["prefect.resource.name"] == "nightly-retraining/nightly"
    assert event["payload"]["verdict"] == (
        "No model: every training failed. Mend what failed and run again; until then no variant is chosen."
    )
    assert event["payload"]["failures"] == ["lstm-seed42"]
    run = site.api.get(f"/flow_runs/{site.failing}").raise_for_status().json()
    # The run lasted longer than it may be silent, which is 40 s.
    assert run["total_run_time"] > 44
    states = site.api.get("/flow_run_states/", params={"flow_run_id": site.failing}).raise_for_status().json()
    assert "CRASHED" not in {state["type"] for state in states}


def test_the_address_is_in_no_log_and_not_in_the_database(site):
    assert CANARY not in Path(site.log.name).read_text()
    assert CANARY not in " ".join(site.printed)
    database = sorted(Path(site.environment["PREFECT_HOME"]).glob("prefect.db*"))
    assert database
    assert not any(CANARY.encode() in path.read_bytes() for path in database)


def test_a_wrong_address_is_refused_without_being_shown(site):
    code, output, errors = load_alarms(site.environment, address=CANARY)
    assert code == 2
    assert errors == (
        "make deploy: RETRAIN_ALARM_WEBHOOK must be an http or https address. The value is a secret and is not shown.\n"
    )
    assert CANARY not in output
