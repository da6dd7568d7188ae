"""`retrain report`, `retrain history` and `retrain verify`: what the store holds of past runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from flows.cli.exit_codes import ALL_WELL, BAD_INPUT
from flows.cli.past_runs import choose_run, format_table, read_history, render_stored_run, restore_report
from storage.champion_log import list_names
from storage.champion_records import ChampionRecord
from storage.datasets import dataset_folder, find_datasets
from storage.looks import verify_looks
from storage.retention import plan_removal, remove
from storage.runs import list_runs, read_run, read_runs, verify_store
from storage.store import Store
from storage.store_address import choose_store
from storage.verify_champions import verify_logs
from tasks.data.reading.source_files import is_there
from tasks.evaluation.publish_index import publish_index


def render_again(address: str | None, run_id: str | None, *, language: str | None, target: str | None) -> int:
    """Render the page of a stored run again, and print its path.

    Args:
        address: The store's address; the default store if None.
        run_id: Which run; the newest if None.
        language: "en" or "ko"; the run's own language if None.
        target: File to write the page to; the page's own place in the store if None.

    Returns:
        The exit code.

    Raises:
        ValueError: The run's files are damaged, or its page cannot be rendered as it was published.
        OSError: The store or the run does not exist, or a file cannot be read or written.
    """
    store = _open_store(address)
    run = read_run(store, choose_run(store, run_id))
    chosen = language or run.known.language
    page = render_stored_run(store, run, chosen)
    if target:
        Path(target).write_bytes(page)
    print(f"report: {target or restore_report(store, run, page, chosen)}")
    return ALL_WELL


def print_history(address: str | None, *, as_json: bool) -> int:
    """Print one line for each run of a store, and one for each damaged record.

    Args:
        address: The store's address; the default store if None.
        as_json: Whether each line is a JSON object, for programs.

    Returns:
        The exit code: 2 if a record is damaged.

    Raises:
        ValueError: No store can have this address.
        OSError: The store does not exist or cannot be read.
    """
    runs, damaged = read_history(_open_store(address))
    for line in [json.dumps(asdict(run)) for run in runs] if as_json else format_table(runs):
        print(line)
    for sentence in damaged:
        print(f"retrain history: {sentence}", file=sys.stderr)
    return BAD_INPUT if damaged else ALL_WELL


def verify_files(address: str | None) -> int:
    """Print which files of a store are damaged, missing, unfinished or in quarantine, and which sources changed.

    Args:
        address: The store's address; the default store if None.

    Returns:
        The exit code: 2 if a file is damaged or missing, or a source changed without its size and time.

    Raises:
        ValueError: No store can have this address.
        OSError: The store does not exist or cannot be read.
    """
    # Imported late: it takes a seventh of a second, and the other commands do not need it.
    from flows.earlier_reviews import find_silent_changes

    store = _open_store(address)
    found = verify_store(store)
    changed = find_silent_changes(store)
    champions = [*verify_logs(store, partial(verify_champion, store=store)), *verify_looks(store)]
    for sentence in (*found.damaged, *changed, *champions):
        print(sentence, file=sys.stderr)
    for path in found.unfinished:
        reason = "belongs to a checkpoint" if "/checkpoints/" in path else "is named by no manifest"
        print(f"{path} {reason}: a run was interrupted, or is still writing.")
    for path in found.quarantined:
        print(f"{path} was found damaged earlier and moved here; you may delete it.")
    print(f"{store.locate('')}: {found.sound} files sound, {len(found.damaged)} damaged or missing")
    if logs := list_names(store):
        print(
            f"champions: the logs of {', '.join(logs)} {'have faults' if champions else 'are sound'}. A log that was "
            "cut at its end, or forged as a whole, looks sound too."
        )
    return BAD_INPUT if found.damaged or changed or champions else ALL_WELL


def clean(
    address: str | None, *, forget: str | None, keep_runs: int | None, keep_days: float | None, is_dry: bool
) -> int:
    """Remove old runs and what only they need, or what was stored of a source file; print what was removed.

    Args:
        address: The store's address; the default store if None.
        forget: Name of the source file; None to remove old runs.
        keep_runs: How many of the newest runs stay.
        keep_days: Of how many last days runs stay.
        is_dry: Whether to remove nothing.

    Returns:
        The exit code.

    Raises:
        ValueError: The options do not fit together, or a record is damaged.
        OSError: The store does not exist or cannot be used.
    """
    if forget is not None:
        if keep_runs is not None or keep_days is not None or is_dry:
            raise ValueError("--forget goes alone: it removes what was stored of one source file.")
        return forget_file(address, forget)
    if keep_runs is None and keep_days is None:
        raise ValueError("Give --keep-runs N or --keep-days D (or --forget FILE), so that not everything goes.")
    if (keep_runs is not None and keep_runs < 1) or (keep_days is not None and not keep_days > 0):
        raise ValueError("--keep-runs must be at least 1, and --keep-days above 0.")
    store = _open_store(address)
    removal = plan_removal(store, keep_runs, keep_days)
    if not is_dry:
        remove(store, removal)
        run_ids = list_runs(store)
        if removal.runs and run_ids:
            publish_index(store, read_run(store, run_ids[-1]).known.language, run_ids[-1])
    verb = "would remove" if is_dry else "removed"
    print(
        f"{store.locate('')}: {verb} {len(removal.runs)} runs and {len(removal.datasets)} datasets: "
        f"{removal.files} files, {removal.bytes / 1e6:,.1f} MB"
    )
    for run_id in removal.runs:
        print(f"  run {run_id}")
    if removal.kept_for_champions:
        print(f"old runs that stay because a champion needs them: {', '.join(removal.kept_for_champions)}")
    return ALL_WELL


def forget_file(address: str | None, name: str) -> int:
    """Remove what was stored of a source file of a team's own reviews, and print what is left of it elsewhere.

    Args:
        address: The store's address; the default store if None.
        name: The file's name, as the report lists it.

    Returns:
        The exit code.

    Raises:
        ValueError: Nothing is stored of such a file, or the file is still in its source.
        OSError: The store does not exist or cannot be read.
    """
    store = _open_store(address)
    own = find_datasets(
        store, lambda dataset: dataset.step in ("read", "encode") and dataset.inputs.get("name") == name
    )
    if not own:
        raise ValueError(f"`forget` must be the name of a file, as the report lists it. Nothing is stored of {name}.")
    for dataset in own:
        if dataset.step == "read" and is_there(dataset.source, name):
            raise ValueError(f"{name} must be gone from {dataset.source}, or the next run reads it again. It is there.")
    texts = {file.path for dataset in own for part, file in dataset.files.items() if part == "texts"}
    joined = find_datasets(store, lambda dataset: any(file.path in texts for file in dataset.files.values()))
    removed = {dataset_folder(one.step, one.inputs) for one in (*own, *joined)}
    for folder in sorted(removed):
        store.delete(folder)
    print(f"{store.locate('')}: removed {len(removed)} datasets with reviews of {name}")
    keys = {dataset.key for dataset in joined}
    runs = [run.run_id for run in read_runs(store) if "join" in run.datasets and run.datasets["join"].key in keys]
    if runs:
        print(f"runs that learned from it, whose models and pages are still there: {', '.join(runs)}")
    return ALL_WELL


def verify_champion(record: ChampionRecord, store: Store) -> None:
    """Raise a DamagedFileError if a file of the champion is missing or damaged."""
    model = record.champion
    for file in (*model.files.values(), model.encoder.vocabulary) if model else ():
        if file is not None:
            store.verify(file)


def _open_store(address: str | None) -> Store:
    store = Store(choose_store(address))
    store.check_readable()
    return store
