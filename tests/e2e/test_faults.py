"""Runs that are killed, stopped or without memory, and damaged stores: all files are sound, or reported as damaged."""

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
from tests.chaos.processes import end_orphans, is_one_line, list_run_ids, read_newest_state, start_run
from tests.chaos.writes import A_FEW, sweep_writes
from tests.stubs import REAL_SEED, STUB
from tests.waiting import wait_until

# A run of this size writes up to two megabytes, which do not fit into these disks.
FULL_DISKS_KB = (16, 260)
# Options of a long run with a real training.
LONG = {"epochs": 5000, "patience": 5000, "seeds": REAL_SEED}


@pytest.fixture(scope="module")
def stubbed(environment):
    """The environment of the shared server; trainings are stubs, except for the seed `REAL_SEED`."""
    return environment | STUB


@pytest.fixture(scope="module")
def finished(environment, tmp_path_factory):
    """A store with a file of every kind, made by real trainings."""
    return make_finished_store(environment, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished store, with datasets and one run."""
    return shutil.copytree(finished, tmp_path / "store")


@pytest.fixture
def start_on(stubbed, tmp_path):
    """Start runs on a store, with stubs for trainings. The test fails if a process outlives its run."""
    runs = []

    def begin(store, **changes):
        runs.append(start_run(stubbed, store, tmp_path / "logs", **changes))
        return runs[-1]

    yield begin
    for run in runs:
        run.wait()
    assert [orphan for run in runs for orphan in end_orphans(run.mark)] == []


def wait_for_training(run, count=1):
    """Wait for an epoch in the run's log; return the run's training children."""
    wait_until(lambda: " epoch " in run.errors.read_text(), 90, "an epoch")
    return wait_until(lambda: run.children("tasks.training.training")[:count], 60, "a training's process")


def assert_ends_well(run):
    code, errors = run.wait()
    assert code == 0, errors


def assert_sound(store):
    assert verify_store(Store(str(store))).damaged == ()


def test_a_few_random_kills_damage_and_lose_no_file(stubbed, tmp_path):
    seed = int.from_bytes(os.urandom(2))
    found = kill_at_random(stubbed, tmp_path, kills=2, seed=seed)
    assert (found.wrong, found.orphans) == ([], []), f"seed {seed}"
    assert found.kills == 2
    assert found.published >= 1


def test_a_kill_within_a_write_damages_no_file_and_the_next_run_recovers(stubbed, tmp_path, capsys):
    found = sweep_writes(stubbed, tmp_path, A_FEW)
    assert (found.wrong, found.orphans) == ([], [])
    assert found.steps == A_FEW
    assert "retrain run: split: it was killed by SIGKILL" in capsys.readouterr().out


def test_damage_in_files_of_every_kind_is_found_by_readers_and_verify_and_quarantined(finished, tmp_path):
    seed = int.from_bytes(os.urandom(2))
    found = flip_bits(finished, tmp_path, flips=len(KINDS), seed=seed)
    assert found.missed == [], f"seed {seed}"
    assert set(found.done) == set(KINDS)


def test_a_run_on_a_damaged_store_quarantines_the_damaged_files_and_builds_them_again(copied, start_on):
    earlier = list_run_ids(copied)
    for path in copied.rglob("*"):
        if kind_of(path.relative_to(copied).as_posix()) in ("pad", "dataset manifest", "run.json", "newest page"):
            path.write_bytes(path.read_bytes()[:-1])
    assert_ends_well(start_on(copied))
    found = verify_store(Store(str(copied)))
    # The record of an old run cannot be made again, so it stays in place and is reported.
    (sentence,) = found.damaged
    assert f"runs/{earlier[0]}/run.json" in sentence
    assert len(found.quarantined) >= 4
    assert earlier[0] in (copied / INDEX_PATH).read_text()


def test_a_terminated_flow_ends_crashed_with_its_trainings(environment, copied, start_on):
    run = start_on(copied, **LONG)
    wait_for_training(run)
    run.signal(signal.SIGTERM)
    code, _ = run.wait(60)
    assert code == -signal.SIGTERM
    state = read_newest_state(environment)
    assert state["type"] == "CRASHED"
    assert state["message"] == "Execution was aborted by a termination signal."
    assert_sound(copied)


def test_a_training_that_hangs_is_ended_by_its_timeout_and_the_next_one_starts(copied, start_on):
    run = start_on(copied, **LONG, timeout_seconds=8, variants="gru,lstm")
    stopped = []
    while len(stopped) < 2:
        (child,) = wait_until(
            lambda: [one for one in run.children("tasks.training.training") if one.pid not in stopped],
            90,
            "a training",
        )[:1]
        child.suspend()
        stopped.append(child.pid)
    code, errors = run.wait()
    assert code == 1, errors
    assert "it was ended after its timeout of 8 s" in run.last_line()
    assert not any(psutil.pid_exists(pid) for pid in stopped)
    assert_sound(copied)


def test_a_training_without_memory_fails_with_the_reason_and_the_others_finish(copied, start_on):
    run = start_on(copied, variants="gru,lstm", FAULT_STARVE="gru")
    code, errors = run.wait()
    assert code == 1, errors
    assert run.last_line() == "retrain run: gru-seed42 failed: it ran out of memory: Python got none"
    published = read_run(Store(str(copied)), list_run_ids(copied)[-1])
    assert [training.name for training in published.trainings] == ["lstm-seed42"]
    assert_sound(copied)


def test_two_runs_at_once_on_one_store_are_both_published(tmp_path, start_on):
    store = tmp_path / "store"
    runs = [start_on(store), start_on(store)]
    for run in runs:
        assert_ends_well(run)
    assert len(list_run_ids(store)) == 2
    assert all(run_id in (store / INDEX_PATH).read_text() for run_id in list_run_ids(store))
    assert_sound(store)


def test_a_run_with_its_clock_set_back_overwrites_nothing_and_all_runs_are_in_the_list(
    copied, start_on, tmp_path, migrated_home
):
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("no libfaketime on this machine: install Debian's package faketime")
    ledger = Ledger(copied)
    assert ledger.check() == []
    earlier = list_run_ids(copied)
    # It starts its own server, so that both clocks are wrong.
    home = tmp_path / "prefect"
    migrated_home(home)
    run = start_on(copied, LD_PRELOAD=str(library), FAKETIME="-40d", PREFECT_API_URL="", PREFECT_HOME=str(home))
    assert_ends_well(run)
    assert ledger.check() == []
    now = list_run_ids(copied)
    assert len(now) == len(earlier) + 1
    assert now[0] not in earlier
    runs, damaged = read_history(Store(str(copied)))
    assert ([figures.run_id for figures in runs], damaged) == (now, [])
    assert all(run_id in (copied / INDEX_PATH).read_text() for run_id in now)
    assert is_intact((copied / LATEST_PATH).read_bytes())


@contextmanager
def mounted(folder, *options):
    """Mount a new file system in memory in a folder."""
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


def test_a_full_disk_ends_the_run_in_one_line_without_damage_and_the_next_run_with_room_succeeds(start_on, tmp_path):
    with mounted(tmp_path / "disk") as disk:
        for kilobytes in FULL_DISKS_KB:
            subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", disk], check=True)
            run = start_on(disk / "store")
            code, errors = run.wait()
            assert code in (1, 2), errors
            assert is_one_line(errors), errors
            assert "No space left on device" in run.last_line()
            assert_sound(disk / "store")
            assert list((disk / "store").rglob("*.part")) == []
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert_ends_well(start_on(disk / "store"))
        assert_sound(disk / "store")


def test_a_store_that_cannot_be_written_is_refused_in_one_line(start_on, tmp_path):
    with mounted(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        run = start_on(disk)
        code, errors = run.wait()
        assert code == 2, errors
        assert is_one_line(errors), errors
        assert "Read-only file system" in run.last_line()
        assert list(disk.iterdir()) == []
