"""Change the champion: promote a model, go back to the one before, block a model, and unblock it."""

from __future__ import annotations

import getpass
import socket
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

from reports.decision import decision_from_json, summarise_decision
from storage.champion_log import ChampionChangedError, ChampionLog, Entry
from storage.champion_records import (
    Action,
    Author,
    BlockedModel,
    ChampionModel,
    ChampionRecord,
)
from storage.records import JsonObject, Run
from storage.runs import is_published, read_run
from tasks.champion.clean_process import CleanProcessError
from tasks.champion.model_record import describe_model, find_training, identify_training
from tasks.champion.scoring import check_model

LONGEST_WHY = 500


@dataclass(frozen=True)
class Reason:
    """Why the champion is changed, and by whom.

    Attributes:
        why: In the words of the one who decided.
        author: Who did.
        expect: Number of the record that the decision was made against; None to take the newest as it is.
        commit: Git's commit of the code; None if unknown.
        report: SHA-256 of the report that was decided from.
        evidence: Figures and checks of the gate.
        single_writer: See `storage.create_once`.
    """

    why: str
    author: Author
    expect: int | None = None
    commit: str | None = None
    report: str | None = None
    evidence: JsonObject = field(default_factory=dict)
    single_writer: bool = False


def name_author(flow_run: str | None = None, *, is_gate: bool = False) -> Author:
    """Return who acts: the account and the machine of this process."""
    try:
        user = getpass.getuser()
    # The account has no name, as in a container with a number for a user.
    except (KeyError, OSError):
        user = "unknown"
    return Author("gate" if is_gate else "person", user, socket.gethostname(), flow_run)


def promote(log: ChampionLog, run_id: str, training: str, reason: Reason, *, is_checked: bool = False) -> Entry:
    """Make a model the champion.

    A flow run that is retried repeats nothing: its own record is returned.

    Args:
        log: The log of champions.
        run_id: The run that trained the model.
        training: Name of its training.
        reason: Why, and by whom.
        is_checked: Whether the gate has just loaded the model in a clean process.

    Raises:
        FileNotFoundError: There is no such run.
        ValueError: The run has no such model, it is blocked or damaged or is the champion already, the reason is empty,
            or the champion has changed.
    """
    flow_run = reason.author.flow_run
    done = [entry for entry in log.walk_back() if flow_run and entry.record.author.flow_run == flow_run]
    if done:
        return done[0]
    newest = _begin(log, reason)
    run = _read_run(log, run_id)
    found = find_training(run, training)
    identity = identify_training(run, found, log.store)
    if newest and newest.record.champion and newest.record.champion.identity == identity:
        raise ValueError(
            f"{training} of {run_id} is the champion {log.name} already, by record {newest.record.number} or before."
        )
    if newest and newest.record.is_blocked(identity):
        raise ValueError(f"{training} of {run_id} is blocked. `retrain champion unblock` lifts that.")
    model = describe_model(run, found, log.store)
    error = "" if is_checked else check_model(model, log.store)
    if error:
        raise CleanProcessError(error)
    if reason.report is None and run.report:
        reason = replace(reason, report=run.report.sha256, evidence=_read_decision(run, training, log))
    blocked = newest.record.blocked if newest else ()
    return _append(log, newest, reason, "promote", (run_id, training, identity), model, blocked)


def _read_decision(run: Run, training: str, log: ChampionLog) -> JsonObject:
    """Return what the gate found of a model; empty if it looked at another one, or at none."""
    if run.decision is None:
        return {}
    decision = decision_from_json(log.store.read_verified(run.decision), log.store.locate(run.decision.path))
    is_about = decision.challenger is not None and decision.challenger.training == training
    return summarise_decision(decision) if is_about else {}


def roll_back(log: ChampionLog, reason: Reason) -> Entry:
    """Make the champion before the current one the champion again, and block the current one.

    Otherwise the next run would train the same weights again, and propose them.

    Raises:
        ValueError: There is no champion to leave or none before it, it is damaged, the reason is empty, or the champion
            has changed.
    """
    newest = _begin(log, reason)
    left = newest.record.champion if newest else None
    if newest is None or left is None:
        raise ValueError(f"There must be a champion {log.name} to go back from. There is none.")
    before = _find_before(log, newest, left)
    if error := check_model(before, log.store):
        raise CleanProcessError(f"The champion before cannot be restored: {error}")
    number = newest.record.number + 1
    block = BlockedModel(left.identity, left.run_id, left.training, number, reason.why)
    subject = (left.run_id, left.training, left.identity)
    return _append(log, newest, reason, "rollback", subject, before, (*newest.record.blocked, block))


