"""Runs that are killed, stopped or starved, and stores that are damaged: what is left is sound, or named."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from flows.cli.past_runs import read_history
from storage.pages import is_intact
from storage.runs import INDEX_PATH, LATEST_PATH, read_run, verify_store
from storage.store import Store
from tests.chaos.finished_store import make_finished_store
from tests.chaos.flips import KINDS, flip_bits, kind_of
from tests.chaos.kills import kill_at_random
from tests.chaos.ledger import Ledger
from tests.chaos.processes import is_one_line, newest_state, orphans_after, run_ids, start_night
from tests.chaos.writes import A_FEW, sweep_writes
from tests.stubs import REAL_SEED, STUB
from tests.waiting import wait_until

# What a run of this size writes fits into two megabytes, and not into any of these.
FULL_DISKS_KB = (16, 260)
# Of a real training.
LONG = {"epochs": 5000, "patience": 5000, "seeds": REAL_SEED}


@pytest.fixture(scope="module")
def stubbed(environment):
    """The environment of the shared server, in which trainings are stubs but for `REAL_SEED`."""
    return environment | STUB


@pytest.fixture(scope="module")
def finished(environment, tmp_path_factory):
    """A store with a file of every kind, made by real trainings."""
    return make_finished_store(environment, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished store: the datasets are there, and one night."""
    return shutil.copytree(finished, tmp_path / "store")


@pytest.fixture
def night_on(stubbed, tmp_path):
    """Start a night on a store, whose trainings are stubs; at the end, none of its processes may be left."""
    nights = []

    def begin(store, **changes):
        nights.append(start_night(stubbed, store, tmp_path / "logs", **changes))
        return nights[-1]

    yield begin
    for night in nights:
        night.wait()
    assert [orphan for night in nights for orphan in orphans_after(night.mark)] == []


def wait_for_training(night, count=1):
    """Return the night's training children, once there are epochs in its log."""
    wait_until(lambda: " epoch " in night.errors.read_text(), 90, "an epoch")
    return wait_until(lambda: night.children("tasks.training.training")[:count], 60, "a training's process")


def assert_ends_well(night):
    code, errors = night.wait()
    assert code == 0, errors


def assert_sound(store):
    assert verify_store(Store(str(store))).damaged == ()


def test_a_few_processes_killed_at_random_tear_and_lose_nothing(stubbed, tmp_path):
    seed = int.from_bytes(os.urandom(2))
    found = kill_at_random(stubbed, tmp_path, kills=2, seed=seed)
    assert (found.wrong, found.orphans) == ([], []), f"seed {seed}"
    assert found.kills == 2
    assert found.published >= 1


def test_a_process_killed_within_a_write_tears_nothing_and_the_next_run_gets_past_it(stubbed, tmp_path, capsys):
    found = sweep_writes(stubbed, tmp_path, A_FEW)
    assert (found.wrong, found.orphans) == ([], [])
    assert found.steps == A_FEW
    assert "retrain run: split: it was killed by SIGKILL" in capsys.readouterr().out


def test_damage_in_files_of_every_kind_is_found_by_who_reads_it_and_by_verify_and_put_aside(finished, tmp_path):
    seed = int.from_bytes(os.urandom(2))
    found = flip_bits(finished, tmp_path, flips=len(KINDS), seed=seed)
    assert found.missed == [], f"seed {seed}"
    assert set(found.done) == set(KINDS)


def test_a_run_on_a_store_with_damage_everywhere_puts_the_damage_aside_and_builds_again(copied, night_on):
    earlier = run_ids(copied)
    for path in copied.rglob("*"):
        if kind_of(path.relative_to(copied).as_posix()) in ("pad", "dataset manifest", "run.json", "newest page"):
            path.write_bytes(path.read_bytes()[:-1])
    assert_ends_well(night_on(copied))
    found = verify_store(Store(str(copied)))
    # The record of an old night cannot be made again; that one stays where it is, and is named.
    (sentence,) = found.damaged
    assert f"runs/{earlier[0]}/run.json" in sentence
    assert len(found.quarantined) >= 4
    assert earlier[0] in (copied / INDEX_PATH).read_text()


