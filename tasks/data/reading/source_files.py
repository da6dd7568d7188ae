"""List the files of a source of reviews: a file, a folder, an http(s) address, or an object-store URI."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pyarrow import fs

from storage.location import holds_secret, resolve_location
from storage.text import on_one_line
from tasks.data.reading.readings import SourceFile
from tasks.data.reading.source_addresses import LOCAL, find_local_path, find_scheme, is_address
from tasks.sources import NO_SECRETS, WEB, check_address, hash_path

MAXIMUM_FILES = 100_000
MAXIMUM_DOWNLOAD_BYTES = 16 << 30
LABEL_FOLDERS = {"pos": "pos", "neg": "neg", "positive": "pos", "negative": "neg"}
SPLIT_FOLDERS = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "dev": "validation",
}
# What lies beside the data without being data.
IGNORED = ("_SUCCESS", "README", "README.md", "README.txt", "LICENSE", "Thumbs.db", "desktop.ini", "manifest.json")
PARTIAL_SUFFIXES = (".part", ".crdownload", ".partial", ".tmp", ".swp")
CHUNK_BYTES = 1 << 20
# What is fetched from an object store is called so, until it is needed.
LAZY = "\0"


def check_source(source: str, sha256: str | None, option: str = "reviews") -> None:
    """Check a source of reviews without reading it.

    Args:
        source: As the user gave it.
        sha256: Of an http(s) address.
        option: The parameter's name, for error messages.

    Raises:
        ValueError: It is malformed, holds a secret, lacks its SHA-256, is empty, or is of a kind that is not read.
        FileNotFoundError: It does not exist.
    """
    if holds_secret(source):
        raise ValueError(NO_SECRETS.format(option=option))
    must = f"`{option}` must be a file, a folder, an http(s) address or an object-store URI."
    if not source.strip():
        raise ValueError(f"{must} Received: {option}={source!r}, which is empty.")
    check_address(source.strip(), sha256, option, must)
    if is_address(source):
        return
    if find_scheme(source) not in LOCAL:
        try:
            resolve_location(source)
        except ValueError as error:
            raise ValueError(str(error).replace("`store`", f"`{option}`").replace("store=", f"{option}=")) from None
        return
    path = find_local_path(source)
    if not os.path.lexists(path):
        raise FileNotFoundError(f"`{option}` must be a file or folder that exists. Received: {option}={source!r}.")
    _check_kind(path, str(path))


def is_there(source: str, name: str) -> bool:
    """Return whether a file of a local source still exists; False for a source elsewhere."""
    if find_scheme(source) not in LOCAL:
        return False
    path = find_local_path(source)
    return path.is_file() if path.name == name else (path / name).exists()


def list_source_files(source: str, sha256: str | None, temporary: Path) -> tuple[SourceFile, ...]:
    """Return the files of a source, sorted by name.

    Args:
        source: A file, a folder, an http(s) address or an object-store URI.
        sha256: What an http(s) address must hash to.
        temporary: A folder for what is fetched.

    Raises:
        ValueError: There is no file of reviews, or something that is none.
        OSError: The source cannot be reached.
    """
    check_source(source, sha256)
    scheme = find_scheme(source)
    if scheme in WEB and sha256 is not None:
        # Imported late: httpx takes half a second, and most sources are files.
        from tasks.data.fetching import DEFAULT_LIMITS, fetch_to_file

        path = temporary / (PurePosixPath(urlsplit(source).path).name or "reviews")
        fetch_to_file(path, source, sha256, DEFAULT_LIMITS, MAXIMUM_DOWNLOAD_BYTES)
        return (SourceFile(path.name, str(path), path.stat().st_size, f"sha256 {sha256}"),)
    if scheme not in LOCAL:
        where, files = source.strip(), tuple(_list_objects(source, temporary))
    else:
        path = find_local_path(source)
        where, files = str(path), (_describe(path, path.name),) if path.is_file() else tuple(_list_folder(path))
    if not files:
        raise ValueError(f"{where} must hold files of reviews. It holds none.")
    return files


def list_local_files(source: str) -> tuple[SourceFile, ...]:
    """Return the files of a source on this machine, sorted by name; none if it is elsewhere, or cannot be read."""
    if find_scheme(source) not in LOCAL:
        return ()
    try:
        return list_source_files(source, None, Path())
    except (ValueError, OSError):
        return ()


def fetch(file: SourceFile) -> Path:
    """Return the path of a file on this machine; one from an object store is fetched now."""
    if LAZY not in file.path:
        return Path(file.path)
    uri, _, target = file.path.partition(LAZY)
    path = Path(target)
    if not path.exists():
        location = resolve_location(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            location.open_filesystem() as filesystem,
            filesystem.open_input_stream(location.root) as stream,
            path.open("wb") as copy,
        ):
            while chunk := stream.read(CHUNK_BYTES):
                copy.write(chunk)
    return path


def hash_file(file: SourceFile) -> str:
    """Return the SHA-256 of a file; of a folder with a file a review, of the names and hashes of its files."""
    path = fetch(file)
    if path.is_file():
        return hash_path(path)
    digest = hashlib.sha256()
    for one in list_reviews(path):
        digest.update(f"{one.name}\0{hash_path(one)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def list_reviews(folder: Path) -> list[Path]:
    """Return the files of a folder with a file a review, sorted by name."""
    return sorted(one for one in folder.iterdir() if not _is_ignored(one.name) and one.is_file())


def check_unchanged(file: SourceFile) -> None:
    """Raise a ValueError if a file is no longer as it was when it was listed."""
    if LAZY in file.path or file.fingerprint.startswith("sha256 "):
        return
    path = Path(file.path)
    try:
        now = (
            _describe_folder(path, file.name, file.label or "", file.split)
            if path.is_dir()
            else _describe(path, file.name)
        )
    except OSError:
        now = None
    if now is None or now.fingerprint != file.fingerprint:
        raise ValueError(
            f"{file.name} must not change while it is read, and it did. Perhaps it is still being written."
        )


def _check_kind(path: Path, name: str) -> None:
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{name} must be a file or a folder. It is a device, a pipe or a socket.")
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        raise ValueError(f"{name} must be readable by the user who runs this. It is not.")
    if stat.S_ISREG(mode) and path.stat().st_size == 0:
        raise ValueError(f"{name} must hold reviews. It is empty.")


def _describe(path: Path, name: str) -> SourceFile:
    _check_kind(path, name)
    if name.endswith(PARTIAL_SUFFIXES):
        raise ValueError(f"{name} must be a whole file. Its name says that it is still being written.")
    known = path.stat()
    return SourceFile(name, str(path), known.st_size, f"{known.st_size} bytes, {known.st_mtime_ns}")


def _describe_folder(path: Path, name: str, label: str, split: str | None) -> SourceFile:
    digest, size = hashlib.sha256(), 0
    for one in list_reviews(path):
        known = one.stat()
        size += known.st_size
        digest.update(f"{one.name} {known.st_size} {known.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return SourceFile(name, str(path), size, digest.hexdigest(), label, split)


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name in IGNORED


def _list_folder(root: Path) -> Iterator[SourceFile]:
    """Yield the files below a folder; a folder pos or neg with a file a review counts as one."""
    inside, count = root.resolve(), 0
    for folder, folders, names in os.walk(root, onerror=_raise):
        here = Path(folder)
        folders[:] = sorted(one for one in folders if not _is_ignored(one))
        for one in folders:
            _check_inside(here / one, inside)
            if (here / one).is_symlink():
                raise ValueError(
                    f"{_name(here / one, root)} must be a folder and not a link to one. Give the folder itself."
                )
        label = LABEL_FOLDERS.get(here.name.lower())
        if label is not None and here != root and not folders and _has_texts(here):
            yield _describe_folder(here, _name(here, root), label, SPLIT_FOLDERS.get(here.parent.name.lower()))
            continue
        for one in sorted(names):
            if _is_ignored(one):
                continue
            count += 1
            if count > MAXIMUM_FILES:
                raise ValueError(
                    f"{root} must hold at most {MAXIMUM_FILES:,} files of reviews. It holds more. A file a review is "
                    "read if it stands in folders called pos and neg."
                )
            _check_inside(here / one, inside)
            yield _describe(here / one, _name(here / one, root))


def _raise(error: OSError) -> None:
    raise ValueError(f"{error.filename} must be readable by the user who runs this. It is not.") from error


def _has_texts(folder: Path) -> bool:
    return any(one.suffix.lower() in (".txt", "") for one in list_reviews(folder))


def _name(path: Path, root: Path) -> str:
    return on_one_line(path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _check_inside(path: Path, root: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise ValueError(f"{on_one_line(str(path))} must stay inside the folder. It is a link that leads out of it.")


def _list_objects(source: str, temporary: Path) -> Iterator[SourceFile]:
    location, scheme = resolve_location(source), find_scheme(source)
    with location.open_filesystem() as filesystem:
        info = filesystem.get_file_info(location.root)
        if info.type == fs.FileType.File:
            found = [info]
        else:
            selector = fs.FileSelector(location.root, recursive=True, allow_not_found=True)
            found = [one for one in filesystem.get_file_info(selector) if one.type == fs.FileType.File]
    for number, one in enumerate(sorted(found, key=lambda info: info.path)):
        name = one.path.removeprefix(location.root).strip("/") or one.base_name
        if any(map(_is_ignored, name.split("/"))):
            continue
        if ".." in name.split("/"):
            raise ValueError(f"{on_one_line(name)} must stay inside {location.address}. It leads out of it.")
        target = temporary / str(number) / one.base_name
        fingerprint = f"{one.size} bytes, {one.mtime_ns}"
        yield SourceFile(on_one_line(name), f"{scheme}://{one.path.lstrip('/')}{LAZY}{target}", one.size, fingerprint)
