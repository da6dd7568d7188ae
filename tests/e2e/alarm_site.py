"""A Prefect server with the alarms, a webhook that receives them, and runs that raise them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.servers import SHORT_RUN, create_flow_run, kill_whole, shorten_alarms, start_worker
from tests.waiting import wait_until

FAILED, SILENT = "nightly retraining: run failed", "nightly retraining: run went silent"
DECIDED = "nightly retraining: champion proposed or refused"
NOT_OVER, NOTHING = "nightly retraining: night not over by six", "nightly retraining: nothing for 28 hours"
# A run on workers that lasts until it is ended.
ENDLESS = SHORT_RUN | {
    "epochs": 20_000,
    "patience": 20_000,
    "variants": ["lstm"],
    "placement": "workers",
    "timeout_seconds": 600,
}
# It is part of the webhook's address, which is a secret and must appear nowhere.
CANARY = "canary-Zm9yIHRoZSBhbGFybXM"


def answer_as_chats_do(request: Request) -> Response:
    """Accept JSON with a text, and nothing else, as Slack does."""
    text = request.get_json().get("text")
    return Response(status=204) if isinstance(text, str) and text.strip() else Response("no_text", status=400)


@dataclass
class Receiver:
    """A webhook that receives the alarms as a chat does: it refuses what has no text. And one for notifications."""

    server: HTTPServer

    def __post_init__(self):
        alarm = {"uri": f"/{CANARY}", "method": "POST", "headers": {"Content-Type": "application/json"}}
        self.server.expect_request(**alarm).respond_with_handler(answer_as_chats_do)
        self.address = self.server.url_for(CANARY)
        self.server.expect_request("/notify", method="POST").respond_with_data(status=200)

    @property
    def calls(self):
        return [request.get_json() for request, response in self.server.log if response.status_code == 204]

    @property
    def notifications(self):
        return [request.get_json() for request, _ in self.server.log if request.path == "/notify"]

    def make_notification_block(self, environment: dict[str, str]) -> str:
        """Make a notification block on the server that sends to `/notify`; return its type and its name."""
        script = (
            "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block; "
            f"Block(name='team', url='{self.server.url_for('/notify')}', method='POST', "
            "json_data={'title': '{{subject}}', 'text': '{{body}}'}).save('team', overwrite=True)"
        )
        subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, timeout=120)
        return "custom-webhook/team"

    def wait_for(self, alarm: str, seconds: float, flow_run: str = "") -> dict[str, Any]:
        """Return the first call of an alarm; with `flow_run`, the first one for that flow run."""

        def find_calls():
            found = [call for call in self.calls if call["alarm"] == alarm and flow_run in (call["flow_run"] or "")]
            return found[:1]

        return wait_until(find_calls, seconds, f"the alarm {alarm}")[0]


@dataclass
class Site:
    """A server with the alarms, a receiver, and runs that raise the alarms.

    Attributes:
        printed: What was printed when the alarms were loaded: without an address, with one, and again.
        automations: The server's automations after each of these.
        failing: A run that no worker trains for; it gives up later than a silent run is marked.
        lost: The flow run of a run whose machine was lost, and that of its training.
        late: The call for a run that was due while no worker ran.
        nothing: The call because neither a report nor another alarm came; no report had come before.
        taken: A run that a worker took and never started.
    """

    api: Any
    environment: dict[str, str]
    log: TextIO
    receiver: Receiver
    printed: list[str] = field(default_factory=list)
    automations: list[list[dict[str, Any]]] = field(default_factory=list)
    failing: str = ""
    lost: tuple[str, str] = ("", "")
    late: dict[str, Any] = field(default_factory=dict)
    nothing: dict[str, Any] = field(default_factory=dict)
    taken: str = ""

    def note(self, printed: str) -> None:
        self.printed.append(printed)
        self.automations.append(self.api.post("/automations/filter", json={}).raise_for_status().json())

    def read_state(self, flow_run: str) -> dict[str, Any]:
        return self.api.get(f"/flow_runs/{flow_run}").raise_for_status().json()["state"]

    def wait_for_state(self, flow_run: str, state: str, seconds: float) -> dict[str, Any]:
        """Return the state of a flow run as soon as it is of the given type."""

        def find_state():
            found = self.read_state(flow_run)
            return found if found["type"] == state else None

        return wait_until(find_state, seconds, f"the state {state} of a flow run", every=0.5)

    def read_events(self, name: str, flow_run: str = "") -> list[dict[str, Any]]:
        """Return the newest events with a name, the newest first; with `flow_run`, those of that flow run."""
        wanted: dict[str, Any] = {"event": {"name": [name]}}
        if flow_run:
            wanted["resource"] = {"id": [f"prefect.flow-run.{flow_run}"]}
        return self.api.post("/events/filter", json={"filter": wanted}).raise_for_status().json()["events"]

    def take_a_run_and_vanish(self) -> None:
        """Do what a worker does whose machine is lost between taking a run and starting it."""
        self.taken = create_flow_run(self.api, "nightly-retraining/smoke")
        pending = {"state": {"type": "PENDING"}, "force": True}
        self.api.post(f"/flow_runs/{self.taken}/set_state", json=pending).raise_for_status()

    def lose_a_run(self) -> None:
        """Start a run that hands out its training, and kill both workers after both flow runs sent a heartbeat."""
        workers = [start_worker(pool, self.environment, self.log) for pool in ("retraining", "training")]
        run = create_flow_run(self.api, "nightly-retraining/smoke", ENDLESS)

        def find_alive():
            heartbeats = self.read_events("prefect.flow-run.heartbeat")
            alive = {name_flow_run(event).removeprefix("prefect.flow-run.") for event in heartbeats}
            return sorted(alive, key=lambda flow_run: flow_run != run) if len(alive) == 2 else None

        try:
            self.lost = tuple(wait_until(find_alive, 240, "the heartbeats of a run and of its training", every=0.5))
        finally:
            kill_whole(*workers)

    def let_a_run_be_late(self) -> None:
        """Shorten the alarms' windows, and let a run be due while no worker runs."""
        self.printed.append(shorten_alarms(self.environment))
        late = create_flow_run(self.api, "nightly-retraining/nightly")
        self.late = self.receiver.wait_for(NOT_OVER, 120, late)
        self.api.delete(f"/flow_runs/{late}").raise_for_status()

    def start_a_failing_run(self):
        """Start a run that fails; return its worker."""
        worker = start_worker("retraining", self.environment, self.log, "--limit", "1")
        self.failing = create_flow_run(self.api, "nightly-retraining/nightly", ENDLESS | {"timeout_seconds": 44})
        self.wait_for_state(self.failing, "RUNNING", 180)
        return worker


def name_flow_run(event: dict[str, Any]) -> str:
    """Return the id of the resource of an event of a flow run: "prefect.flow-run." and the flow run's id."""
    return event["resource"]["prefect.resource.id"]
