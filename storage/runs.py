"""Publish runs and read them back, and verify the whole store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass

from storage.checkpoint_records import read_checkpoint_record
from storage.datasets import read_dataset
from storage.decoding import decode_record
from storage.pages import is_intact
from storage.records import JsonObject, KnownParameters, Run, StoredFile, TrainingResult
from storage.store import DamagedFileError, Store
from storage.text import on_one_line
from storage.upgrades import upgrade_run, upgrade_training


def run_folder(run_id: str) -> str:
    """Return the folder of a run in the store."""
    return f"runs/{run_id}"


def checkpoints_folder(training_folder: str) -> str:
    """Return the folder for the checkpoints of an unfinished training."""
    return f"{training_folder}/checkpoints"


def report_path(run_id: str, language: str | None = None) -> str:
    """Return the path of a run's page; with `language`, that of its page in another language than the run's own."""
    return f"reports/{run_id}.{language}.html" if language else f"reports/{run_id}.html"


CHECKPOINT = r"runs/[^/]+/[^/]+/checkpoints/[^/]+/manifest\.json"
# The list of all runs, and a copy of the newest run's page.
INDEX_PATH, LATEST_PATH = "reports/index.html", "reports/latest.html"


def publish_run(store: Store, run: Run) -> StoredFile:
    """Write `run.json`, after all files that it names. Until then the run does not exist."""
    return store.write_manifest(f"{run_folder(run.run_id)}/run.json", asdict(run))


def withdraw_run(store: Store, run_id: str) -> None:
    """Delete `run.json` before its files are written again. Until it is published again, the run does not exist."""
    store.delete_file(f"{run_folder(run_id)}/run.json")


def read_run(store: Store, run_id: str) -> Run:
    """Return the record of a run.

    Raises:
        FileNotFoundError: The run does not exist.
        NewerFormatError: A newer version of the project published it.
        DamagedFileError: Its `run.json` was changed, or is not the record of this run.
    """
    path = f"{run_folder(run_id)}/run.json"
    run = read_run_record(store.read_manifest(path), store.locate(path))
    if run.run_id != run_id:
        raise DamagedFileError(
            f"{store.locate(path)} must be the record of run {run_id}. Received: one of {on_one_line(run.run_id)}."
        )
    return run


def read_run_record(content: JsonObject, where: str = "run.json") -> Run:
    """Return the record of a run from the content of its manifest.

    Args:
        content: From `Store.read_manifest`.
        where: The manifest's path for error messages.

    Raises:
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The content is not the record of a run, or one of its known parameters has another type.
    """
    what = f"{where} must be the record of a run"
    run = decode_record(Run, content, what, upgrade_run)
    decode_record(KnownParameters, run.parameters, f"{what}: parameters", unknown="ignore")
    return run


def is_published(store: Store, run_id: str) -> bool:
    """Return whether a run exists; False for a name that no run can have."""
    return bool(re.fullmatch(r"[\w-]+", run_id)) and store.exists(f"{run_folder(run_id)}/run.json")


def list_runs(store: Store) -> list[str]:
    """Return the ids of all published runs, the oldest first."""
    return [path.split("/")[1] for path in store.list_files("runs") if re.fullmatch(r"runs/[^/]+/run\.json", path)]


def read_runs(store: Store) -> Iterator[Run]:
    """Yield the records of all published runs, the oldest first; damaged ones are passed over."""
    for run_id in list_runs(store):
        with suppress(DamagedFileError):
            yield read_run(store, run_id)


def read_training(store: Store, manifest: str) -> TrainingResult:
    """Return the record of a training from its manifest, without reading its files.

    Raises:
        FileNotFoundError: The manifest does not exist.
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The manifest was changed, or is not the record of a training.
    """
    return read_training_record(store.read_manifest(manifest), store.locate(manifest))


def read_training_record(content: JsonObject, where: str = "training.json") -> TrainingResult:
    """Return the record of a training from the content of its manifest.

    Args:
        content: From `Store.read_manifest`.
        where: The manifest's path for error messages.

    Raises:
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The content is not the record of a training.
    """
    return decode_record(TrainingResult, content, f"{where} must be the record of a training", upgrade_training)


@dataclass(frozen=True)
class Verification:
    """The result of `verify_store`.

    Attributes:
        sound: Number of files whose SHA-256 is the recorded one.
        damaged: One sentence for each file that is damaged or missing.
        unfinished: Paths of intact checkpoints, and of files that no manifest names: a run was interrupted, or is still
            writing them.
        quarantined: Paths of damaged files that were moved to quarantine earlier.
    """

    sound: int
    damaged: tuple[str, ...]
    unfinished: tuple[str, ...]
    quarantined: tuple[str, ...]


def verify_store(store: Store) -> Verification:
    """Compare the SHA-256 of every file that a manifest names, and list the files that no manifest names."""
    paths = store.list_files("")
    named: dict[str, StoredFile] = {}
    manifests, damaged = set(), []
    for path in paths:
        # Other .json files are not manifests: the word index of a dataset, and the evidence of a run.
        if not re.fullmatch(r"datasets/[^/]+/manifest\.json|runs/[^/]+/(run|[^/]+/training)\.json", path):
            continue
        try:
            named.update((file.path, file) for file in _named_files(store, path))
            manifests.add(path)
        except DamagedFileError as error:
            damaged.append(str(error))
            manifests.add(path)
    sound = len(manifests) - len(damaged)
    for file in named.values():
        try:
            store.verify(file)
            sound += 1
        except DamagedFileError as error:
            damaged.append(str(error))
    rest = []
    for path in paths:
        # Records of champions, looks and uses are no part of a run; `storage.champion_log` checks the first.
        if path in named or path in manifests or path.startswith(("champion/", "uses/")):
            continue
        if re.fullmatch(CHECKPOINT, path):
            damaged.extend(_check_checkpoint(store, path))
        if not _is_derived_page(path, manifests):
            rest.append(path)
        else:
            damage = list(_check_page(store, path))
            damaged.extend(damage)
            sound += not damage
    quarantined = tuple(path for path in rest if path.startswith("quarantine/"))
    return Verification(sound, tuple(damaged), tuple(path for path in rest if path not in quarantined), quarantined)


def _check_checkpoint(store: Store, manifest: str) -> Iterator[str]:
    """Yield a sentence if a checkpoint is damaged, and none if its training has removed it in the meantime."""
    try:
        store.verify(read_checkpoint_record(store, manifest).file)
    except FileNotFoundError:
        return
    except DamagedFileError as error:
        if store.exists(manifest):
            yield str(error)


def _check_page(store: Store, path: str) -> Iterator[str]:
    """Yield a sentence if a page is damaged."""
    try:
        if not is_intact(store.read_bytes(path)):
            yield f"{path} must end in its own SHA-256, and does not match it. `retrain report` writes it again."
    except DamagedFileError as error:
        yield str(error)


def _is_derived_page(path: str, manifests: set[str]) -> bool:
    """Return whether no manifest names a page because it can be rendered again from the runs."""
    translated = re.fullmatch(r"reports/([^/.]+)\.[a-z]+\.html", path)
    return path in (INDEX_PATH, LATEST_PATH) or (
        translated is not None and f"{run_folder(translated[1])}/run.json" in manifests
    )


def _named_files(store: Store, manifest: str) -> Iterator[StoredFile]:
    """Yield the files that the manifest of a dataset, a training or a run names."""
    if manifest.startswith("datasets/"):
        yield from read_dataset(store, manifest).files.values()
        return
    if manifest.endswith("/training.json"):
        yield from read_training(store, manifest).files.values()
        return
    run = read_run(store, manifest.split("/")[1])
    for training in (*run.trainings, *run.baselines):
        yield from training.files.values()
    yield from (file for file in (run.report, run.evidence, run.decision) if file)
