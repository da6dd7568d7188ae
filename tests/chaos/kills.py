"""Kill processes of runs at random moments, and check that the store lost nothing."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

import psutil

from tests.chaos.ledger import Ledger
from tests.chaos.processes import StartedCommand, end_orphans, list_run_ids, read_command, start, start_run
from tests.places import PROJECT_ROOT

TARGETS = ("a training", "the flow", "another child")
# A run without kills follows after so many kills.
ALONE_EVERY = 10
RESUME = [sys.executable, "-m", "tests.chaos.resumed_flow"]


@dataclass
class RandomKills:
    """What the random kills found.

    Attributes:
        targets: By kind of process, how many were killed.
        codes: By exit code, how many runs with a killed process ended with it.
        runs: Number of runs.
        resumed: Number of runs that resumed a flow run whose process had been killed.
        undisturbed: Number of runs without a killed process.
        published: Number of published runs at the end.
        wrong: One sentence for each damaged or lost file, and for each run with an end that is not allowed.
        orphans: Command lines of processes that outlived their run by 30 s.
    """

    targets: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    runs: int = 0
    resumed: int = 0
    undisturbed: int = 0
    published: int = 0
    wrong: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.targets.total()


def add_up(lanes: list[RandomKills]) -> RandomKills:
    """Return the sum of several campaigns."""
    total = RandomKills()
    for lane in lanes:
        for one in fields(RandomKills):
            setattr(total, one.name, getattr(total, one.name) + getattr(lane, one.name))
    return total


class _Campaign:
    """One run after another on one store, with kills."""

    def __init__(self, environment: dict[str, str], folder: Path, seed: int) -> None:
        self.environment, self.folder, self.store = environment, folder, folder / "store"
        self.ledger, self.found, self.random = Ledger(self.store), RandomKills(), random.Random(seed)
        # How long a run takes on this machine: as long as the last one without kills.
        self.seconds = 10.0

    def choose_options(self) -> dict[str, object]:
        """Return random options of a run. Some combinations need new datasets."""
        return {
            "sample_reviews": self.random.randrange(200, 400, 2),
            "epochs": self.random.choice((2, 12)),
            "variants": self.random.choice(("gru", "gru", "gru", "lstm,gru")),
            "jobs": self.random.choice((1, 2)),
        }

    def run_alone(self) -> None:
        """Run once without kills; this run must succeed."""
        began = time.monotonic()
        run = start_run(self.environment, self.store, self.folder / "logs", **self.choose_options())
        code, errors = run.wait()
        self.seconds = time.monotonic() - began
        if code:
            self.found.wrong.append(f"a run without kills ended with exit code {code}: {errors}")
        self.found.undisturbed += 1
        self.check_store(run, f"no kills: exit code {code}")

    def run_and_kill(self, most: int) -> None:
        """Run the command, and kill up to `most` of its processes."""
        options = self.choose_options()
        run = start_run(self.environment, self.store, self.folder / "logs", **options)
        self.disturb(run, most, "run")

    def resume_and_kill(self, most: int) -> None:
        """Kill processes of a flow run, and resume it until it ends Completed."""
        identifier = self.create_flow_run()
        before, killed_before = list_run_ids(self.store), self.found.kills
        for attempt in range(1, 4):
            run = start(self.environment, [*RESUME, identifier], self.folder / "logs")
            left = most - (self.found.kills - killed_before)
            # The last attempt has no kills, and must succeed.
            code = self.disturb(run, left if attempt < 3 else 0, f"attempt {attempt} of one flow run")
            self.found.resumed += attempt > 1
            if code == 0:
                break
            if code == 1:
                # A run with a failed training was published, and the next attempt publishes it again.
                for run_id in set(list_run_ids(self.store)) - set(before):
                    self.ledger.forget(run_id)
        new = set(list_run_ids(self.store)) - set(before)
        if code or len(new) != 1:
            self.found.wrong.append(f"a flow run that was resumed ended with {code} and published {sorted(new)}")

    def create_flow_run(self) -> str:
        """Return the id of a new flow run with random options."""
        options = self.choose_options()
        parameters = {
            **options,
            "source": "sample",
            "maxlen": 40,
            "baselines": False,
            "variants": str(options["variants"]).split(","),
            "store": str(self.store),
        }
        created = subprocess.run(
            [*RESUME, "--create", json.dumps(parameters)],
            env=self.environment,
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return created.stdout.strip()

    def disturb(self, run: StartedCommand, most: int, what: str) -> int:
        """Kill up to `most` processes of a run at random moments; return its exit code."""
        killed: list[str] = []
        while len(killed) < most and run.process.poll() is None:
            self.wait_at_random(run)
            target = self.random.choice(TARGETS)
            victim = self.find_process(run, target)
            try:
                if victim:
                    name = "the flow" if target == "the flow" else read_command(victim)[-1]
                    victim.kill()
                    killed.append(name)
                    self.found.targets[target] += 1
            except (psutil.NoSuchProcess, IndexError):
                # It ended by itself at the same moment.
                continue
        code, errors = run.wait()
        if killed:
            self.found.codes[code] += 1
        self.check_end(code, killed, errors)
        self.check_store(run, f"{what}: killed {', '.join(killed) or 'nothing'}: exit code {code}  {run.last_line()}")
        return code

    def wait_at_random(self, run: StartedCommand) -> None:
        until = time.monotonic() + self.random.uniform(0, self.seconds / 3)
        while time.monotonic() < until and run.process.poll() is None:
            time.sleep(0.02)

    def find_process(self, run: StartedCommand, target: str) -> psutil.Process | None:
        """Return a living process of a run: one of a kind in `TARGETS`, or None."""
        if run.process.poll() is not None:
            return None
        if target == "the flow":
            return psutil.Process(run.process.pid)
        children = run.children()
        trainings = [child for child in children if "tasks.training.training" in read_command(child)]
        chosen = trainings if target == "a training" else [child for child in children if child not in trainings]
        return self.random.choice(chosen) if chosen else None

    def check_end(self, code: int, killed: list[str], errors: str) -> None:
        """Note an exit code that is not allowed after these kills, and an error with a traceback."""
        allowed = {-9} if "the flow" in killed else {0, 1, 2} if killed else {0}
        if code not in allowed:
            self.found.wrong.append(f"exit code {code} after {killed}: {errors}")
        if "Traceback" in errors and "retrain run:" in errors:
            self.found.wrong.append(f"a traceback after {killed}: {errors}")

    def check_store(self, run: StartedCommand, what: str) -> None:
        """Note what the run damaged, lost or left running, and print a line."""
        self.found.runs += 1
        orphans, wrong = end_orphans(run.mark), self.ledger.check()
        self.found.orphans += orphans
        self.found.wrong += wrong
        print(
            f"  {self.found.kills:4d}  {what}; {len(wrong)} damaged or lost, {len(orphans)} orphans, "
            f"{len(self.ledger.files)} files in the ledger",
            flush=True,
        )


def kill_at_random(
    environment: dict[str, str], folder: Path, kills: int, seed: int, most_seconds: float = float("inf")
) -> RandomKills:
    """Kill processes of one run after another, with a run without kills after every ten kills and at the end.

    Args:
        environment: That of the runs; it names a Prefect server.
        folder: For the store and the logs.
        kills: How many processes to kill.
        seed: Seed of all random choices.
        most_seconds: Stop earlier, after this time.
    """
    until = time.monotonic() + most_seconds
    campaign = _Campaign(environment, folder, seed)
    found = campaign.found
    alone_at = 0 if kills > ALONE_EVERY else ALONE_EVERY
    while found.kills < kills and time.monotonic() < until:
        if found.kills >= alone_at:
            campaign.run_alone()
            alone_at = found.kills + ALONE_EVERY
        most = min(campaign.random.choice((1, 2, 3)), kills - found.kills)
        disturb = campaign.random.choice((campaign.run_and_kill, campaign.run_and_kill, campaign.resume_and_kill))
        disturb(most)
    campaign.run_alone()
    found.published = len(list_run_ids(campaign.store))
    return found
