"""What a store once held must stay in it: a ledger of everything that was ever published."""

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
        """Return one sentence for each thing that is damaged, lost or changed, and note what is new."""
        wrong = list(verify_store(Store(str(self.store))).damaged)
        for path, digest in self.files.items():
            file = self.store / path
            if not file.exists():
                wrong.append(f"{path} was published and is gone.")
            elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                wrong.append(f"{path} was published and is another file now.")
        # What changed is told once.
        self.files = self.published()
        return wrong

    def forget(self, run_id: str) -> None:
        """Let a run be published anew: its record, its evidence and its page."""
        for path in (f"runs/{run_id}/run.json", f"runs/{run_id}/evidence.json", f"reports/{run_id}.html"):
            self.files.pop(path, None)

    def published(self) -> dict[str, str]:
        """Return the manifests that are there and all files that they name, read without the project's own code."""
        found = {}
        for manifest in self.store.rglob("*.json"):
            path = manifest.relative_to(self.store).as_posix()
            if MANIFEST.fullmatch(path):
                raw = manifest.read_bytes()
                found[path] = hashlib.sha256(raw).hexdigest()
                found |= dict(named_files(json.loads(raw)["content"]))
        return found


def named_files(content: object) -> list[tuple[str, str]]:
    """Return path and SHA-256 of each file that a manifest names, however deep."""
    if isinstance(content, dict):
        if {"path", "sha256", "bytes"} <= content.keys():
            return [(content["path"], content["sha256"])]
        return [pair for value in content.values() for pair in named_files(value)]
    if isinstance(content, list):
        return [pair for value in content for pair in named_files(value)]
    return []
