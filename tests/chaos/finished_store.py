"""Make a store with a file of every kind: a finished run, its page in two languages, and an interrupted training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from storage.store import Store
from tests.chaos.processes import end_orphans, start_run
from tests.places import PROJECT_ROOT
from tests.waiting import wait_until


def make_finished_store(environment: dict[str, str], folder: Path) -> Path:
    """Run, render the report in Korean too, and kill a second run after its first checkpoint.

    Args:
        environment: That of the runs; it names a Prefect server.
        folder: For the store and the logs.

    Returns:
        The folder of the store.

    Raises:
        RuntimeError: The first run failed.
    """
    store = folder / "finished"
    run = start_run(environment, store, folder / "logs")
    code, errors = run.wait()
    if code:
        raise RuntimeError(f"the run ended with exit code {code}: {errors}")
    command = [sys.executable, "-m", "flows", "report", "--lang", "ko", "--store", str(store)]
    subprocess.run(command, env=environment, cwd=PROJECT_ROOT, check=True, capture_output=True)
    killed = start_run(environment, store, folder / "logs", epochs=5000, patience=5000)
    wait_until(lambda: list(store.glob("runs/*/*/checkpoints/*/manifest.json")), 120, "a checkpoint", every=0.05)
    for child in killed.children("tasks.training.training"):
        child.suspend()
    killed.signal()
    for child in killed.children():
        child.kill()
    killed.wait()
    end_orphans(killed.mark)
    keep_one_checkpoint(Store(str(store)))
    return store


def keep_one_checkpoint(store: Store) -> None:
    """Remove all checkpoints but the newest complete one, and all half-written files."""
    manifests = [path for path in store.list_files("runs") if path.endswith("/manifest.json")]
    kept = max(manifests).rpartition("/")[0]
    for path in store.list_files(""):
        if path.endswith(".part") or ("/checkpoints/" in path and not path.startswith(kept)):
            Path(store.locate(path)).unlink()
