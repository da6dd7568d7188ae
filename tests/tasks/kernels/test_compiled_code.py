"""Where compiled code is kept, also for users who cannot write the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.kernels import compiled_code
from tasks.kernels.compiled_code import choose_cache_folder, is_compiled


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder with a source file and its compiled code, and a home."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "cells.py").write_text("x = 1\n")
    compiled = Path(choose_cache_folder(folder))
    (compiled / "cells").mkdir(parents=True)
    (compiled / "cells" / "multiply.nbc").write_bytes(b"code")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def locked(monkeypatch, sources):
    """The same, of another user: nothing below it can be written. Root could write it all the same."""
    real = compiled_code._is_writable
    monkeypatch.setattr(compiled_code, "_is_writable", lambda one: sources not in one.parents and real(one))
    return sources


def test_code_is_kept_beside_the_sources_under_their_hash(sources):
    folder = Path(choose_cache_folder(sources))
    assert folder.parent == sources / "__pycache__"
    assert is_compiled(sources)
    (sources / "cells.py").write_text("x = 2\n")
    assert choose_cache_folder(sources) != str(folder)
    assert not is_compiled(sources)


def test_a_folder_that_the_user_names_is_used(sources, tmp_path):
    assert Path(choose_cache_folder(sources, str(tmp_path / "named"))).parent == tmp_path / "named"


def test_another_user_gets_a_copy_in_the_home(locked, tmp_path):
    folder = Path(choose_cache_folder(locked))
    assert folder.parent == tmp_path / "home" / ".cache" / "nightly-retraining"
    assert (folder / "cells" / "multiply.nbc").read_bytes() == b"code"
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_another_user_without_a_home_gets_a_copy_in_a_temporary_folder(locked, monkeypatch):
    def fail():
        raise RuntimeError("no home")

    monkeypatch.setattr(compiled_code.Path, "home", fail)
    folder = Path(choose_cache_folder(locked))
    assert (folder / "cells" / "multiply.nbc").read_bytes() == b"code"
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert folder.stat().st_uid == os.getuid()
