"""Decide whether a run's best model should replace the champion, promote it if the policy says so, and tell people."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import cast
from urllib.parse import urlencode

import prefect.runtime.deployment
import prefect.runtime.flow_run
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_UI_URL

from reports.decision import decision_to_json, summarise_decision
from reports.page.decision_words import describe_decision, headline_decision
from reports.page.language import Language
from reports.sections.decision_section import Decision
from reports.sections.gate_policy import GatePolicy
from storage.champion_log import ChampionLog
from storage.champion_records import ChampionRecord
from storage.records import Run
from storage.runs import run_folder
from storage.store import Store
from tasks.artifacts import UNREACHABLE, brief_requests
from tasks.champion.gate_request import REPORT, GateAnswer, GateRequest, GateSetup
from tasks.processes.children import BadInputError, ChildFailedError, Children
from tasks.report import PublishedReport

TIMEOUT_SECONDS = 600
PROPOSED, PROMOTED = "retraining.champion.proposed", "retraining.champion.promoted"
ROLLED_BACK, REFUSED = "retraining.champion.rolled-back", "retraining.champion.refused"


@task(name="gate", task_run_name="gate {run.run_id}", cache_policy=NO_CACHE, persist_result=False)
def decide_about(run: Run, policy: GatePolicy, name: str, store: Store, children: Children) -> GateAnswer:
    """Decide about a run whose evidence is computed, and store the decision.

    Whatever fails here ends in a refusal, and not in a failed run: what was trained is not lost.

    Args:
        run: The run's record.
        policy: What must hold, and what is done then.
        name: Whose log of champions.
        store: The store that has the run and the log.
        children: The run's child processes.
    """
    setup = GateSetup(policy, name, str(prefect.runtime.flow_run.id))
    try:
        request = GateRequest(run, store.absolute_uri, setup)
        answer = cast(GateAnswer, children.ask(REPORT, request, TIMEOUT_SECONDS))
    except (ChildFailedError, BadInputError) as error:
        answer = _refuse(run, setup, f"{error}", store)
    decision = answer.decision
    language = Language("en")
    get_run_logger().info("gate: %s", headline_decision(decision, language))
    return answer


def _refuse(run: Run, setup: GateSetup, error: str, store: Store) -> GateAnswer:
    decision = Decision("refused", ("failed",), setup.policy, setup.name, 0, test_set=run.test_set, error=error)
    file = store.write_bytes(f"{run_folder(run.run_id)}/decision.json", decision_to_json(decision))
    return GateAnswer(replace(run, decision=file), decision)


@task(name="promotion", task_run_name="promotion", cache_policy=NO_CACHE, persist_result=False)
def carry_out(published: PublishedReport, decision: Decision, store: Store) -> str:
    """Promote the challenger if the gate decided so, and tell people of what concerns them.

    Args:
        published: The published run, whose page says what was decided.
        decision: The same.
        store: The store that has the log.

    Returns:
        What went wrong with the promotion; "" if nothing did, or if none was due.
    """
    error, record = "", None
    if decision.outcome == "promote" and decision.challenger:
        try:
            record = _promote(published.run, decision, store)
        except (ValueError, OSError) as failure:
            error = f"{failure}"
            get_run_logger().error("gate: the promotion was decided and could not be recorded: %s", error)
    try:
        with brief_requests():
            _tell(published, decision, record, error)
    except UNREACHABLE as failure:
        get_run_logger().warning("Prefect's server could not be told of the decision: %s", failure)
    return error


def _promote(run: Run, decision: Decision, store: Store) -> ChampionRecord:
    # Imported late: few runs promote, and all would pay for it.
    from tasks.champion.promotion import Reason, name_author, promote

    challenger = decision.challenger
    if challenger is None:
        raise ValueError("a promotion must have a challenger, and has none")
    gain = "" if decision.gain is None else f", {100 * decision.gain.estimate:+.2f} points"
    reason = Reason(
        why=f"the gate promoted it by the policy {decision.policy.policy}{gain}",
        author=name_author(str(prefect.runtime.flow_run.id), is_gate=True),
        expect=decision.number,
        commit=run.code.commit,
        report=run.report.sha256 if run.report else None,
        evidence=summarise_decision(decision),
        single_writer=decision.policy.single_writer,
    )
    log = ChampionLog(store, decision.champion_name)
    return promote(log, run.run_id, challenger.training, reason, is_checked=True).record


def _tell(published: PublishedReport, decision: Decision, record: ChampionRecord | None, error: str) -> None:
    """Show the decision in Prefect, and emit the event that people are told of; none if nothing is new for them."""
    run, language = published.run, Language(published.run.known.language)
    text = f"**{headline_decision(decision, language)}**\n\n" + "\n".join(
        f"- {sentence}" for sentence in describe_decision(decision, language)
    )
    if decision.outcome == "propose":
        text += f"\n\n{_link_approval(decision)}"
    create_markdown_artifact(text, key="champion-decision", description=run.run_id)
    if decision.policy.mode == "report_only":
        return
    event = {"propose": PROPOSED, "promote": PROMOTED, "refused": REFUSED}.get(decision.outcome)
    event = REFUSED if error else event
    # Of a failed variant, the alarm for failed runs tells.
    if event and not (event == REFUSED and run.failures):
        announce(event, decision.champion_name, published.address, _describe_event(decision, record, error))


def _link_approval(decision: Decision) -> str:
    """Return how to approve a proposal in Prefect: the form with its parameters filled in, and the command."""
    command = f"```\n{write_approval(decision)}\n```"
    challenger = decision.challenger
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name("promote-champion/promote").id
        # `make deploy` was not called on this server, as on the temporary one.
        except ObjectNotFound:
            return command
    if challenger is None:
        return command
    parameters = {
        "run_id": challenger.run_id,
        "training": challenger.training,
        "expect": decision.number,
        "champion": decision.champion_name,
    }
    query = urlencode({"parameters": json.dumps(parameters)})
    address = f"{(PREFECT_UI_URL.value() or '').rstrip('/')}/deployments/deployment/{deployment}/run?{query}"
    return f"[Approve it]({address})\n\n{command}"


def _describe_event(decision: Decision, record: ChampionRecord | None, error: str) -> dict[str, object]:
    challenger, champion = decision.challenger, decision.champion
    return {
        "text": error or headline_decision(decision, Language("en")),
        "outcome": decision.outcome,
        "reasons": list(decision.reasons),
        "error": error or decision.error,
        "run_id": challenger.run_id if challenger else None,
        "training": challenger.training if challenger else None,
        "champion_run_id": champion.run_id if champion else None,
        "champion_training": champion.training if champion else None,
        "expect": decision.number,
        "record": record.number if record else None,
        "gain": decision.gain.estimate if decision.gain else None,
        "approve": write_approval(decision) if decision.outcome == "propose" else None,
    }


def write_approval(decision: Decision) -> str:
    """Return the command that approves a proposal on Prefect's server."""
    if decision.challenger is None:
        return ""
    values = {
        "run_id": decision.challenger.run_id,
        "training": decision.challenger.training,
        "expect": str(decision.number),
        "champion": decision.champion_name,
        "why": "...",
    }
    words = ["prefect", "deployment", "run", "promote-champion/promote"]
    return shlex.join([*words, *(word for name, value in values.items() for word in ("-p", f"{name}={value}"))])


def announce(event: str, name: str, report: str, payload: dict[str, object]) -> None:
    """Emit an event about a champion.

    Args:
        event: Its name.
        name: Whose log.
        report: Address of the page that it rests on, or "".
        payload: What it says.
    """
    deployment = prefect.runtime.deployment.name
    emit_event(
        event,
        resource={
            "prefect.resource.id": f"retraining.champion.{name}",
            "prefect.resource.name": f"champion {name}",
        },
        related=[
            {
                "prefect.resource.id": f"retraining.report.{payload.get('run_id')}",
                "prefect.resource.name": f"nightly-retraining/{deployment or 'by hand'}",
                "prefect.resource.role": "report",
            }
        ],
        payload={**payload, "report": report, "champion": name},
    )
