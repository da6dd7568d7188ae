"""Kill processes of runs at random moments, and hold what is left against what was there."""

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
from tests.chaos.processes import Night, command_of, orphans_after, run_ids, start, start_night
from tests.places import PROJECT_ROOT

TARGETS = ("a training", "the flow", "another child")
LEFT_ALONE_EVERY = 10


@dataclass
class RandomKills:
    """What the random kills found.

    Attributes:
        targets: How often each kind of process was killed.
        codes: How often a run in which somebody was killed ended with which exit code.
        runs: Runs in all.
        resumed: Runs that went on with a flow run whose process had been killed.
        undisturbed: Runs in between that nobody disturbed.
        published: Runs that were published in the end.
        wrong: One sentence for each thing that is damaged, lost or not as it must be.
        orphans: Processes that outlived their run by 30 s.
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
    """Return what several campaigns found together."""
    total = RandomKills()
    for lane in lanes:
        for one in fields(RandomKills):
            setattr(total, one.name, getattr(total, one.name) + getattr(lane, one.name))
    return total


class _Campaign:
    """Runs on one store, one after the other."""

    def __init__(self, environment: dict[str, str], folder: Path, seed: int) -> None:
        self.environment, self.folder, self.store = environment, folder, folder / "store"
        self.ledger, self.found, self.random = Ledger(self.store), RandomKills(), random.Random(seed)
        # How long a run takes on this machine, learned from those that nobody disturbs.
        self.seconds = 10.0

    def choose(self) -> dict[str, object]:
        """Return options of a run: now and then other datasets, which have to be built first."""
        return {
            "sample_reviews": self.random.randrange(200, 400, 2),
            "epochs": self.random.choice((2, 12)),
            "variants": self.random.choice(("gru", "gru", "gru", "lstm,gru")),
            "jobs": self.random.choice((1, 2)),
        }

    def run_alone(self) -> None:
        """Run once without a kill, which must succeed."""
        began = time.monotonic()
        night = start_night(self.environment, self.store, self.folder / "logs", **self.choose())
        code, errors = night.wait()
        self.seconds = time.monotonic() - began
        if code:
            self.found.wrong.append(f"a run that nobody disturbed ended with exit code {code}: {errors}")
        self.found.undisturbed += 1
        self.look_after(night, f"left alone: exit code {code}")

    def run_and_kill(self, most: int) -> None:
        """Run the command, and kill up to so many of its processes."""
        options = self.choose()
        night = start_night(self.environment, self.store, self.folder / "logs", **options)
        self.disturb(night, most, "run")

    def resume_and_kill(self, most: int) -> None:
        """Kill a flow run's processes, and go on with the same flow run until it ends well."""
        options = self.choose()
        parameters = {
            **options,
            "source": "sample",
            "maxlen": 40,
            "baselines": False,
            "variants": str(options["variants"]).split(","),
            "store": str(self.store),
        }
        launch = [sys.executable, "-m", "tests.chaos.resumed_flow"]
        created = subprocess.run(
            [*launch, "--create", json.dumps(parameters)],
            env=self.environment,
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        identifier = created.stdout.strip()
        before, killed_before = run_ids(self.store), self.found.kills
        for attempt in range(1, 4):
            night = start(self.environment, [*launch, identifier], self.folder / "logs")
            left = most - (self.found.kills - killed_before)
            # The last attempt is left alone, and has to end well.
            code = self.disturb(night, left if attempt < 3 else 0, f"attempt {attempt} of one flow run")
            self.found.resumed += attempt > 1
            if code == 0:
                break
            if code == 1:
                # A night with a failed training was published, and the next attempt publishes a better one.
                for run_id in set(run_ids(self.store)) - set(before):
                    self.ledger.forget(run_id)
        new = set(run_ids(self.store)) - set(before)
        if code or len(new) != 1:
            self.found.wrong.append(f"a flow run that was resumed ended with {code} and published {sorted(new)}")

    def disturb(self, night: Night, most: int, what: str) -> int:
        """Kill up to `most` processes of a run at random moments; return its exit code."""
        killed: list[str] = []
        while len(killed) < most and night.process.poll() is None:
            self.wait_a_while(night)
            target = self.random.choice(TARGETS)
            victim = self.find(night, target)
            try:
                if victim:
                    name = "the flow" if target == "the flow" else command_of(victim)[-1]
                    victim.kill()
                    killed.append(name)
                    self.found.targets[target] += 1
            except (psutil.NoSuchProcess, IndexError):
                # It ended by itself at this very moment.
                continue
        code, errors = night.wait()
        if killed:
            self.found.codes[code] += 1
        self.judge(code, killed, errors)
        self.look_after(night, f"{what}: killed {', '.join(killed) or 'nobody'}: exit code {code}  {night.last_line()}")
        return code

    def wait_a_while(self, night: Night) -> None:
        until = time.monotonic() + self.random.uniform(0, self.seconds / 3)
        while time.monotonic() < until and night.process.poll() is None:
            time.sleep(0.02)

    def find(self, night: Night, target: str) -> psutil.Process | None:
        """Return a living process of that kind."""
        if night.process.poll() is not None:
            return None
        if target == "the flow":
            return psutil.Process(night.process.pid)
        children = night.children()
        trainings = [child for child in children if "tasks.training.training" in command_of(child)]
        chosen = trainings if target == "a training" else [child for child in children if child not in trainings]
        return self.random.choice(chosen) if chosen else None

    def judge(self, code: int, killed: list[str], errors: str) -> None:
        """Note an end that is none of those that are allowed: well, with failures, in one line, or killed."""
        allowed = {-9} if "the flow" in killed else {0, 1, 2} if killed else {0}
        if code not in allowed:
            self.found.wrong.append(f"exit code {code} after {killed}: {errors}")
        if "Traceback" in errors and "retrain run:" in errors:
            self.found.wrong.append(f"a traceback after {killed}: {errors}")

    def look_after(self, night: Night, what: str) -> None:
        self.found.runs += 1
        orphans, wrong = orphans_after(night.mark), self.ledger.check()
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
    """Kill so many processes over as many runs as that takes, or time allows; every few kills, let a run alone."""
    until = time.monotonic() + most_seconds
    campaign = _Campaign(environment, folder, seed)
    found = campaign.found
    alone_at = 0 if kills > LEFT_ALONE_EVERY else LEFT_ALONE_EVERY
    while found.kills < kills and time.monotonic() < until:
        if found.kills >= alone_at:
            campaign.run_alone()
            alone_at = found.kills + LEFT_ALONE_EVERY
        most = min(campaign.random.choice((1, 2, 3)), kills - found.kills)
        disturb = campaign.random.choice((campaign.run_and_kill, campaign.run_and_kill, campaign.resume_and_kill))
        disturb(most)
    campaign.run_alone()
    found.published = len(run_ids(campaign.store))
    return found
