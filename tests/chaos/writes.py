"""Kill the writing process at each step of each write into the store: before, within, and around the renaming."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Ledger
from tests.chaos.processes import end_orphans, list_run_ids, start_run, write_plan

# One step of each kind, for the tests; the campaign takes all steps.
A_FEW = [
    "in the middle of writing split/train.parquet",
    "before renaming pad/manifest.json",
    "in the middle of writing gru-seed42/model.keras",
    "after renaming gru-seed42/training.json",
    "before renaming run.json",
]


@dataclass
class WriteKills:
    """What the sweep over all steps found.

    Attributes:
        steps: The steps at which a process was killed, in their order.
        runs: Number of runs.
        wrong: One sentence for each damaged or lost file, and for each run with an end that is not allowed.
        orphans: Command lines of processes that outlived their run by 30 s.
    """

    steps: list[str]
    runs: int = 0
    wrong: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def sweep_writes(
    environment: dict[str, str], folder: Path, only: list[str] | None = None, most_seconds: float = float("inf")
) -> WriteKills:
    """Run on one store again and again, and kill each run at the first step at which none was killed yet.

    A run that gets past the step of the kill before it has recovered from that kill. Each run has ten epochs, so that
    it writes a checkpoint.

    Args:
        environment: That of the runs; it names a Prefect server.
        folder: For the store, the plan and the logs.
        only: The steps; all if None.
        most_seconds: After this time no run is killed any more.
    """
    until = time.monotonic() + most_seconds
    store, plan = folder / "store", folder / "plan"
    variables, ledger, found = write_plan(plan, only), Ledger(folder / "store"), WriteKills([])
    code = None
    while code != 0:
        before = time.monotonic()
        if before > until:
            write_plan(plan, [])
        run = start_run(environment, store, folder / "logs", epochs=10, patience=10, **variables)
        code, errors = run.wait()
        found.runs += 1
        found.orphans += end_orphans(run.mark)
        found.wrong += ledger.check()
        steps = (plan / "died.txt").read_text().splitlines()
        if steps == found.steps and code:
            raise AssertionError(f"the run ended with exit code {code}, but no process was killed: {errors}")
        if code not in (0, 1, 2, -9):
            found.wrong.append(f"exit code {code} after {steps[-1]}: {run.last_line()}")
        for step in steps[len(found.steps) :]:
            print(f"  killed {step}: exit code {code}, {time.monotonic() - before:.1f} s  {run.last_line()}")
        found.steps = steps
    if not list_run_ids(store):
        found.wrong.append("the last run, without kills, was not published.")
    return found
