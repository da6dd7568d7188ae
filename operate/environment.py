"""Look after the folder .venv for the Makefile. Runs with any Python 3 and needs no package.

environment.py check [EXPLICIT]   remove a .venv that cannot work, and say what a new one would lack
environment.py begin              note that an installation has begun
environment.py end                note that it is complete, and where; put the project first on the path
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
# Written when an installation is complete; the second one is there while it runs.
PLACE, UNFINISHED = ENVIRONMENT / "place", ENVIRONMENT / "unfinished"
# What an environment may hold at its top.
ENTRIES = {"bin", "lib", "lib64", "include", "share", "etc", "pyvenv.cfg", "place", "unfinished", "installed"}
ENTRIES |= {"installed-dev", ".gitignore", "CACHEDIR.TAG", ".lock"}
NEEDED_BYTES = 3 << 30
ASK = "import sys, pip; print(sys.prefix); print('%d.%d' % sys.version_info[:2])"


def main() -> int:
    """Do what the first argument says; return the exit code."""
    deed, explicit = sys.argv[1], sys.argv[2:] == ["EXPLICIT"]
    if deed == "begin":
        UNFINISHED.touch()
    elif deed == "end":
        put_project_first()
        PLACE.write_text(str(ENVIRONMENT), encoding="utf-8")
        UNFINISHED.unlink()
    else:
        return check(is_explicit=explicit)
    return 0


def check(*, is_explicit: bool) -> int:
    """Remove an environment that cannot work, so that make builds a new one.

    Args:
        is_explicit: Whether somebody has asked for this Python, which the environment must then have.
    """
    fault = find_fault(is_explicit=is_explicit)
    if fault:
        if ENVIRONMENT.is_symlink() or (ENVIRONMENT.is_dir() and not {*os.listdir(ENVIRONMENT)} <= ENTRIES):
            return complain(f"{ENVIRONMENT} {fault}, and it is not only what this project has made. Delete it.")
        print(f"make: .venv {fault}; it is made again.", file=sys.stderr)
        try:
            shutil.rmtree(ENVIRONMENT)
        except OSError as error:
            return complain(f"{ENVIRONMENT} {fault} and cannot be removed: {error.strerror}. Delete it.")
    return 0 if ENVIRONMENT.exists() else check_requirements()


def find_fault(*, is_explicit: bool) -> str:
    """Return what is wrong with the environment, as the end of a sentence; "" if it works or does not exist."""
    if not ENVIRONMENT.exists() and not ENVIRONMENT.is_symlink():
        return ""
    if UNFINISHED.exists() and os.access(ENVIRONMENT, os.W_OK):
        return "is half made: its installation was interrupted"
    if not (ENVIRONMENT / "pyvenv.cfg").is_file():
        return "is half made: it has no pyvenv.cfg"
    try:
        answer = subprocess.run([PYTHON, "-I", "-c", ASK], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return "is half made: its Python or its pip does not work"
    prefix, version = answer.stdout.splitlines()[:2]
    if Path(prefix).resolve() != ENVIRONMENT.resolve():
        return f"is that of another folder, {prefix}"
    if PLACE.exists() and PLACE.read_text(encoding="utf-8") != str(ENVIRONMENT):
        return f"was made in another folder, {PLACE.read_text(encoding='utf-8')}"
    if not has_own_scripts():
        return "was made in another folder"
    if not is_folder_of(version):
        return "was made by another Python"
    if is_explicit and version != "{}.{}".format(*sys.version_info[:2]):
        return f"has Python {version} instead of {sys.version_info[0]}.{sys.version_info[1]}"
    return ""


def has_own_scripts() -> bool:
    """Return whether the environment's commands start its own Python."""
    script = ENVIRONMENT / "bin" / "retrain"
    return not script.exists() or os.fsencode(ENVIRONMENT) in script.read_bytes()[:1000]


def is_folder_of(version: str) -> bool:
    """Return whether the environment's packages are those of its Python."""
    return (ENVIRONMENT / "lib" / f"python{version}").is_dir()


def check_requirements() -> int:
    """Say what a new environment would lack, before minutes of work."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        found = "{}.{}".format(*sys.version_info[:2])
        return complain(f"PYTHON must be Python 3.11, 3.12 or 3.13. Received: {sys.executable}, which is {found}.")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return complain("Python's venv is missing. On Debian and Ubuntu: apt install python3-venv")
    if not os.access(PROJECT, os.W_OK):
        return complain(f"{PROJECT} cannot be written, and the project is not installed there. Ask its owner.")
    free = shutil.disk_usage(PROJECT).free
    if free < NEEDED_BYTES:
        return complain(f"{PROJECT} must have {NEEDED_BYTES >> 30} GB free for .venv. It has {free / 2**30:.1f} GB.")
    return 0


def put_project_first() -> None:
    """Let this environment's Python find the project's folders before all others of the same name.

    An editable installation alone comes behind PYTHONPATH. The line is ASCII, so that every locale can read it.
    """
    (packages,) = (ENVIRONMENT / "lib").glob("python*/site-packages")
    line = f"import sys; sys.path.insert(0, {str(PROJECT)!a})\n"
    (packages / "nightly_retraining_first.pth").write_text(line, encoding="ascii")


def complain(sentence: str) -> int:
    """Print one line to standard error; return the exit code for it."""
    print(f"make: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
