"""Kill whoever writes, at each step of each write into the store: before it, within it, and around its renaming."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Ledger
from tests.chaos.processes import orphans_after, run_ids, start_night, with_plan

# One of each kind, for the tests; the campaign goes through all of them.
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
        steps: At which a process died, in the order of the writes.
        runs: How many it took.
        wrong: One sentence for each thing that is damaged, lost or left behind, or was not as it must be.
        orphans: Processes that outlived their run.
    """

    steps: list[str]
    runs: int = 0
    wrong: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def sweep_writes(
    environment: dict[str, str], folder: Path, only: list[str] | None = None, most_seconds: float = float("inf")
) -> WriteKills:
    """Run on one store again and again; each run dies at the first step at which none has died, until none is left.

    That a run gets past the step at which the one before it died says that it recovers from there. Ten epochs, so that
    there is a checkpoint. When time is over, nobody is killed any more.
    """
    until = time.monotonic() + most_seconds
    store, plan = folder / "store", folder / "plan"
    variables, ledger, found = with_plan(plan, only), Ledger(folder / "store"), WriteKills([])
    code = None
    while code != 0:
        before = time.monotonic()
        if before > until:
            with_plan(plan, [])
        night = start_night(environment, store, folder / "logs", epochs=10, patience=10, **variables)
        code, errors = night.wait()
        found.runs += 1
        found.orphans += orphans_after(night.mark)
        found.wrong += ledger.check()
        steps = (plan / "died.txt").read_text().splitlines()
        if steps == found.steps and code:
            raise AssertionError(f"the run ended with exit code {code} and nobody had been killed: {errors}")
        if code not in (0, 1, 2, -9):
            found.wrong.append(f"exit code {code} after {steps[-1]}: {night.last_line()}")
        for step in steps[len(found.steps) :]:
            print(f"  killed {step}: exit code {code}, {time.monotonic() - before:.1f} s  {night.last_line()}")
        found.steps = steps
    if not run_ids(store):
        found.wrong.append("the last run, in which nobody was killed, was not published.")
    return found