def test_a_terminated_flow_ends_crashed_with_its_trainings(environment, copied, night_on):
    night = night_on(copied, **LONG)
    wait_for_training(night)
    night.signal(signal.SIGTERM)
    code, _ = night.wait(60)
    assert code == -signal.SIGTERM
    state = newest_state(environment)
    assert state["type"] == "CRASHED"
    assert state["message"] == "Execution was aborted by a termination signal."
    assert_sound(copied)


def test_a_training_that_hangs_is_ended_by_its_timeout_and_the_next_one_goes_on(copied, night_on):
    night = night_on(copied, **LONG, timeout_seconds=8, variants="gru,lstm")
    stopped = []
    while len(stopped) < 2:
        (child,) = wait_until(
            lambda: [one for one in night.children("tasks.training.training") if one.pid not in stopped],
            90,
            "a training",
        )[:1]
        child.suspend()
        stopped.append(child.pid)
    code, errors = night.wait()
    assert code == 1, errors
    assert "it was ended after its timeout of 8 s" in night.last_line()
    assert not any(psutil.pid_exists(pid) for pid in stopped)
    assert_sound(copied)


def test_a_training_without_memory_fails_alone_and_says_so(copied, night_on):
    night = night_on(copied, variants="gru,lstm", FAULT_STARVE="gru")
    code, errors = night.wait()
    assert code == 1, errors
    assert night.last_line() == "retrain run: gru-seed42 failed: it ran out of memory: Python got none"
    run = read_run(Store(str(copied)), run_ids(copied)[-1])
    assert [training.name for training in run.trainings] == ["lstm-seed42"]
    assert_sound(copied)


def test_two_nights_at_once_on_one_store_are_both_published(tmp_path, night_on):
    store = tmp_path / "store"
    nights = [night_on(store), night_on(store)]
    for night in nights:
        assert_ends_well(night)
    assert len(run_ids(store)) == 2
    assert all(run_id in (store / INDEX_PATH).read_text() for run_id in run_ids(store))
    assert_sound(store)


def test_a_clock_that_was_set_back_overwrites_nothing_and_leaves_every_night_in_the_list(
    copied, night_on, tmp_path, migrated_home
):
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("no libfaketime on this machine: install Debian's package faketime")
    ledger = Ledger(copied)
    assert ledger.check() == []
    earlier = run_ids(copied)
    # Its own server, so that both clocks are wrong.
    home = tmp_path / "prefect"
    migrated_home(home)
    night = night_on(copied, LD_PRELOAD=str(library), FAKETIME="-40d", PREFECT_API_URL="", PREFECT_HOME=str(home))
    assert_ends_well(night)
    assert ledger.check() == []
    now = run_ids(copied)
    assert len(now) == len(earlier) + 1
    assert now[0] not in earlier
    nights, damaged = read_history(Store(str(copied)))
    assert ([night["run_id"] for night in nights], damaged) == (now, [])
    assert all(run_id in (copied / INDEX_PATH).read_text() for run_id in now)
    assert is_intact((copied / LATEST_PATH).read_bytes())


@contextmanager
def mounted(folder, *options):
    """Mount a small file system of its own in a folder."""
    folder.mkdir()
    answer = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        pytest.skip(f"no file system can be mounted here: {answer.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_ends_the_run_in_one_line_tears_nothing_and_with_room_the_next_one_succeeds(night_on, tmp_path):
    with mounted(tmp_path / "disk") as disk:
        for kilobytes in FULL_DISKS_KB:
            subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", disk], check=True)
            night = night_on(disk / "store")
            code, errors = night.wait()
            assert code in (1, 2), errors
            assert is_one_line(errors), errors
            assert "No space left on device" in night.last_line()
            assert_sound(disk / "store")
            assert list((disk / "store").rglob("*.part")) == []
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert_ends_well(night_on(disk / "store"))
        assert_sound(disk / "store")


def test_a_store_that_cannot_be_written_is_refused_in_one_line(night_on, tmp_path):
    with mounted(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        night = night_on(disk)
        code, errors = night.wait()
        assert code == 2, errors
        assert is_one_line(errors), errors
        assert "Read-only file system" in night.last_line()
        assert list(disk.iterdir()) == []