def _find_before(log: ChampionLog, newest: Entry, left: ChampionModel) -> ChampionModel:
    """Return the model that was in use before `left` was promoted, blocked ones passed over."""
    wanted = left.identity
    entries = list(log.walk_back(newest.record.number))
    for entry, earlier in pairwise(entries):
        is_promotion = entry.record.action == "promote" and entry.record.identity == wanted
        model = earlier.record.champion
        if not is_promotion or model is None:
            continue
        if not newest.record.is_blocked(model.identity):
            return model
        wanted = model.identity
    raise ValueError(f"There must be a champion {log.name} before {left.training} of {left.run_id}. There is none.")


def block(log: ChampionLog, run_id: str, training: str, reason: Reason) -> Entry:
    """Block a model, so that the gate never proposes it.

    Raises:
        FileNotFoundError: There is no such run.
        ValueError: The run has no such model, it is the champion or blocked already, the reason is empty, or the
            champion has changed.
    """
    newest = _begin(log, reason)
    identity = _identify(log, run_id, training)
    champion = newest.record.champion if newest else None
    if champion and champion.identity == identity:
        raise ValueError(
            f"{training} of {run_id} is the champion. `retrain champion rollback` leaves it and blocks it."
        )
    blocked = newest.record.blocked if newest else ()
    if newest and newest.record.is_blocked(identity):
        raise ValueError(f"{training} of {run_id} is blocked already.")
    number = newest.record.number + 1 if newest else 1
    one = BlockedModel(identity, run_id, training, number, reason.why)
    return _append(log, newest, reason, "block", (run_id, training, identity), champion, (*blocked, one))


def unblock(log: ChampionLog, run_id: str, training: str, reason: Reason) -> Entry:
    """Lift the block of a model.

    Raises:
        ValueError: It is not blocked, the reason is empty, or the champion has changed.
    """
    newest = _begin(log, reason)
    blocked = newest.record.blocked if newest else ()
    found = [one for one in blocked if (one.run_id, one.training) == (run_id, training)]
    if newest is None or not found:
        # The same weights may have been blocked by the name of another run.
        identity = _identify(log, run_id, training) if newest else ""
        found = [one for one in blocked if one.identity == identity]
    if newest is None or not found:
        raise ValueError(f"{training} of {run_id} must be blocked to be unblocked, and is not.")
    left = tuple(one for one in blocked if one.identity != found[0].identity)
    subject = (run_id, training, found[0].identity)
    return _append(log, newest, reason, "unblock", subject, newest.record.champion, left)


def _read_run(log: ChampionLog, run_id: str) -> Run:
    if not is_published(log.store, run_id):
        raise FileNotFoundError(
            f"`RUN_ID` must be one that `retrain history` lists. Received: {run_id:.80}; it is not in "
            f"{log.store.locate('')}."
        )
    return read_run(log.store, run_id)


def _identify(log: ChampionLog, run_id: str, training: str) -> str:
    run = _read_run(log, run_id)
    return identify_training(run, find_training(run, training), log.store)


def _begin(log: ChampionLog, reason: Reason) -> Entry | None:
    """Check the reason, and return the newest record."""
    if not reason.why.strip() or len(reason.why) > LONGEST_WHY or not reason.why.isprintable():
        raise ValueError(
            f"`why` must say why, in one line of at most {LONGEST_WHY} characters. Received: {reason.why!r:.80}."
        )
    newest = log.read_whole()
    number = newest.record.number if newest else 0
    if reason.expect is not None and reason.expect != number:
        raise ChampionChangedError(
            f"The log {log.name} must end with record {reason.expect}, as you expected. It ends with {number}: "
            "somebody has changed it meanwhile. Look at `retrain champion`, and decide again."
        )
    return newest


def _append(
    log: ChampionLog,
    newest: Entry | None,
    reason: Reason,
    action: Action,
    subject: tuple[str, str, str],
    champion: ChampionModel | None,
    blocked: tuple[BlockedModel, ...],
) -> Entry:
    run_id, training, identity = subject
    record = ChampionRecord(
        number=newest.record.number + 1 if newest else 1,
        name=log.name,
        unique=uuid.uuid4().hex,
        action=action,
        run_id=run_id,
        training=training,
        identity=identity,
        champion=champion,
        blocked=blocked,
        previous=newest.sha256 if newest else None,
        author=reason.author,
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        why=reason.why.strip(),
        evidence=dict(reason.evidence),
        report=reason.report,
        commit=reason.commit,
    )
    return log.append(record, single_writer=reason.single_writer)
