"""The log of champions: one writer wins, and what was edited, removed or torn is found."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from storage.champion_log import ChampionChangedError, ChampionLog, check_name
from storage.champion_records import Author, ChampionRecord
from storage.damage import DamagedFileError, NewerFormatError
from storage.store import Store
from storage.verify_champions import verify_logs
from tests.places import PROJECT_ROOT

SHA = "a" * 64


def a_record(log: ChampionLog, **changes) -> ChampionRecord:
    """Return the next record of a log: it blocks a model, so that it needs no files."""
    newest = log.read_newest()
    record = ChampionRecord(
        number=newest.record.number + 1 if newest else 1,
        name=log.name,
        unique=os.urandom(8).hex(),
        action="block",
        run_id="20261123T020000Z-abc123",
        training="gru-seed42",
        identity=SHA,
        champion=None,
        blocked=(),
        previous=newest.sha256 if newest else None,
        author=Author("person", "ada", "laptop"),
        when="2026-11-23T02:00:00Z",
        why="a good reason",
    )
    return replace(record, **changes)


@pytest.fixture
def log(store):
    return ChampionLog(store)


@pytest.fixture
def long_log(log):
    for _ in range(5):
        log.append(a_record(log))
    return log


def path_of(log, number) -> Path:
    return Path(log.store.locate(log.path_of(number)))


def edit(path: Path, **changes) -> None:
    content = json.loads(path.read_text())
    content["content"] |= changes
    path.write_text(json.dumps(content))


def test_an_empty_log_has_no_record(log):
    assert (log.find_newest(), log.read_newest(), list(log.walk_back())) == (0, None, [])
    assert list(verify_logs(log.store)) == []


def test_the_newest_record_holds_the_hash_of_the_one_before(long_log):
    newest = long_log.read_newest()
    assert newest.record.number == 5
    assert newest.record.previous == long_log.read(4).sha256
    assert [entry.record.number for entry in long_log.walk_back()] == [5, 4, 3, 2, 1]
    assert list(verify_logs(long_log.store)) == []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9, 33])
def test_the_newest_number_is_found_without_the_file_that_names_it(log, count):
    for _ in range(count):
        log.append(a_record(log))
    log.store.delete_file(log.current_path)
    assert log.find_newest() == count


def test_a_record_that_another_process_created_first_is_not_changed(log):
    mine, theirs = a_record(log), a_record(log)
    log.append(theirs)
    with pytest.raises(ChampionChangedError, match=r"000001\.json was created by another process first"):
        log.append(mine)
    assert log.read(1).record == theirs


def test_an_edited_record_is_found_by_readers_and_by_verify(long_log):
    edit(path_of(long_log, 4), why="another reason")
    with pytest.raises(DamagedFileError, match=r"000004\.json must be as it was written"):
        long_log.read_newest()
    (sentence,) = verify_logs(long_log.store)
    assert "000004.json must be as it was written" in sentence


def test_a_record_that_was_sealed_anew_breaks_the_chain(long_log):
    forged = replace(long_log.read(2).record, why="another reason")
    long_log.store.delete_file(long_log.path_of(2))
    long_log.store.write_manifest(long_log.path_of(2), json.loads(json.dumps(forged.__dict__, default=vars)))
    (sentence,) = verify_logs(long_log.store)
    assert "000003.json must name the SHA-256 of the record before it, and does not: record 2 was edited" in sentence
    with pytest.raises(DamagedFileError, match="record 2 was edited or exchanged"):
        list(long_log.walk_back())


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_gap_is_found_by_readers_and_by_verify(long_log, number):
    path_of(long_log, number).unlink()
    with pytest.raises(DamagedFileError, match=f"00000{number}.json must be there, because later records are"):
        list(long_log.walk_back())
    assert any(f"00000{number}.json must be there" in sentence for sentence in verify_logs(long_log.store))


def test_a_lost_newest_record_is_known_from_the_file_that_names_it(long_log):
    path_of(long_log, 5).unlink()
    with pytest.raises(DamagedFileError, match=r"000005\.json must be there"):
        long_log.append(a_record(long_log))


def test_a_torn_record_is_damaged(long_log):
    path = path_of(long_log, 5)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedFileError, match=r"000005\.json must be as it was written"):
        long_log.read_newest()


def test_a_record_of_a_newer_version_is_named_as_such(log):
    log.append(a_record(log))
    path = log.path_of(2)
    content = json.loads(json.dumps(replace(log.read(1).record, number=2).__dict__, default=vars)) | {"format": 99}
    log.store.write_manifest(path, content)
    with pytest.raises(NewerFormatError, match="written by a newer version of this project"):
        log.read_newest()


def test_a_record_in_the_place_of_another_is_damaged(long_log):
    path_of(long_log, 5).write_bytes(path_of(long_log, 4).read_bytes())
    with pytest.raises(DamagedFileError, match=r"must be record 5 of main\. Received: 4 of main"):
        long_log.read_newest()


def test_verify_compares_the_file_that_names_the_champion_with_the_log(long_log):
    long_log.write_current_file(long_log.read(4))
    (sentence,) = verify_logs(long_log.store)
    assert sentence.endswith(
        "current.json must name record 5, the log's newest. Received: 4. `retrain champion` writes it again."
    )
    long_log.store.delete_file(long_log.current_path)
    (sentence,) = verify_logs(long_log.store)
    assert "current.json must name record 5 and is missing" in sentence


@pytest.mark.parametrize("name", ["", "..", "a/b", "Main", "-x", "x" * 41, "a\nb", "ä"])
def test_a_name_that_could_leave_the_store_is_refused(name, store):
    with pytest.raises(ValueError, match="`champion` must be a name of small letters"):
        check_name(name)
    with pytest.raises(ValueError, match="`champion` must be a name of small letters"):
        ChampionLog(store, name)


def test_two_names_have_two_logs(store):
    for name in ("english", "korean"):
        log = ChampionLog(store, name)
        log.append(a_record(log))
    assert [ChampionLog(store, name).find_newest() for name in ("english", "korean", "main")] == [1, 1, 0]


def race(log: ChampionLog, writers: int) -> int:
    """Let several threads append the same number at once; return how many won."""
    records = [a_record(log) for _ in range(writers)]

    def append(record):
        try:
            ChampionLog(Store(log.store.uri), log.name).append(record)
        except ChampionChangedError:
            return 0
        return 1

    with ThreadPoolExecutor(writers) as pool:
        return sum(pool.map(append, records))


def test_of_eight_writers_one_wins_in_a_folder(log):
    assert [race(log, 8) for _ in range(50)] == [1] * 50
    assert log.find_newest() == 50
    assert list(verify_logs(log.store)) == []


def test_of_eight_writers_one_wins_on_s3(object_store):
    log = ChampionLog(object_store)
    assert [race(log, 8) for _ in range(5)] == [1] * 5
    assert log.find_newest() == 5
    assert list(verify_logs(log.store)) == []


# Kills itself at a step of the creation of a record: before or after a call of `os`.
KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from storage.champion_log import ChampionLog
from storage.store import Store
from tests.storage.test_champion_log import a_record
log, (name, when) = ChampionLog(Store({store!r})), {step!r}
original = getattr(os, name)
def watched(*arguments, **named):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
record = a_record(log)
setattr(os, name, watched)
log.append(record)
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [("link", "before"), ("link", "after"), ("fsync", "before"), ("fsync", "after")])
def test_a_writer_that_is_killed_leaves_the_old_or_the_new_record(long_log, step):
    program = KILLED.format(root=str(PROJECT_ROOT), store=long_log.store.uri, step=step)
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, cwd=PROJECT_ROOT)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    newest = long_log.find_newest()
    assert newest == (6 if step == ("link", "after") else 5)
    assert [entry.record.number for entry in long_log.walk_back()] == list(range(newest, 0, -1))
    # The next one who acts goes on, and mends the file that names the champion.
    long_log.append(a_record(long_log))
    assert list(verify_logs(long_log.store)) == []
