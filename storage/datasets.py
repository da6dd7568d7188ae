"""Content-addressed datasets: the stored files are the cache, and a dataset exists if its manifest does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from storage.damage import NewerFormatError
from storage.decoding import decode_json, decode_record
from storage.records import Dataset, Inputs, StoredFile, TrainingResult
from storage.store import DamagedFileError, Store
from storage.upgrades import upgrade_dataset

Record = TypeVar("Record", Dataset, TrainingResult)


def hash_inputs(inputs: Inputs) -> str:
    """Return the key of a dataset: the first 16 hexadecimal digits of the SHA-256 of its inputs as JSON."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def dataset_folder(step: str, inputs: Inputs) -> str:
    """Return the folder of a dataset in the store."""
    return f"datasets/{step}-{hash_inputs(inputs)}"


def find_dataset(
    store: Store, step: str, inputs: Inputs, is_used: Callable[[str], bool] = lambda _part: True
) -> tuple[Dataset | None, list[str]]:
    """Look a dataset up by its inputs, and verify its files. Damaged files are moved to quarantine.

    Args:
        store: The store to look in.
        step: The dataset's step.
        inputs: Everything that determines the content.
        is_used: Whether a part's file is verified now. The others are verified when they are read.

    Returns:
        The dataset, or None if it was never built or is damaged; and one sentence for each damaged file.

    Raises:
        NewerFormatError: A newer version of the project built it.
    """
    manifest = f"{dataset_folder(step, inputs)}/manifest.json"
    return find_intact(store, manifest, read_dataset, "building it again", is_used=is_used)


def find_intact(
    store: Store,
    manifest: str,
    read: Callable[[Store, str], Record],
    then: str,
    is_wanted: Callable[[Record], bool] = lambda _record: True,
    is_used: Callable[[str], bool] = lambda _part: True,
) -> tuple[Record | None, list[str]]:
    """Look for a dataset or a training, and verify all its files. Damaged files are moved to quarantine.

    Args:
        store: The store to look in.
        manifest: Path of the record's manifest.
        read: Reads the record from its manifest.
        then: What the caller does next if a file is damaged, for the sentences: "building it again".
        is_wanted: Whether it is the right record. The files of another one are left alone.
        is_used: Whether a part's file is verified.

    Returns:
        The record, or None if there is none, another or a damaged one; and one sentence for each damaged file.

    Raises:
        NewerFormatError: A newer version of the project wrote it.
    """
    if not store.exists(manifest):
        return None, []
    try:
        record = read(store, manifest)
    except NewerFormatError:
        raise
    except DamagedFileError as error:
        return None, [f"{error} Moved to {store.quarantine(manifest)}; {then}."]
    if not is_wanted(record):
        return None, []
    damage = _quarantine_damaged(store, [file for part, file in record.files.items() if is_used(part)], then)
    if damage:
        store.quarantine(manifest)
        return None, damage
    return record, []


def _quarantine_damaged(store: Store, files: Iterable[StoredFile], then: str) -> list[str]:
    """Verify files, and move the damaged ones to quarantine.

    Args:
        store: The store that has the files.
        files: Their records.
        then: What the caller does next, for the sentences: "building it again".

    Returns:
        One sentence for each damaged file.
    """
    damage = []
    for file in files:
        try:
            store.verify(file)
        except DamagedFileError as error:
            damage.append(f"{error} Moved to {store.quarantine(file.path)}; {then}.")
    return damage


def read_dataset(store: Store, manifest: str) -> Dataset:
    """Return the dataset's record from its manifest, without reading its files.

    Raises:
        FileNotFoundError: The manifest does not exist.
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The manifest was changed after it was written, or does not hold a dataset.
    """
    must = f"{store.locate(manifest)} must be the manifest of a dataset"
    return decode_record(Dataset, store.read_manifest(manifest), must, upgrade_dataset)


def find_datasets(store: Store, is_wanted: Callable[[Dataset], bool]) -> list[Dataset]:
    """Return the stored datasets that a function wants; damaged manifests are passed over."""
    found = []
    for path in store.list_files("datasets"):
        if path.endswith("/manifest.json"):
            with suppress(DamagedFileError):
                dataset = read_dataset(store, path)
                if is_wanted(dataset):
                    found.append(dataset)
    return found


def read_json(store: Store, file: StoredFile, kind: Any, what: str) -> Any:
    """Return the record, or another value of type `kind`, that a stored JSON file holds.

    Args:
        store: The store that has the file.
        file: Its record.
        kind: A dataclass, or a type made of such.
        what: What the file must hold, for the error message: "a summary".

    Raises:
        DamagedFileError: The file is missing or damaged, or holds something else.
    """
    return decode_json(kind, store.read_verified(file), f"{store.locate(file.path)} must hold {what}")


def publish_dataset(store: Store, step: str, inputs: Inputs, files: dict[str, StoredFile], source: str) -> Dataset:
    """Write the manifest of a dataset, after all its files.

    Two runs may build the same dataset at once. The names of its files hold the hashes of their content, so neither run
    replaces a file of the other, and either manifest is valid.

    Args:
        store: The store that has the files.
        step: "download", "sample", "split", "pad" or "profile".
        inputs: Everything that determines the content.
        files: By part.
        source: Where the reviews came from, for people.
    """
    dataset = Dataset(step, hash_inputs(inputs), inputs, files, source)
    store.write_manifest(f"{dataset_folder(step, inputs)}/manifest.json", asdict(dataset))
    return dataset
