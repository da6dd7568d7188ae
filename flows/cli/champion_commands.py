"""`retrain champion`: show the champion and its log, promote a model, go back, block and unblock."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict

from flows.cli.exit_codes import ALL_WELL
from storage.champion_log import ChampionLog, Entry
from storage.champion_records import ChampionRecord
from storage.damage import DamagedFileError
from storage.store import Store
from storage.store_address import choose_store

# Those that name a model, and those that need a reason.
OF_MODEL, WITH_REASON = ("promote", "block", "unblock"), ("promote", "rollback", "block", "unblock")


def run_champion_command(options: argparse.Namespace) -> int:
    """Do one action on a log of champions, and print what came out.

    Returns:
        The exit code.

    Raises:
        ValueError: An option does not fit the action, the log or a model is damaged, or the champion has changed.
        OSError: The store does not exist, cannot be used, or has no such run.
    """
    _check_options(options)
    store = Store(choose_store(options.store))
    store.check_readable()
    log = ChampionLog(store, options.champion)
    if options.action == "log":
        return print_log(log, as_json=options.json)
    if options.action == "show":
        return show_champion(log, as_json=options.json)
    entry = _change(log, options)
    print(describe_record(entry.record))
    _announce(log, entry)
    return ALL_WELL


def _check_options(options: argparse.Namespace) -> None:
    action, named = options.action, [one for one in (options.run_id, options.training) if one]
    if action in OF_MODEL and len(named) < 2:
        raise ValueError(f"`retrain champion {action}` needs a RUN_ID and a TRAINING, such as lstm-seed42.")
    if action not in OF_MODEL and named:
        raise ValueError(f"`retrain champion {action}` takes no RUN_ID and no TRAINING. Received: {' '.join(named)}.")
    if action in WITH_REASON and not (options.why or "").strip():
        raise ValueError(f"`retrain champion {action}` needs a reason. Give --why.")
    if action in WITH_REASON and options.json:
        raise ValueError("--json goes with show and log.")


def _change(log: ChampionLog, options: argparse.Namespace) -> Entry:
    # Imported late: showing the champion needs neither NumPy nor git.
    from flows.provenance import read_code_version
    from tasks.champion import promotion

    reason = promotion.Reason(
        why=options.why,
        author=promotion.name_author(),
        expect=options.expect,
        commit=read_code_version().commit,
        single_writer=options.single_writer,
    )
    if options.action == "rollback":
        return promotion.roll_back(log, reason)
    change = {"promote": promotion.promote, "block": promotion.block, "unblock": promotion.unblock}[options.action]
    return change(log, options.run_id, options.training, reason)


def _announce(log: ChampionLog, entry: Entry) -> None:
    """Tell Prefect's server, if the settings name one, of a change that people made at the terminal."""
    if entry.record.action not in ("promote", "rollback"):
        return
    from flows.cli.champion_events import announce_change

    try:
        announce_change(log, entry.record)
    # What was recorded stands, whatever becomes of the message.
    except Exception as error:
        print(f"retrain champion: Prefect's server could not be told: {error}", file=sys.stderr)


def show_champion(log: ChampionLog, *, as_json: bool) -> int:
    """Print the champion of a log, and the blocked models; write `current.json` again if it lags behind."""
    entry = log.read_newest()
    if entry:
        with suppress(OSError, ValueError):
            restore_current_file(log, entry)
    if as_json:
        print(json.dumps(asdict(entry.record) if entry else None))
        return ALL_WELL
    if entry is None or entry.record.champion is None:
        print(f"champion {log.name}: none yet; `retrain champion promote RUN_ID TRAINING --why ...` makes one")
    else:
        record, model = entry.record, entry.record.champion
        print(f"champion {log.name}: {model.training} of {model.run_id}")
        print(f"  test accuracy {model.test_accuracy:.2%} on {model.test_reviews:,} reviews")
        print(f"  identity      {model.identity}")
        print(f"  model         {log.store.locate(model.files['model.keras'].path)}")
        print(f"  log           record {record.number}, {record.when}, by {name_author(record)}: {record.why}")
    for one in entry.record.blocked if entry else ():
        print(f"  blocked       {one.training} of {one.run_id} (record {one.number}): {one.why}")
    return ALL_WELL


def restore_current_file(log: ChampionLog, entry: Entry) -> None:
    """Write `current.json` again if it does not name the newest record."""
    try:
        current = log.read_current_file()
    except (FileNotFoundError, DamagedFileError):
        current = None
    if current is None or (current.number, current.sha256) != (entry.record.number, entry.sha256):
        log.write_current_file(entry)


def print_log(log: ChampionLog, *, as_json: bool) -> int:
    """Print the records of a log, the oldest first, one a line."""
    entries = list(log.walk_back())[::-1]
    for entry in entries:
        print(json.dumps(asdict(entry.record)) if as_json else describe_record(entry.record))
    if not entries and not as_json:
        print(f"champion {log.name}: the log is empty")
    return ALL_WELL


def describe_record(record: ChampionRecord) -> str:
    """Return a record as one line."""
    deeds = {
        "promote": f"promoted {record.training} of {record.run_id}",
        "rollback": f"left and blocked {record.training} of {record.run_id}",
        "block": f"blocked {record.training} of {record.run_id}",
        "unblock": f"unblocked {record.training} of {record.run_id}",
    }
    champion = f"; champion: {record.champion.training} of {record.champion.run_id}" if record.champion else ""
    shown = "" if record.action == "promote" else champion
    return f"{record.number}  {record.when}  {name_author(record)}  {deeds[record.action]}{shown}: {record.why}"


def name_author(record: ChampionRecord) -> str:
    """Return who wrote a record, in a few words."""
    author = record.author
    return "the gate" if author.by == "gate" else f"{author.user}@{author.host}"
