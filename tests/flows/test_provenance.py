"""Which code runs, and on what: found out if possible, and never a reason to fail."""

from __future__ import annotations

import os
import subprocess
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from flows import provenance
from storage.records import CodeVersion

SAFE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of its own in place of the project's, with one commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "file").write_text("text")
    for words in ("init -q", "add file", "-c user.name=a -c user.email=a@example.org commit -qm first"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True, env=os.environ | SAFE)
    monkeypatch.setattr(provenance, "PROJECT_ROOT", folder)
    monkeypatch.setattr(
        provenance,
        "GIT_OPTIONS",
        ("--no-optional-locks", "-c", f"safe.directory={folder}", "-c", "core.fsmonitor=false"),
    )
    return folder


@pytest.fixture
def replace_git(tmp_path, monkeypatch):
    """Put a script in the place of git."""

    def replace(script):
        (tmp_path / "bin").mkdir()
        git = tmp_path / "bin" / "git"
        git.write_text(f"#!/bin/sh\n{script}\n")
        git.chmod(0o755)
        monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")

    return replace


def test_the_commit_and_a_clean_tree_are_found(repository):
    found = provenance.read_code_version()
    assert len(found.commit) == 40
    assert not found.is_dirty


def test_a_file_whose_name_is_not_utf_8_makes_the_tree_dirty_and_no_error(repository):
    (Path(os.fsdecode(os.fsencode(repository) + b"/\xe5\xe4.txt"))).write_text("x")
    assert provenance.read_code_version().is_dirty


@pytest.mark.parametrize(
    "script", ["exit 128", "printf '\\345\\344'; exit 1", "echo fatal: dubious ownership >&2; exit 128"]
)
def test_a_git_that_fails_leaves_the_commit_unknown(repository, replace_git, script):
    replace_git(script)
    assert provenance.read_code_version() == CodeVersion()


def test_a_git_that_answers_with_other_bytes_than_utf_8_is_read(repository, replace_git):
    replace_git("printf '\\345\\344'")
    assert provenance.read_code_version().is_dirty


def test_a_git_that_never_answers_is_not_waited_for(repository, replace_git, monkeypatch):
    replace_git("exec sleep 60")
    monkeypatch.setattr(provenance, "GIT_SECONDS", 0.3)
    began = time.monotonic()
    assert provenance.read_code_version() == CodeVersion()
    assert time.monotonic() - began < 30


def test_a_machine_without_git_leaves_the_commit_unknown(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.read_code_version() == CodeVersion()


def test_variables_that_name_another_repository_are_ignored(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert len(provenance.read_code_version().commit) == 40


def test_a_folder_inside_another_repository_has_no_commit(repository, monkeypatch):
    inner = repository / "inner"
    inner.mkdir()
    monkeypatch.setattr(provenance, "PROJECT_ROOT", inner)
    assert provenance.read_code_version() == CodeVersion()


@pytest.mark.parametrize("content", [b"model name\t: \xe5 chip\n", b"", b"\xff\xfe"])
def test_processor_facts_with_any_bytes_are_read(tmp_path, monkeypatch, content):
    (tmp_path / "cpuinfo").write_bytes(content)
    monkeypatch.setattr(provenance, "CPU_FACTS", tmp_path / "cpuinfo")
    assert provenance.describe_cpu().endswith(" CPUs")


@pytest.mark.parametrize("answer", [PackageNotFoundError("keras"), None])
def test_a_version_that_is_not_found_is_unknown(monkeypatch, answer):
    def version(_library):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(provenance, "version", version)
    assert provenance.list_versions([])["keras"] == "unknown"
