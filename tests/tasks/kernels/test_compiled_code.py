"""Where compiled code is kept, whether it is sound, and what users do who cannot write the checkout."""

from __future__ import annotations

import os
import threading

import pytest

from tasks.kernels import compiled_code
from tasks.kernels.compiled_code import CompiledCode, is_compiled, is_sound


def compile_into(code):
    """Write what Numba would write."""
    (code.folder / "cells").mkdir()
    (code.folder / "cells" / "multiply.nbi").write_bytes(b"index")
    (code.folder / "cells" / "multiply.nbc").write_bytes(b"code")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder with a source file and its compiled code, and a home."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "cells.py").write_text("x = 1\n")
    code = CompiledCode(folder)
    compile_into(code)
    code.seal()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def locked(monkeypatch, sources):
    """The same, of another user: nothing below it can be written. Root could write it all the same."""
    real = compiled_code._is_writable
    monkeypatch.setattr(compiled_code, "_is_writable", lambda one: sources not in one.parents and real(one))
    return sources


def test_code_is_kept_beside_the_sources_under_their_hash(sources):
    folder = CompiledCode(sources).folder
    assert folder.parent == sources / "__pycache__"
    assert is_compiled(sources)
    (sources / "cells.py").write_text("x = 2\n")
    assert CompiledCode(sources).folder != folder
    assert not is_compiled(sources)


def test_another_cpu_has_a_folder_of_its_own(sources, monkeypatch):
    folder = CompiledCode(sources).folder
    monkeypatch.setattr(compiled_code.llvm, "get_host_cpu_name", lambda: "another")
    assert CompiledCode(sources).folder != folder


def test_a_folder_that_the_user_names_is_used(sources, tmp_path):
    assert CompiledCode(sources, str(tmp_path / "named")).folder.parent == tmp_path / "named"


@pytest.mark.parametrize("damaged", ["cells/multiply.nbi", "cells/multiply.nbc", "sealed.json"])
@pytest.mark.parametrize("content", [b"", b"other"])
def test_damaged_code_is_thrown_away_and_compiled_again(sources, damaged, content):
    code = CompiledCode(sources)
    (code.folder / damaged).write_bytes(content)
    again = CompiledCode(sources)
    assert again.folder == code.folder
    assert [path.name for path in again.folder.iterdir()] == ["lock"]
    compile_into(again)
    again.seal()
    assert is_sound(again.folder)


def test_code_whose_compilation_was_killed_is_thrown_away(sources):
    (sources / "cells.py").write_text("x = 2\n")
    code = CompiledCode(sources)
    compile_into(code)
    # The end of a process frees its lock.
    os.close(code._lock)
    assert list(CompiledCode(sources).folder.rglob("*.nbc")) == []


def test_a_second_process_waits_while_the_first_one_compiles(sources):
    (sources / "cells.py").write_text("x = 2\n")
    first, later = CompiledCode(sources), []
    second = threading.Thread(target=lambda: later.append(CompiledCode(sources)))
    second.start()
    second.join(0.3)
    assert later == []
    compile_into(first)
    first.seal()
    second.join(20)
    assert (later[0].folder / "cells" / "multiply.nbc").read_bytes() == b"code"


def test_a_process_that_waits_too_long_compiles_to_a_folder_of_its_own(sources, monkeypatch):
    (sources / "cells.py").write_text("x = 2\n")
    monkeypatch.setattr(compiled_code, "COMPILE_SECONDS", 0.2)
    first, second = CompiledCode(sources), CompiledCode(sources)
    assert first.folder.parent == sources / "__pycache__"
    assert second.folder.parent != first.folder.parent
    second.seal()
    assert not is_sound(second.folder)


def test_another_user_gets_a_copy_in_the_home(locked, tmp_path):
    folder = CompiledCode(locked).folder
    assert folder.parent == tmp_path / "home" / ".cache" / "nightly-retraining"
    assert (folder / "cells" / "multiply.nbc").read_bytes() == b"code"
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_another_user_without_a_home_gets_a_copy_in_a_temporary_folder(locked, monkeypatch):
    def fail():
        raise RuntimeError("no home")

    monkeypatch.setattr(compiled_code.Path, "home", fail)
    folder = CompiledCode(locked).folder
    assert (folder / "cells" / "multiply.nbc").read_bytes() == b"code"
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert folder.stat().st_uid == os.getuid()
