"""Check that a store keeps every file that was published in it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from storage.runs import verify_store
from storage.store import Store

MANIFEST = re.compile(r"datasets/[^/]+/manifest\.json|runs/[^/]+/(run|[^/]+/training)\.json")


class Ledger:
    """The SHA-256 of each published file of a store, by path, as it was when first seen."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.files: dict[str, str] = {}

    def check(self) -> list[str]:
        """Return one sentence for each damaged, lost or changed file, and note the new files."""
        wrong = list(verify_store(Store(str(self.store))).damaged)
        for path, digest in self.files.items():
            file = self.store / path
            if not file.exists():
                wrong.append(f"{path} was published and is gone.")
            elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                wrong.append(f"{path} was published and has changed.")
        # A change is reported once.
        self.files = self.hash_published()
        return wrong

    def forget(self, run_id: str) -> None:
        """Allow that a run is published again: its record, its evidence and its page."""
        for path in (f"runs/{run_id}/run.json", f"runs/{run_id}/evidence.json", f"reports/{run_id}.html"):
            self.files.pop(path, None)

    def hash_published(self) -> dict[str, str]:
        """Return the SHA-256 of all manifests and of the files that they name, read without the project's code."""
        found = {}
        for manifest in self.store.rglob("*.json"):
            path = manifest.relative_to(self.store).as_posix()
            if MANIFEST.fullmatch(path):
                raw = manifest.read_bytes()
                found[path] = hashlib.sha256(raw).hexdigest()
                found |= dict(list_named_files(json.loads(raw)["content"]))
        return found


def list_named_files(content: object) -> list[tuple[str, str]]:
    """Return the path and SHA-256 of each file that a manifest names, at any depth."""
    if isinstance(content, dict):
        if {"path", "sha256", "bytes"} <= content.keys():
            return [(content["path"], content["sha256"])]
        return [pair for value in content.values() for pair in list_named_files(value)]
    if isinstance(content, list):
        return [pair for value in content for pair in list_named_files(value)]
    return []
