"""Publishing on file systems that cannot do everything, and the types of objects in an object store."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from pyarrow import fs

from storage import publishing
from storage.location import resolve_location
from storage.store import Store


class WithoutRename:
    """A local file system whose `move` fails with one error."""

    def __init__(self, number):
        self.number, self.real = number, fs.LocalFileSystem()

    def __getattr__(self, name):
        return getattr(self.real, name)

    def move(self, source, target):
        raise OSError(self.number, os.strerror(self.number))


def publish(number, key, content):
    with publishing._renaming(WithoutRename(number), str(key)) as write:
        write(content)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM, errno.ENOSYS, errno.EACCES, errno.EBADF])
def test_a_file_system_that_cannot_flush_is_written_to(store, monkeypatch, number):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(publishing.os, "fsync", fail)
    store.check_writable()
    file = store.write_bytes("a/b.txt", b"text")
    assert store.read_verified(file) == b"text"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_to_flush_is_an_error_and_leaves_nothing(store, monkeypatch, number):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(publishing.os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        store.write_bytes("a/b.txt", b"text")
    assert store.list_files("") == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EEXIST, errno.ENOTSUP, errno.EXDEV])
def test_a_rename_that_the_file_system_refuses_is_done_otherwise(tmp_path, number):
    key = tmp_path / "file"
    key.write_bytes(b"old")
    publish(number, key, b"new")
    assert key.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [key]


def test_where_no_rename_works_at_all_the_bytes_are_copied(tmp_path, monkeypatch):
    def fail(_path, _target):
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(Path, "rename", fail)
    publish(errno.EPERM, tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_rename_that_fails_for_want_of_space_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No space"):
        publish(errno.ENOSPC, tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("reports/index.html", "text/html; charset=utf-8"),
        ("runs/x/run.json", "application/json"),
        ("split/x/train.parquet", "application/vnd.apache.parquet"),
        ("runs/x/model.keras", "application/octet-stream"),
    ],
)
def test_an_object_has_the_type_of_its_content(object_store, name, kind):
    Store(object_store.uri).write_bytes(name, b"x")
    location = resolve_location(object_store.uri)
    metadata = location.filesystem.open_input_stream(f"{location.root}/{name}").metadata()
    assert metadata["Content-Type"].decode() == kind
