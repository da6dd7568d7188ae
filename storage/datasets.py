"""Content-addressed datasets: the Parquet files are the cache, and what has no manifest does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from storage.damage import NewerFormatError
from storage.decoding import decode_record
from storage.records import Dataset, Inputs, StoredFile
from storage.store import DamagedFileError, Store, hash_inputs
from storage.upgrades import upgrade_dataset


def dataset_folder(step: str, inputs: Inputs) -> str:
    return f"datasets/{step}-{hash_inputs(inputs)}"


def find_dataset(store: Store, step: str, inputs: Inputs) -> tuple[Dataset | None, list[str]]:
    """Look a dataset up by what goes into it, and verify every file of it.

    Returns:
        The dataset, or None when it was never built or is damaged; and one sentence for each thing that was moved
        to quarantine.

    Raises:
        NewerFormatError: A newer version of the project built it.
    """
    manifest = f"{dataset_folder(step, inputs)}/manifest.json"
    if not store.exists(manifest):
        return None, []
    try:
        dataset = read_dataset(store, manifest)
    except NewerFormatError:
        raise
    except DamagedFileError as error:
        return None, [f"{error} Moved to {store.quarantine(manifest)}; building it again."]
    damage = put_damaged_aside(store, dataset.files.values(), "building it again")
    if damage:
        store.quarantine(manifest)
        return None, damage
    return dataset, []


def put_damaged_aside(store: Store, files: Iterable[StoredFile], then: str) -> list[str]:
    """Verify files and move those that are damaged to quarantine; return one sentence for each of these.

    `then` says in the sentence what comes next.
    """
    damage = []
    for file in files:
        try:
            store.verify(file)
        except DamagedFileError as error:
            damage.append(f"{error} Moved to {store.quarantine(file.path)}; {then}.")
    return damage


def read_dataset(store: Store, manifest: str) -> Dataset:
    """Return the record that a manifest holds; the files themselves are not read.

    Raises:
        NewerFormatError: A newer version of the project wrote it.
        DamagedFileError: The manifest was changed after it was written, or is none of a dataset.
    """
    must = f"{store.locate(manifest)} must be the manifest of a dataset"
    return decode_record(Dataset, store.read_manifest(manifest), must, upgrade_dataset)


def publish_dataset(store: Store, step: str, inputs: Inputs, files: dict[str, StoredFile], source: str) -> Dataset:
    """Make a dataset exist: write its manifest, when all its files are there.

    File names hold their content's hash, so two runs that build the same dataset at once never tear each other's
    files, whichever manifest comes last.
    """
    dataset = Dataset(step, hash_inputs(inputs), inputs, files, source)
    store.write_manifest(f"{dataset_folder(step, inputs)}/manifest.json", asdict(dataset))
    return dataset
