"""A block limits the memory that can be reserved, and its end restores the limits."""

import resource
from pathlib import Path

import pytest

from storage.memory import bounded_memory

MEGABYTE = 1 << 20


@pytest.fixture
def limits():
    """Return the process's limits, and restore them after the test."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    yield before
    resource.setrlimit(resource.RLIMIT_AS, before)


def reserved() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def test_more_than_the_limit_is_a_memory_error_in_the_block_alone(limits):
    with bounded_memory(64 * MEGABYTE), pytest.raises(MemoryError):
        bytearray(256 * MEGABYTE)
    assert len(bytearray(256 * MEGABYTE)) == 256 * MEGABYTE


def test_less_than_the_limit_is_given(limits):
    with bounded_memory(512 * MEGABYTE):
        assert len(bytearray(256 * MEGABYTE)) == 256 * MEGABYTE


def test_the_limit_is_what_the_process_has_and_so_much_more(limits):
    before = reserved()
    with bounded_memory(1_000_000_000):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    assert abs(soft - before - 1_000_000_000) < 16 * MEGABYTE
    assert hard == limits[1]
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


def test_a_block_that_fails_takes_its_limit_back_too(limits):
    with pytest.raises(ValueError, match="damaged"), bounded_memory(64 * MEGABYTE):
        raise ValueError("damaged")
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


def test_a_stricter_limit_of_the_process_itself_stays(limits):
    own = reserved() + 256 * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (own, limits[1]))
    with bounded_memory(1024 * MEGABYTE):
        assert resource.getrlimit(resource.RLIMIT_AS) == (own, limits[1])
    with bounded_memory(64 * MEGABYTE):
        assert resource.getrlimit(resource.RLIMIT_AS)[0] < own
    assert resource.getrlimit(resource.RLIMIT_AS) == (own, limits[1])


def test_where_a_process_cannot_find_out_what_it_has_there_is_no_limit(limits, monkeypatch):
    monkeypatch.setattr("storage.memory._PAGES", Path("/nowhere/statm"))
    with bounded_memory(64 * MEGABYTE):
        assert resource.getrlimit(resource.RLIMIT_AS) == limits
