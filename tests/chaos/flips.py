"""Damage files of a finished store, and check that their readers and `retrain verify` find the damage."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flows.cli.past_runs import read_evidence, read_history
from storage.datasets import find_dataset, read_dataset
from storage.pages import is_intact
from storage.records import Dataset, Run, StoredFile
from storage.runs import checkpoints_folder, read_run, read_training_record, verify_store
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, REVIEW_SCHEMA, SPLIT_SCHEMA, padded_schema
from storage.store import DamagedFileError, Store
from tasks.train import TrainingIdentity, find_training, identity_of
from tasks.training.checkpoint_store import find_checkpoint

# The first pattern that a path matches gives the kind of its file.
KINDS = {
    "archive": r"datasets/sample-[^/]+/sample\.npz",
    "word index": r"datasets/sample-[^/]+/sample_word_index\.json",
    "split": r"datasets/split-[^/]+/.+\.parquet",
    "pad": r"datasets/pad-[^/]+/.+\.parquet",
    "review facts": r"datasets/profile-[^/]+/reviews-.+\.parquet",
    "minimal pairs": r"datasets/profile-[^/]+/minimal_pairs-.+\.parquet",
    "facts": r"datasets/profile-[^/]+/facts-.+\.json",
    "dataset manifest": r"datasets/[^/]+/manifest\.json",
    "checkpoint": r"runs/[^/]+/[^/]+/checkpoints/[^/]+/state-.+\.npz",
    "checkpoint manifest": r"runs/[^/]+/[^/]+/checkpoints/[^/]+/manifest\.json",
    "run.json": r"runs/[^/]+/run\.json",
    "training.json": r"runs/[^/]+/[^/]+/training\.json",
    "history": r"runs/[^/]+/[^/]+/history\.parquet",
    "predictions": r"runs/[^/]+/[^/]+/predictions-.+\.parquet",
    "model.keras": r"runs/[^/]+/[^/]+/model\.keras",
    "evidence.json": r"runs/[^/]+/evidence\.json",
    "list of runs": r"reports/index\.html",
    "newest page": r"reports/latest\.html",
    "translated page": r"reports/[^/.]+\.ko\.html",
    "page": r"reports/[^/.]+\.html",
}
SCHEMAS = {
    "split": SPLIT_SCHEMA,
    "pad": padded_schema(40),
    "review facts": REVIEW_SCHEMA,
    "minimal pairs": padded_schema(40),
    "history": HISTORY_SCHEMA,
    "predictions": PREDICTION_SCHEMA,
}


@dataclass
class Flips:
    """Which damage in copies of a store was found, and which was missed.

    Attributes:
        done: By kind of file, how many were damaged.
        unread: Damage that the reader of the file did not find.
        unverified: Damage that `retrain verify` did not find, or found in another file too.
        unmended: Damaged files that a search for their dataset, training or checkpoint did not move to quarantine.
    """

    done: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)
    unmended: list[str] = field(default_factory=list)

    @property
    def missed(self) -> list[str]:
        return self.unread + self.unverified + self.unmended


def kind_of(path: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, path)), "")


def damage(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Flip one bit of a content, or cut it short; return the new content and a description of the damage."""
    if chance.random() < 0.25:
        length = chance.randrange(len(content))
        return content[:length], f"cut to {length} of {len(content)} bytes"
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    flipped = bytearray(content)
    flipped[place] ^= 1 << bit
    return bytes(flipped), f"bit {bit} of byte {place} flipped"


@dataclass(frozen=True)
class Records:
    """What the manifests of a store say.

    Attributes:
        files: By path, each file that a manifest names.
        datasets: By folder.
        trainings: By folder, what identifies a training.
        checkpoints: By folder of a training's checkpoints, the key in the checkpoint's manifest.
    """

    files: dict[str, StoredFile]
    datasets: dict[str, Dataset]
    trainings: dict[str, TrainingIdentity]
    checkpoints: dict[str, str]


def read_records(store: Store) -> Records:
    """Read all manifests of a store."""
    records = Records(read_files(store), {}, {}, {})
    for path in store.list_files(""):
        folder, kind = path.rpartition("/")[0], kind_of(path)
        if kind == "dataset manifest":
            records.datasets[folder] = read_dataset(store, path)
        if kind == "training.json":
            records.trainings[folder] = identity_of(read_training_record(store.read_manifest(path)))
        if kind == "checkpoint manifest":
            training = path.split("/checkpoints/")[0]
            records.checkpoints[checkpoints_folder(training)] = store.read_manifest(path)["key"]
    return records


