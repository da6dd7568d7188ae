"""Where Numba keeps compiled code, and whether that code is still as it was compiled."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import llvmlite.binding as llvm

# Lists the SHA-256 of each file. It is written when all functions are compiled.
SEAL, LOCK = "sealed.json", "lock"
# Compiling takes ten seconds.
COMPILE_SECONDS = 120.0


class CompiledCode:
    """The folder of this process for compiled code.

    For its own cache, Numba compares the file of a function, but not the files of the functions that it calls. After a
    change in one of these, it would use old code. It also fails if a file of the cache is damaged, or if it cannot
    write to the folder. Therefore the folder's name holds the hash of all sources, code is only used under a seal that
    fits, and only one process at a time compiles.

    Attributes:
        folder: Where this process keeps compiled code.
    """

    def __init__(self, sources: Path, given: str = "") -> None:
        """Choose the folder. If it has no sound code, wait until no other process compiles, and empty it.

        If another user has set the project up, the code that was compiled then is copied to this user's home, or to a
        temporary folder. Nobody else can have written to these, so that no foreign code is run.

        Args:
            sources: The folder of the source files.
            given: The folder that the user prefers; "" for none.
        """
        self._lock: int | None = None
        self.folder = next(folder for folder in _list_folders(sources, given) if _is_writable(folder))
        if is_sound(self.folder):
            return
        self._lock = _wait_for_lock(self.folder)
        if self._lock is None:
            self.folder = Path(tempfile.mkdtemp(prefix="retrain-kernels-"))
        elif not is_sound(self.folder):
            _empty(self.folder)

    def seal(self) -> None:
        """Write down what was compiled, if it was this process that did it."""
        if self._lock is None:
            return
        content = json.dumps(_hash_files(self.folder), indent=1)
        with suppress(OSError), tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).rename(self.folder / SEAL)
        os.close(self._lock)
        self._lock = None


def is_compiled(sources: Path) -> bool:
    """Return whether the set-up has compiled these sources for this CPU, and the code is sound."""
    return is_sound(_folder_of(sources))


def is_sound(folder: Path) -> bool:
    """Return whether a folder has a seal that fits its files."""
    try:
        sealed = json.loads((folder / SEAL).read_text())
        return bool(sealed == _hash_files(folder))
    except (OSError, ValueError):
        return False


def _hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each index (.nbi) and each compiled function (.nbc), by their paths in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.nb?"))
    }


def _folder_of(sources: Path) -> Path:
    """Return the folder for these sources and this CPU: a file system may be shared by machines with different ones."""
    known = [source.read_bytes() for source in sorted(sources.glob("*.py"))]
    known.append(f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}".encode())
    return sources / "__pycache__" / f"kernels-{hashlib.sha256(b''.join(known)).hexdigest()[:16]}"


def _list_folders(sources: Path, given: str) -> Iterator[Path]:
    """Yield the folders that come into question, the best one first; the last one can always be written."""
    compiled = _folder_of(sources)
    if given:
        yield Path(given) / compiled.name
    yield compiled
    with suppress(RuntimeError, OSError):
        own = Path.home() / ".cache" / "nightly-retraining"
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own.stat().st_uid == os.getuid():
            _copy_sound(compiled, own / compiled.name)
            yield own / compiled.name
    temporary = Path(tempfile.mkdtemp(prefix="retrain-kernels-")) / compiled.name
    _copy_sound(compiled, temporary)
    yield temporary


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, which is made if it does not exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _copy_sound(compiled: Path, target: Path) -> None:
    """Copy compiled code to a folder, unless that is there."""
    if not target.exists() and is_sound(compiled):
        with suppress(OSError, shutil.Error):
            partial = Path(tempfile.mkdtemp(dir=target.parent))
            shutil.copytree(compiled, partial / "copy")
            (partial / "copy").rename(target)
            partial.rmdir()


def _wait_for_lock(folder: Path) -> int | None:
    """Wait until no other process compiles to a folder, at most two minutes.

    Returns:
        The lock's descriptor, which the end of this process frees; None if there is no lock to be had.
    """
    with suppress(OSError):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + COMPILE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    return None
                time.sleep(0.1)
            else:
                return descriptor
    return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)
