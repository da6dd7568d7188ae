"""How many trainings run at once, by the limits of this process."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from flows import capacity

GIGABYTE = 1_000_000_000


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 CPUs and 64 GB, whose control groups are the files that a test writes."""
    monkeypatch.setattr(capacity, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(capacity, "OWN_CGROUP", tmp_path / "self")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    monkeypatch.setattr(
        capacity.psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GIGABYTE), raising=True
    )

    def write(own, files):
        (tmp_path / "self").write_text(own)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_without_limits_each_cpu_gets_a_training(machine):
    machine("0::/\n", {})
    assert capacity.count_jobs() == 8


def test_a_quota_of_the_own_group_counts(machine):
    machine("0::/system.slice/retraining.service\n", {"system.slice/retraining.service/cpu.max": "250000 100000\n"})
    assert capacity.count_cpus() == 3


def test_the_tightest_of_nested_groups_counts(machine):
    machine(
        "0::/outer/inner\n",
        {
            "outer/cpu.max": "200000 100000\n",
            "outer/inner/cpu.max": "max 100000\n",
            "outer/memory.max": f"{64 * GIGABYTE}\n",
        },
    )
    assert capacity.count_jobs() == 2


def test_the_memory_of_the_own_group_counts_without_cached_files(machine):
    machine(
        "0::/unit\n",
        {
            "unit/memory.max": f"{4 * GIGABYTE}\n",
            "unit/memory.current": f"{3 * GIGABYTE}\n",
            "unit/memory.stat": f"anon 5\ninactive_file {2 * GIGABYTE}\n",
        },
    )
    assert capacity.available_bytes() == 3 * GIGABYTE
    assert capacity.count_jobs() == 3


def test_groups_of_version_1_count(machine):
    machine(
        "5:cpu,cpuacct:/unit\n3:memory:/unit\n",
        {
            "cpu,cpuacct/unit/cpu.cfs_quota_us": "400000\n",
            "cpu,cpuacct/unit/cpu.cfs_period_us": "100000\n",
            "memory/unit/memory.limit_in_bytes": f"{2 * GIGABYTE}\n",
            "memory/unit/memory.usage_in_bytes": "0\n",
        },
    )
    assert (capacity.count_cpus(), capacity.count_jobs()) == (4, 2)


def test_the_root_group_of_a_container_counts(machine):
    machine("0::/docker/not-visible-here\n", {"cpu.max": "100000 100000\n"})
    assert capacity.count_jobs() == 1


@pytest.mark.parametrize("text", ["", "nonsense", "0::/../../etc", "max", "-1 -1", "0 0"])
def test_files_that_make_no_sense_set_no_limit(machine, text):
    machine(text, {"cpu.max": text, "memory.max": text, "memory.current": text, "memory.stat": text})
    assert capacity.count_jobs() == 8


def test_a_machine_that_does_not_tell_its_memory_gets_a_training_for_each_cpu(machine, monkeypatch):
    machine("0::/\n", {})
    monkeypatch.setattr(capacity.psutil, "virtual_memory", lambda: 1 / 0)
    assert capacity.available_bytes() is None
    assert capacity.count_jobs() == 8
