"""No path leads out of the store: not with dots, not from the root, and not through a link."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from flows.cli.command import main
from storage.containment import join
from storage.datasets import find_dataset
from storage.records import StoredFile
from storage.runs import verify_store
from storage.store import DamagedFileError, Store
from tests.stores import RUN_ID, publish_example_run

HELLO_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
HELLO = StoredFile("raw/hello.txt", HELLO_SHA256, 5)

ACTIONS = {
    "read": lambda store, path: store.read_bytes(path),
    "read verified": lambda store, path: store.read_verified(StoredFile(path, HELLO_SHA256, 5)),
    "verify": lambda store, path: store.verify(StoredFile(path, HELLO_SHA256, 5)),
    "read a manifest": lambda store, path: store.read_manifest(path),
    "look": lambda store, path: store.exists(path),
    "list": lambda store, path: store.list_files(path),
    "write": lambda store, path: store.write_bytes(path, b"evil"),
    "write in pieces": lambda store, path: store.write_chunks(path, [b"hello"], HELLO_SHA256),
    "delete": lambda store, path: store.delete(path),
    "put aside": lambda store, path: store.quarantine(path),
}


@pytest.fixture
def outside(tmp_path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "hello.txt").write_bytes(b"hello")
    return folder


@pytest.fixture(params=ACTIONS)
def act(request):
    return ACTIONS[request.param]


@pytest.mark.parametrize(
    "path",
    [
        "../outside/hello.txt",
        "raw/../../outside/hello.txt",
        "/etc/passwd",
        "..",
        ".",
        "raw/./hello.txt",
        "..\\outside\\hello.txt",
        "C:\\Windows\\win.ini",
        "C:/Windows/win.ini",
        "\\\\server\\share",
        "raw/hello.txt\x00.json",
        "raw/\x1b[31mhello.txt",
        "raw/hello\n.txt",
        "raw/\ud800",
        "raw/" + "x" * 256,
        "x/" * 1500 + "x",
    ],
)
def test_a_name_that_leads_out_or_that_no_file_can_have_is_refused(store, outside, act, path):
    with pytest.raises(
        DamagedFileError, match=r"^A stored file's path must stay inside the store\. Received: '"
    ) as caught:
        act(store, path)
    assert "\n" not in str(caught.value)
    assert (outside / "hello.txt").read_bytes() == b"hello"
    assert not Path(store.uri).exists()


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127 + "a", ("a" * 203 + "/") * 10 + "a" * 8])
def test_a_name_of_255_bytes_and_a_path_of_2048_characters_are_allowed_and_no_longer_ones(name):
    assert join("store", name) == f"store/{name}"
    for longer in (name + "a", name + "é"):
        with pytest.raises(DamagedFileError, match="must stay inside the store"):
            join("store", longer)


def test_the_root_itself_is_inside():
    assert join("store", "") == "store"


def test_a_file_that_is_a_link_to_outside_is_refused(store, outside, act):
    (Path(store.uri) / "raw").mkdir(parents=True)
    link = Path(store.uri) / "raw" / "hello.txt"
    link.symlink_to(outside / "hello.txt")
    with pytest.raises(DamagedFileError, match=f"which leads to {outside}/hello.txt"):
        act(store, "raw/hello.txt")
    assert (outside / "hello.txt").read_bytes() == b"hello"
    assert link.is_symlink()


def test_a_file_in_a_folder_that_is_a_link_to_outside_is_refused(store, outside, act):
    Path(store.uri).mkdir()
    (Path(store.uri) / "raw").symlink_to(outside)
    for path in ("raw/hello.txt", "raw/new.txt", "raw/new/new.txt"):
        with pytest.raises(DamagedFileError, match=f"which leads to {outside}/"):
            act(store, path)
    assert [path.name for path in outside.iterdir()] == ["hello.txt"]
    assert (outside / "hello.txt").read_bytes() == b"hello"


def test_a_store_whose_own_folder_is_a_link_is_used(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = Store(str(tmp_path / "link"))
    file = store.write_bytes("raw/hello.txt", b"hello")
    assert store.read_verified(file) == b"hello"
    assert store.list_files("") == ["raw/hello.txt"]
    store.quarantine("raw/hello.txt")
    store.delete("quarantine")
    assert store.list_files("") == []


def test_a_link_inside_the_store_is_followed(store):
    store.write_bytes("raw/hello.txt", b"hello")
    (Path(store.uri) / "link").symlink_to("raw")
    assert store.read_bytes("link/hello.txt") == b"hello"


def test_a_folder_whose_name_only_begins_like_the_store_s_is_outside(store, tmp_path):
    store.write_bytes("raw/hello.txt", b"hello")
    (tmp_path / "store-2").mkdir()
    (tmp_path / "store-2" / "hello.txt").write_bytes(b"hello")
    (Path(store.uri) / "link").symlink_to(tmp_path / "store-2")
    with pytest.raises(DamagedFileError, match="must stay inside the store"):
        store.read_bytes("link/hello.txt")


def test_links_that_go_in_circles_are_not_followed_when_files_are_listed(store):
    store.write_bytes("raw/hello.txt", b"hello")
    (Path(store.uri) / "raw" / "circle").symlink_to(Path(store.uri))
    (Path(store.uri) / "loop").symlink_to("loop")
    assert store.list_files("raw") == ["raw/hello.txt"]
    with pytest.raises((DamagedFileError, OSError)):
        store.read_bytes("loop/hello.txt")


def test_what_a_link_in_a_deleted_folder_leads_to_stays(store, outside):
    store.write_bytes("runs/1/a.txt", b"a")
    (Path(store.uri) / "runs" / "1" / "link").symlink_to(outside)
    store.delete("runs/1")
    assert (outside / "hello.txt").read_bytes() == b"hello"
    assert store.list_files("") == []


def test_a_pipe_is_not_waited_for(store):
    (Path(store.uri) / "raw").mkdir(parents=True)
    os.mkfifo(Path(store.uri) / "raw" / "hello.txt")
    for read in (lambda: store.read_bytes("raw/hello.txt"), lambda: store.verify(HELLO)):
        with pytest.raises(
            DamagedFileError, match=r"raw/hello\.txt must be a file\. It is a device, a pipe or a socket"
        ):
            read()


@pytest.mark.parametrize("path", ["../outside/hello.txt", "/etc/passwd", "raw\\hello.txt", "link/hello.txt"])
def test_a_manifest_that_names_a_file_outside_is_put_aside_and_the_file_is_not_touched(store, outside, path):
    Path(store.uri).mkdir()
    (Path(store.uri) / "link").symlink_to(outside)
    inputs = {"version": 1, "maxlen": 100}
    content = {
        "step": "pad",
        "key": "84d628a8f59f3e5a",
        "inputs": inputs,
        "files": {"train": asdict(StoredFile(path, HELLO_SHA256, 5))},
        "source": "imdb.npz",
    }
    store.write_manifest("datasets/pad-84d628a8f59f3e5a/manifest.json", content)
    try:
        found, damage = find_dataset(store, "pad", inputs)
    except DamagedFileError as error:
        found, damage = None, [str(error)]
    assert found is None
    assert "must stay inside the store" in damage[0]
    assert (outside / "hello.txt").read_bytes() == b"hello"
    assert verify_store(store).damaged or store.list_files("quarantine")


def test_verify_names_a_link_to_outside_and_goes_on(store, outside, capsys):
    publish_example_run(store)
    report = Path(store.locate(f"reports/{RUN_ID}.html"))
    report.unlink()
    report.symlink_to(outside / "hello.txt")
    (Path(store.uri) / "reports" / "index.html").symlink_to(outside / "hello.txt")
    assert main(["verify", "--store", store.uri]) == 2
    out, err = capsys.readouterr()
    assert err.count(f"which leads to {outside}/hello.txt.\n") == 2
    assert out.endswith("5 files sound, 2 damaged or missing\n")


@pytest.mark.parametrize("run_id", ["../../outside/hello", "/etc/passwd", "..", ".", "x/../../y", "a\x00b", "a\nb", ""])
def test_the_id_of_a_run_cannot_lead_out(store, run_id, capsys):
    publish_example_run(store)
    assert main(["report", run_id, "--store", store.uri]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("retrain report: `RUN_ID` must be one that `retrain history` lists. Received: ")
