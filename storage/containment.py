"""Refuse paths that lead out of the store, because anyone may have written the manifest that names them."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from storage.damage import DamagedFileError
from storage.text import on_one_line

# Linux's limit of a name, and half of its limit of a path, which leaves room for the store's own path. In bytes.
LONGEST_NAME, LONGEST_PATH = 255, 2048
_DRIVE = re.compile(r"[A-Za-z]:")


def join(root: str, path: str) -> str:
    """Return the full path of a stored file.

    Args:
        root: The store's path.
        path: The file's path in the store, with forward slashes; "" for the store itself.

    Raises:
        DamagedFileError: The path is outside the root, is too long, or holds characters that a path must not have.
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
    """Check that a path is inside a local folder, after all links are followed. The folder itself may be a link.

    Args:
        root: The folder.
        key: The full path of a file or a folder, which may not exist.

    Raises:
        DamagedFileError: The path is outside the folder, or is a device, a pipe or a socket. Reading one may never end.
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
    """Yield the full path of each file below a folder. It follows no links to folders, which may be circular."""
    for here, _, names in os.walk(folder):
        yield from (posixpath.join(here, name) for name in names)