def read_files(store: Store) -> dict[str, StoredFile]:
    """Return by path the record of each file that a manifest names."""
    found: list[StoredFile] = []
    for path in store.list_files(""):
        kind = kind_of(path)
        if kind == "dataset manifest":
            found += read_dataset(store, path).files.values()
        if kind == "checkpoint manifest":
            found.append(StoredFile(**store.read_manifest(path)["file"]))
        if kind == "run.json":
            run = read_run(store, path.split("/")[1])
            found += [file for training in run.trainings for file in training.files.values()]
            found += [file for file in (run.evidence, run.report) if file]
    return {file.path: file for file in found}


def read_as_its_reader_does(store: Store, path: str, files: dict[str, StoredFile]) -> None:
    """Read a file with the function that the project uses for its kind.

    Raises:
        DamagedFileError: The function found damage.
    """
    kind = kind_of(path)
    if kind in SCHEMAS:
        store.read_table(files[path], SCHEMAS[kind])
    elif kind == "run.json":
        _, damaged = read_history(store)
        if damaged:
            raise DamagedFileError(damaged[0])
    elif kind == "evidence.json":
        read_evidence(store, next(one for one in read_runs(store) if one.evidence and one.evidence.path == path))
    elif kind in ("dataset manifest", "training.json", "checkpoint manifest"):
        store.read_manifest(path)
    elif kind in ("list of runs", "newest page", "translated page"):
        if not is_intact(store.read_bytes(path)):
            raise DamagedFileError(path)
    else:
        store.read_verified(files[path])


def read_runs(store: Store) -> list[Run]:
    return [read_run(store, path.split("/")[1]) for path in store.list_files("runs") if kind_of(path) == "run.json"]


def is_put_aside(store: Store, path: str, records: Records) -> bool:
    """Search for a file's dataset, training or checkpoint as a run does; return whether that moved it to quarantine."""
    folder = path.rpartition("/")[0]
    if folder in records.datasets:
        find_dataset(store, records.datasets[folder].step, records.datasets[folder].inputs)
    elif "/checkpoints/" in path:
        training = folder.split("/checkpoints/")[0]
        find_checkpoint(store, training, records.checkpoints[checkpoints_folder(training)])
    elif folder in records.trainings:
        find_training(store, folder, records.trainings[folder])
    else:
        return True
    return not store.exists(path) and any(name.startswith("quarantine/") for name in store.list_files(""))


def flip_bits(sound: Path, folder: Path, flips: int, seed: int) -> Flips:
    """Damage one file in each of many copies of a store, taking the kinds of files in turn.

    Args:
        sound: The folder of the store.
        folder: For the copies.
        flips: How many files to damage.
        seed: Seed of all random choices.

    Raises:
        ValueError: The store has no file of some kind.
    """
    store, chance, found = Store(str(sound)), random.Random(seed), Flips()
    sound_records = read_records(store)
    by_kind = group_by_kind(store)
    copy = folder / "copy"
    for number in range(flips):
        kind = list(by_kind)[number % len(by_kind)]
        path = chance.choice(by_kind[kind])
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(sound, copy)
        content, done = damage((copy / path).read_bytes(), chance)
        (copy / path).write_bytes(content)
        check_readers(found, Store(str(copy)), path, f"{kind} {path}: {done}", sound_records)
        found.done[kind] += 1
        if (number + 1) % 100 == 0:
            print(f"  {number + 1} of {flips}, {len(found.missed)} missed", flush=True)
    shutil.rmtree(copy, ignore_errors=True)
    return found


def group_by_kind(store: Store) -> dict[str, list[str]]:
    """Return the paths of a store's files by kind.

    Raises:
        ValueError: The store has no file of some kind.
    """
    by_kind: dict[str, list[str]] = {}
    for path in store.list_files(""):
        if kind_of(path):
            by_kind.setdefault(kind_of(path), []).append(path)
    missing = sorted(set(KINDS) - set(by_kind))
    if missing:
        raise ValueError(f"The store must hold a file of every kind. It holds none of: {', '.join(missing)}.")
    return by_kind


def check_readers(found: Flips, store: Store, path: str, what: str, sound_records: Records) -> None:
    """Note which readers do not find the damage in a file.

    Args:
        found: Where it is noted.
        store: The store with the damaged file.
        path: The file.
        what: A description of the damage.
        sound_records: What the store's manifests said before the damage.
    """
    damaged = verify_store(store).damaged
    if len(damaged) != 1 or path not in damaged[0]:
        found.unverified.append(f"{what}: {damaged}")
    with suppress(DamagedFileError):
        read_as_its_reader_does(store, path, sound_records.files)
        found.unread.append(what)
    if not is_put_aside(store, path, sound_records):
        found.unmended.append(what)
