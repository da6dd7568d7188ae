"""The process of a run, for users and folders that nobody prepared."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from flows.cli import surroundings
from flows.cli.surroundings import choose_temporary_folder, prepare_process, settle_places
from flows.parameters import DEFAULTS


@pytest.fixture(autouse=True)
def as_before(monkeypatch, tmp_path):
    """Leave this process as it was."""
    here, mask, folder = Path.cwd(), os.umask(0o022), tempfile.tempdir
    os.umask(mask)
    for name in ("HOME", "TMPDIR", "PREFECT_HOME", "PREFECT_PROFILES_PATH", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_HOME")
    monkeypatch.delenv("PREFECT_PROFILES_PATH")
    yield
    os.chdir(here)
    os.umask(mask)
    tempfile.tempdir = folder


def test_a_temporary_folder_that_does_not_exist_is_replaced(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere")
    assert choose_temporary_folder("output") == "/tmp"
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == ("/tmp", "/tmp")


def test_without_any_temporary_folder_the_store_s_folder_is_the_last_choice(monkeypatch, tmp_path):
    monkeypatch.setattr(surroundings, "_has_room", lambda folder: folder == tmp_path)
    assert choose_temporary_folder(str(tmp_path)) == str(tmp_path)


def test_without_room_anywhere_the_run_is_refused(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/full")
    monkeypatch.setattr(surroundings, "_has_room", lambda _folder: False)
    with pytest.raises(
        ValueError, match=r"^TMPDIR must be a folder that can be written and has 64 MB free\. "
    ) as caught:
        choose_temporary_folder("s3://bucket")
    assert "Received: /full" in str(caught.value)


@pytest.mark.parametrize("home", ["", "/nowhere"])
def test_a_missing_home_is_replaced_by_a_temporary_one(monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    settle_places(DEFAULTS)
    assert Path(os.environ["HOME"]).is_dir()
    assert Path(os.environ["HOME"]).stat().st_mode & 0o077 == 0


def test_a_home_that_cannot_be_written_keeps_its_profiles(monkeypatch, tmp_path):
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect" / "profiles.toml").write_text('active = "work"\n')
    monkeypatch.setattr(surroundings, "_can_write", lambda _folder: False)
    settle_places(DEFAULTS)
    assert os.environ["PREFECT_HOME"] != str(tmp_path / ".prefect")
    assert os.environ["PREFECT_PROFILES_PATH"] == str(tmp_path / ".prefect" / "profiles.toml")


def test_a_working_folder_that_was_deleted_is_left(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    settle_places(replace(DEFAULTS, store="/srv/store"))
    assert Path.cwd().is_dir()


def test_a_relative_store_in_a_deleted_folder_is_refused(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    with pytest.raises(ValueError, match="The working folder must exist"):
        prepare_process(replace(DEFAULTS, store="output"))


def test_files_of_a_run_stay_readable_for_their_owner(tmp_path):
    os.umask(0o777)
    prepare_process(DEFAULTS)
    (tmp_path / "file").write_text("x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
