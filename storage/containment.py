"""What keeps a store's names inside the store, whoever wrote the manifest that they stand in."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from storage.damage import DamagedFileError
from storage.text import on_one_line

# Of Linux, in bytes: of one name, and of a path with room for the root's own.
LONGEST_NAME, LONGEST_PATH = 255, 2048
_DRIVE = re.compile(r"[A-Za-z]:")


def join(root: str, path: str) -> str:
    """Return the full path of a stored file.

    Raises:
        DamagedFileError: It would be outside of the root, or no file can have that name.
    """
    names = path.split("/")
    too_long = len(path) > LONGEST_PATH or any(
        len(os.fsencode(name)) > LONGEST_NAME for name in names if name.isprintable()
    )
    if (
        path.startswith("/")
        or not {".", ".."}.isdisjoint(names)
        or "\\" in path
        or _DRIVE.match(path)
        or not path.isprintable()
        or too_long
    ):
        raise DamagedFileError(f"A stored file's path must stay inside the store. Received: {on_one_line(repr(path))}.")
    return posixpath.join(root, path) if path else root


def check_inside(root: str, key: str) -> None:
    """Check that a file, wherever its links lead, is in the folder; the folder itself may be a link.

    Raises:
        DamagedFileError: It is not, or it is there and is neither a file nor a folder: to read a pipe never ends.
    """
    real, real_root = os.path.realpath(key), os.path.realpath(root)
    if os.path.commonpath([real, real_root]) != real_root:
        raise DamagedFileError(
            f"A stored file's path must stay inside the store. Received: {key}, which leads to {real}."
        )
    try:
        mode = Path(real).stat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise DamagedFileError(f"{key} must be a file. It is a device, a pipe or a socket.")


def walk(folder: str) -> Iterator[str]:
    """Yield the full path of each file below a folder; links to folders are not followed, which might go in circles."""
    for here, _, names in os.walk(folder):
        yield from (posixpath.join(here, name) for name in names)
