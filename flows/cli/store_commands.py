"""`retrain report`, `retrain history` and `retrain verify`: what the store holds of past runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from flows.cli.exit_codes import ALL_WELL, BAD_INPUT
from flows.cli.past_runs import choose_run, language_of, read_history, render_stored_run, restore_report, tabulate
from flows.parameters import choose_store
from storage.runs import read_run, verify_store
from storage.store import Store


def report(options: dict[str, Any]) -> int:
    """Render a stored run again, and print where its page is."""
    store = _open_store(options)
    run = read_run(store, choose_run(store, options["run_id"]))
    language = options["lang"] or language_of(run)
    page = render_stored_run(store, run, language)
    if options["out"]:
        Path(options["out"]).write_bytes(page)
    print(f"report: {options['out'] or restore_report(store, run, page, language)}")
    return ALL_WELL


def history(options: dict[str, Any]) -> int:
    """Print the runs of the store."""
    nights, damaged = read_history(_open_store(options))
    for line in map(json.dumps, nights) if options["json"] else tabulate(nights):
        print(line)
    for sentence in damaged:
        print(f"retrain history: {sentence}", file=sys.stderr)
    return BAD_INPUT if damaged else ALL_WELL


def verify(options: dict[str, Any]) -> int:
    """Print what is damaged or missing in the store."""
    store = _open_store(options)
    found = verify_store(store)
    for sentence in found.damaged:
        print(sentence, file=sys.stderr)
    for path in found.unfinished:
        reason = "belongs to a checkpoint" if "/checkpoints/" in path else "is named by no manifest"
        print(f"{path} {reason}: a run was interrupted here, or is still at work.")
    for path in found.quarantined:
        print(f"{path} was found damaged earlier and put aside; it may be deleted.")
    print(f"{store.locate('')}: {found.sound} files sound, {len(found.damaged)} damaged or missing")
    return BAD_INPUT if found.damaged else ALL_WELL


def _open_store(options: dict[str, Any]) -> Store:
    store = Store(choose_store(options["store"]))
    store.check_readable()
    return store
