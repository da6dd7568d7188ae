"""Flip bits in the files of a finished store and cut them short, and ask all who read them and `retrain verify`."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.cli.past_runs import read_evidence, read_history
from storage.datasets import find_dataset, read_dataset
from storage.pages import is_intact
from storage.records import Dataset, StoredFile
from storage.runs import checkpoints_folder, read_run, read_training_record, verify_store
from storage.schemas import HISTORY_SCHEMA, PREDICTION_SCHEMA, REVIEW_SCHEMA, SPLIT_SCHEMA, padded_schema
from storage.store import DamagedFileError, Store
from tasks.train import find_training, identity_of

# What a path is, by the first pattern that it matches.
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
    "list of nights": r"reports/index\.html",
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
    """What the damage done to copies of a store came to.

    Attributes:
        done: How often a file of each kind was damaged.
        unread: What its own reader took for sound.
        unverified: What `retrain verify` took for sound, or blamed on another file as well.
        unmended: What a look for a dataset, training or checkpoint did not put aside.
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
    """Return the content with one bit flipped or cut short, and what was done to it."""
    if chance.random() < 0.25:
        length = chance.randrange(len(content))
        return content[:length], f"cut to {length} of {len(content)} bytes"
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    flipped = bytearray(content)
    flipped[place] ^= 1 << bit
    return bytes(flipped), f"bit {bit} of byte {place} flipped"


def records_of(store: Store) -> dict[str, StoredFile]:
    """Return what manifests say of the files that they name, by path."""
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


def read_as_its_reader_does(store: Store, path: str, records: dict[str, StoredFile]) -> None:
    """Read a file through the function that the product reads its kind with.

    Raises:
        DamagedFileError: It was found to be damaged.
    """
    kind = kind_of(path)
    if kind in SCHEMAS:
        store.read_table(records[path], SCHEMAS[kind])
    elif kind == "run.json":
        _, damaged = read_history(store)
        if damaged:
            raise DamagedFileError(damaged[0])
    elif kind == "evidence.json":
        read_evidence(store, next(one for one in read_runs(store) if one.evidence and one.evidence.path == path))
    elif kind in ("dataset manifest", "training.json", "checkpoint manifest"):
        store.read_manifest(path)
    elif kind in ("list of nights", "newest page", "translated page"):
        if not is_intact(store.read_bytes(path)):
            raise DamagedFileError(path)
    else:
        store.read_verified(records[path])


def read_runs(store: Store) -> list:
    return [read_run(store, path.split("/")[1]) for path in store.list_files("runs") if kind_of(path) == "run.json"]


def is_put_aside(store: Store, path: str, datasets: dict[str, Dataset], trainings: dict[str, Any]) -> bool:
    """Ask for what a file belongs to as the next run does; return whether the file is in quarantine afterwards."""
    folder = path.rpartition("/")[0]
    if folder in datasets:
        find_dataset(store, datasets[folder].step, datasets[folder].inputs)
    elif "/checkpoints/" in path:
        # In this process, where nothing else imports Keras.
        from tasks.training.checkpoint_store import find_checkpoint

        training = folder.split("/checkpoints/")[0]
        find_checkpoint(store, training, trainings[checkpoints_folder(training)])
    elif folder in trainings:
        find_training(store, folder, trainings[folder])
    else:
        return True
    return not store.exists(path) and any(name.startswith("quarantine/") for name in store.list_files(""))


def flip_bits(sound: Path, folder: Path, flips: int, seed: int) -> Flips:
    """Damage copies of a store, one file of each copy, and go round all kinds of files that it holds."""
    store, chance, found = Store(str(sound)), random.Random(seed), Flips()
    records = records_of(store)
    by_kind: dict[str, list[str]] = {}
    for path in store.list_files(""):
        if kind_of(path):
            by_kind.setdefault(kind_of(path), []).append(path)
    datasets = {
        path.rpartition("/")[0]: read_dataset(store, path)
        for path in store.list_files("datasets")
        if kind_of(path) == "dataset manifest"
    }
    trainings = {
        path.rpartition("/")[0]: identity_of(read_training_record(store.read_manifest(path)))
        for path in store.list_files("runs")
        if kind_of(path) == "training.json"
    }
    for path in store.list_files("runs"):
        if kind_of(path) == "checkpoint manifest":
            training = path.split("/checkpoints/")[0]
            trainings[checkpoints_folder(training)] = store.read_manifest(path)["key"]
    missing = sorted(set(KINDS) - set(by_kind))
    if missing:
        raise ValueError(f"The store must hold a file of every kind. It holds none of: {', '.join(missing)}.")
    copy = folder / "copy"
    for number in range(flips):
        kind = list(by_kind)[number % len(by_kind)]
        path = chance.choice(by_kind[kind])
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(sound, copy)
        content, done = damage((copy / path).read_bytes(), chance)
        (copy / path).write_bytes(content)
        note(found, Store(str(copy)), path, f"{kind} {path}: {done}", records, datasets, trainings)
        found.done[kind] += 1
        if (number + 1) % 100 == 0:
            print(f"  {number + 1} of {flips}, {len(found.missed)} missed", flush=True)
    shutil.rmtree(copy, ignore_errors=True)
    return found


def note(
    found: Flips,
    store: Store,
    path: str,
    what: str,
    records: dict[str, StoredFile],
    datasets: dict[str, Dataset],
    trainings: dict[str, Any],
) -> None:
    """Ask the reader, `retrain verify` and whoever mends, and note who missed the damage."""
    damaged = verify_store(store).damaged
    if len(damaged) != 1 or path not in damaged[0]:
        found.unverified.append(f"{what}: {damaged}")
    with suppress(DamagedFileError):
        read_as_its_reader_does(store, path, records)
        found.unread.append(what)
    if not is_put_aside(store, path, datasets, trainings):
        found.unmended.append(what)
