"""The Makefile's look at .venv: what cannot work is removed, and what is not the project's stays."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import PROJECT_ROOT

SCRIPT = "operate/environment.py"


@pytest.fixture
def checkout(tmp_path):
    """A folder with the script and an environment of this Python, whose place has a space and Hangul."""
    folder = tmp_path / "a 폴더"
    (folder / "operate").mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / SCRIPT, folder / SCRIPT)
    return folder


@pytest.fixture
def installed(checkout):
    """The same with an environment that is complete."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=checkout, check=True)
    packages = next((checkout / ".venv" / "lib").glob("python*/site-packages"))
    (packages / "pip.py").write_text("")
    call(checkout, "begin")
    call(checkout, "end")
    return checkout


def call(folder, *words):
    return subprocess.run(
        [sys.executable, SCRIPT, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def check(folder):
    done = call(folder, "check")
    return done.returncode, done.stderr, (folder / ".venv").exists()


def test_a_complete_environment_is_left_alone(installed):
    assert check(installed) == (0, "", True)


def test_the_project_comes_first_on_the_path_of_its_environment(installed, tmp_path):
    (tmp_path / "tasks.py").write_text("")
    python = installed / ".venv" / "bin" / "python"
    command = [python, "-c", "import sys; print(sys.path[1])"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, check=True)
    assert done.stdout.decode().strip() == str(installed)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / ".venv" / "unfinished").touch(), "its installation was interrupted"),
        (lambda folder: (folder / ".venv" / "pyvenv.cfg").unlink(), "it has no pyvenv.cfg"),
        (lambda folder: (folder / ".venv" / "bin" / "python").unlink(), "its Python or its pip does not work"),
        (lambda folder: (folder / ".venv" / "place").write_text("/srv/old"), "was made in another folder, /srv/old"),
        (
            lambda folder: (folder / ".venv" / "bin" / "retrain").write_text("#!/srv/old/.venv/bin/python\n"),
            "was made in another folder",
        ),
    ],
)
def test_an_environment_that_cannot_work_is_removed_and_the_reason_said(installed, damage, said):
    damage(installed)
    code, printed, is_there = check(installed)
    assert (code, is_there) == (0, False)
    assert said in printed
    assert printed.endswith("it is made again.\n")
    assert len(printed.splitlines()) == 1


def test_an_environment_that_was_copied_with_its_checkout_is_removed(installed, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(installed, copied, symlinks=True)
    code, printed, is_there = check(copied)
    assert (code, is_there) == (0, False)
    assert "another folder" in printed
    assert check(installed) == (0, "", True)


def test_a_folder_that_the_project_has_not_made_is_never_removed(checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "letters").write_text("dear")
    code, printed, is_there = check(checkout)
    assert (code, is_there) == (2, True)
    assert printed.endswith("and it is not only what this project has made. Delete it.\n")


def test_what_a_link_leads_to_is_never_removed(checkout, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (checkout / ".venv").symlink_to(tmp_path / "elsewhere")
    code, _, is_there = check(checkout)
    assert (code, is_there) == (2, True)
    assert (tmp_path / "elsewhere").is_dir()


def test_without_an_environment_there_is_nothing_to_say(checkout):
    assert check(checkout) == (0, "", False)


def test_the_makefile_looks_at_the_environment_first():
    assert f"{SCRIPT} check" in (Path(PROJECT_ROOT) / "Makefile").read_text()
