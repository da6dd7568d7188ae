"""Prepare the process of a run for users, homes and folders that nobody prepared, before Prefect is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from flows.parameters import NightlyParameters
from storage.location import resolve_location
from storage.proxies import hide_unusable_certificates, keep_loopback_direct
from storage.store_address import choose_store
from tasks.processes.child_process import PROJECT_ROOT

# What the temporary server's database, logs and downloads need.
SCRATCH_BYTES = 64 << 20
# Files of the working folder that Prefect reads its settings from.
SETTINGS_FILES = (".env", "prefect.toml", "pyproject.toml")


def prepare_process(parameters: NightlyParameters) -> None:
    """Prepare this process for the check of the parameters, which opens the store.

    Raises:
        ValueError: No temporary folder can be used, or a relative path is given and the working folder is gone.
    """
    # Read once, when Prefect is imported.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    keep_loopback_direct()
    hide_unusable_certificates()
    # Files that this process makes must be readable by itself.
    os.umask(os.umask(0o077) & 0o077)
    try:
        _make_paths_absolute(parameters)
    except FileNotFoundError as error:
        raise ValueError(
            "The working folder must exist for a relative `store` or `source`. It was deleted; change to another one."
        ) from error
    except (ValueError, RuntimeError):
        # `check_parameters` reports all errors together.
        return
    choose_temporary_folder(choose_store(parameters.store))


def settle_places(parameters: NightlyParameters) -> NightlyParameters:
    """Return checked parameters with absolute paths; leave a folder and replace homes that Prefect could not use."""
    parameters = _make_paths_absolute(parameters)
    _leave_unreadable_folder()
    _provide_homes()
    return parameters


def _make_paths_absolute(parameters: NightlyParameters) -> NightlyParameters:
    store, source = choose_store(parameters.store), parameters.source.strip()
    location = resolve_location(store)
    if location.is_local:
        store = location.address
    if source and source not in ("auto", "imdb", "sample") and ":" not in source:
        source = str(Path(source).expanduser().absolute())
    return replace(parameters, store=store, source=source)


def choose_temporary_folder(store: str) -> str:
    """Choose a folder for temporary files that exists, can be written and has room, for this process and its children.

    Args:
        store: The store's address. If it is a folder, it is the last choice.

    Raises:
        ValueError: There is none.
    """
    for folder in _list_temporary_folders(store):
        if _has_room(Path(folder)):
            tempfile.tempdir = os.environ["TMPDIR"] = folder
            return folder
    raise ValueError(
        f"TMPDIR must be a folder that can be written and has {SCRATCH_BYTES >> 20} MB free. "
        f"Received: {os.environ.get('TMPDIR', 'none')}; /tmp and /var/tmp cannot be used either."
    )


def _list_temporary_folders(store: str) -> Iterator[str]:
    yield from (os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name))
    yield from ("/tmp", "/var/tmp")  # noqa: S108 - files in them are made by tempfile
    with suppress(ValueError, OSError):
        location = resolve_location(store)
        if location.is_local:
            yield location.root


def _has_room(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
        return folder.is_absolute() and shutil.disk_usage(folder).free >= SCRATCH_BYTES
    except OSError:
        return False


def _leave_unreadable_folder() -> None:
    """Leave a working folder whose files cannot be read, because Prefect looks there for its settings and fails."""
    try:
        here = Path.cwd()
        is_readable = os.access(here, os.R_OK | os.X_OK) and all(
            os.access(here / name, os.R_OK) for name in SETTINGS_FILES if (here / name).exists()
        )
    except OSError:
        is_readable = False
    if not is_readable:
        os.chdir(PROJECT_ROOT if os.access(PROJECT_ROOT, os.R_OK | os.X_OK) else "/")


def _provide_homes() -> None:
    """Give this process temporary homes in place of homes that do not exist or cannot be written."""
    home = os.environ.get("HOME", "")
    if not home or not Path(home).is_dir():
        os.environ["HOME"] = home = _make_temporary_home()
    prefect = Path(os.environ.get("PREFECT_HOME") or Path(home) / ".prefect").expanduser()
    if not _can_write(prefect):
        profiles = prefect / "profiles.toml"
        if os.access(profiles, os.R_OK):
            os.environ.setdefault("PREFECT_PROFILES_PATH", str(profiles))
        os.environ["PREFECT_HOME"] = _make_temporary_home()


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _make_temporary_home() -> str:
    folder = tempfile.mkdtemp(prefix="retrain-home-")
    _homes.append(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_homes: list[str] = []


def temporary_homes() -> list[str]:
    """Return the folders that this process removes when it ends."""
    return list(_homes)
