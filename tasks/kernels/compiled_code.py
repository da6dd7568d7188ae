"""Where Numba keeps compiled code."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def choose_cache_folder(sources: Path, given: str = "") -> str:
    """Return a folder for compiled code, whose name holds the hash of the source files.

    For its own cache, Numba compares the file of a function, but not the files of the functions that it calls. After a
    change in one of these, it would use old code. And Numba fails if it cannot write to the folder. So if another user
    has set the project up, the code that was compiled then is copied to a folder of this user: to the home, or to a
    temporary folder. Nobody else can have written to these, so that no foreign code is run.

    Args:
        sources: The folder of the source files.
        given: The folder that the user prefers; "" for none.
    """
    compiled = _folder_of(sources)
    name = compiled.name
    for parent in filter(None, (Path(given) if given else None, compiled.parent)):
        if _is_writable(parent / name):
            return str(parent / name)
    with suppress(RuntimeError, OSError):
        own = Path.home() / ".cache" / "nightly-retraining"
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own.stat().st_uid == os.getuid() and _copy_once(compiled, own / name):
            return str(own / name)
    temporary = Path(tempfile.mkdtemp(prefix="retrain-kernels-")) / name
    _copy_once(compiled, temporary)
    return str(temporary)


def is_compiled(sources: Path) -> bool:
    """Return whether the set-up has compiled these sources. The code may be of another CPU."""
    return any(_folder_of(sources).rglob("*.nbc"))


def _folder_of(sources: Path) -> Path:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sorted(sources.glob("*.py")))).hexdigest()[:16]
    return sources / "__pycache__" / f"kernels-{digest}"


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, which is made if it does not exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _copy_once(compiled: Path, target: Path) -> bool:
    """Copy compiled code to a folder, unless it is there; return whether the folder can be written."""
    if not target.exists():
        with suppress(OSError, shutil.Error):
            partial = Path(tempfile.mkdtemp(dir=target.parent))
            shutil.copytree(compiled, partial / "copy")
            (partial / "copy").rename(target)
            partial.rmdir()
    return _is_writable(target)
