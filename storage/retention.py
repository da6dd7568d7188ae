"""Which runs and datasets of a store may go: what no kept run, no champion and no running run needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.champion_log import ChampionLog, list_names
from storage.datasets import dataset_folder, find_datasets
from storage.looks import Look, list_looks
from storage.records import Dataset, Run
from storage.runs import list_runs, read_run, run_folder
from storage.store import Store
from storage.uses import SPARED_FOR, read_uses

# Made of the files of one source; the next run on it reads them again.
OF_SOURCE = ("read", "encode", "vocabulary")


@dataclass(frozen=True)
class Removal:
    """What would be removed.

    Attributes:
        runs: Ids of the runs.
        datasets: Folders of the datasets.
        files: How many files those are, their pages included.
        bytes: Their size.
        kept_for_champions: Ids of runs that are old, and stay because a champion needs them.
    """

    runs: tuple[str, ...]
    datasets: tuple[str, ...]
    files: int
    bytes: int
    kept_for_champions: tuple[str, ...]


def plan_removal(store: Store, keep_runs: int | None, keep_days: float | None) -> Removal:
    """Return what may go.

    Args:
        store: The store.
        keep_runs: The newest runs to keep; None: as many as `keep_days` says.
        keep_days: Runs of the last days to keep; None: as many as `keep_runs` says. A run is kept if either says so.

    Raises:
        DamagedFileError: A record of a run or of a champion is damaged, so that it cannot be seen what it needs.
    """
    run_ids = list_runs(store)
    recent = set(run_ids[len(run_ids) - keep_runs :] if keep_runs else ())
    if keep_days is not None:
        recent |= {run_id for run_id in run_ids if not _is_older(run_id, timedelta(days=keep_days))}
    needed = find_champion_runs(store) & set(run_ids)
    kept = recent | needed | {run_id for run_id in run_ids if not _is_older(run_id, SPARED_FOR)}
    runs = tuple(run_id for run_id in run_ids if run_id not in kept)
    unneeded = _find_unneeded(store, [read_run(store, run_id) for run_id in sorted(kept)])
    sizes = store.list_sizes("")
    gone = [path for path in sizes if _belongs(path, runs, unneeded)]
    return Removal(runs, tuple(unneeded), len(gone), sum(sizes[path] for path in gone), tuple(sorted(needed - recent)))


def find_champion_runs(store: Store) -> set[str]:
    """Return the runs that the logs of champions name, and those that the current champions were compared with."""
    found: set[str] = set()
    for name in list_names(store):
        log, current = ChampionLog(store, name), None
        for entry in log.walk_back():
            current = current or entry.record
            found |= {entry.record.run_id}
            found |= {entry.record.champion.run_id} if entry.record.champion else set()
        champion = current.champion if current else None
        found |= {look.run_id for look in list_looks(log) if champion and _concerns(look, champion.identity)}
    return found


def _concerns(look: Look, identity: str) -> bool:
    return identity in (look.champion, look.challenger)


def _is_older(run_id: str, age: timedelta) -> bool:
    """Return whether a run began longer ago; False for an id that does not say."""
    found = re.match(r"\d{8}T\d{6}Z", run_id)
    if not found:
        return False
    began = datetime.strptime(found[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.now(UTC) - began > age


def _find_unneeded(store: Store, kept: Iterable[Run]) -> list[str]:
    """Return the folders of the datasets that no kept run names, and that no run used within two days."""
    used = read_uses(store)
    folders, sources = set(used), set(used)
    for run in kept:
        for dataset in run.datasets.values():
            folders |= {dataset_folder(dataset.step, dataset.inputs)}
            folders |= {"/".join(file.path.split("/")[:2]) for file in dataset.files.values()}
        sources |= {dataset.source for step, dataset in run.datasets.items() if step in ("assign", "join")}
    everything: dict[str, Dataset] = {
        dataset_folder(one.step, one.inputs): one for one in find_datasets(store, lambda _dataset: True)
    }
    return sorted(
        folder
        for folder, one in everything.items()
        if folder not in folders and not (one.step in OF_SOURCE and one.source in sources)
    )


def _belongs(path: str, runs: Iterable[str], datasets: Iterable[str]) -> bool:
    page = re.fullmatch(r"reports/([\w-]+)(\.[a-z]+)?\.html", path)
    if page:
        return page[1] in runs
    return "/".join(path.split("/")[:2]) in {*datasets, *map(run_folder, runs)}


def remove(store: Store, removal: Removal) -> None:
    """Remove what was planned: of each run its record first, so that what is left of it does not exist."""
    for run_id in removal.runs:
        store.delete_file(f"{run_folder(run_id)}/run.json")
        store.delete(run_folder(run_id))
        for path in store.list_files("reports"):
            if _belongs(path, (run_id,), ()):
                store.delete_file(path)
    for folder in removal.datasets:
        store.delete(folder)
