"""The store in a folder and in an object store: it publishes whole files or none, and notices all damage."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.datasets import hash_inputs
from storage.location import resolve_location
from storage.records import StoredFile
from storage.store import DamagedFileError, Store

ADDRESSES = "`store` must be a folder, a file: URI, s3://bucket/prefix or another URI that pyarrow.fs opens."
HELLO_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
SCHEMA = pa.schema([("review_id", pa.string()), ("label", pa.uint8())])


@pytest.fixture(params=["folder", "object store"])
def store(request, tmp_path) -> Store:
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    return request.getfixturevalue("object_store")


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"review_id": ["train-0", "train-1"], "label": [0, 1]}, schema=SCHEMA)


def flip_bit(store: Store, path: str, position: int) -> None:
    content = bytearray(store.read_bytes(path))
    content[position] ^= 1
    store.write_bytes(path, bytes(content))


def test_written_bytes_are_read_back_with_their_hash_and_size(store):
    file = store.write_bytes("raw/hello.txt", b"hello")
    assert file == StoredFile("raw/hello.txt", HELLO_SHA256, 5)
    assert store.read_verified(file) == b"hello"
    store.verify(file)


def test_chunks_are_published_as_one_file_when_their_hash_is_the_expected_one(store):
    file = store.write_chunks("raw/hello.txt", [b"hel", b"lo"], HELLO_SHA256)
    assert file == StoredFile("raw/hello.txt", HELLO_SHA256, 5)
    assert store.list_files("") == ["raw/hello.txt"]


def test_chunks_with_another_hash_are_not_published(store):
    other = "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969"
    with pytest.raises(DamagedFileError) as caught:
        store.write_chunks("raw/hello.txt", [b"Hello"], HELLO_SHA256)
    assert str(caught.value) == f"raw/hello.txt must have SHA-256 {HELLO_SHA256}. Received: {other}."
    assert store.list_files("") == []


@pytest.mark.parametrize("error", [ConnectionError("cut"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_nothing(store, error):
    def chunks() -> Iterator[bytes]:
        yield b"hel"
        raise error

    with pytest.raises(type(error)):
        store.write_chunks("raw/hello.txt", chunks(), HELLO_SHA256)
    assert store.list_files("") == []


def test_a_write_that_breaks_off_leaves_the_older_file_as_it_was(store):
    file = store.write_bytes("raw/hello.txt", b"hello")
    with pytest.raises(DamagedFileError):
        store.write_chunks("raw/hello.txt", [b"other"], HELLO_SHA256)
    assert store.read_verified(file) == b"hello"
    assert store.list_files("") == ["raw/hello.txt"]


def test_nothing_appears_under_the_final_name_before_the_last_byte(store):
    seen = []

    def chunks() -> Iterator[bytes]:
        yield b"hel"
        seen.append((store.exists("raw/hello.txt"), [path.endswith(".part") for path in store.list_files("raw")]))
        yield b"lo"

    store.write_chunks("raw/hello.txt", chunks(), HELLO_SHA256)
    # Until then, a folder has the bytes under a temporary name, and an object store has nothing.
    assert seen in ([(False, [True])], [(False, [])])


@pytest.mark.parametrize("path", ["../outside", "raw/../../outside", "/etc/passwd", ".."])
def test_a_path_that_leaves_the_store_is_refused(store, path):
    with pytest.raises(ValueError, match=r"^A stored file's path must stay inside the store\. Received: '.*'\.$"):
        store.write_bytes(path, b"hello")
    with pytest.raises(ValueError, match="must stay inside the store"):
        store.read_bytes(path)


def test_a_bit_flip_is_found_by_every_way_to_read(store, table):
    file = store.write_table("reviews.parquet", table)
    flip_bit(store, file.path, 20)
    for read in (store.verify, store.read_verified, lambda file: store.read_table(file, SCHEMA)):
        with pytest.raises(DamagedFileError) as caught:
            read(file)
        assert str(caught.value).startswith(f"{store.locate(file.path)} must have SHA-256 {file.sha256}. Received: ")


def test_a_truncation_is_found_and_the_size_that_is_left_is_said(store, table):
    file = store.write_table("reviews.parquet", table)
    store.write_bytes(file.path, store.read_bytes(file.path)[:100])
    for read in (store.verify, store.read_verified, lambda file: store.read_table(file, SCHEMA)):
        with pytest.raises(DamagedFileError, match=r"100 bytes\.$"):
            read(file)


def test_a_missing_file_is_found_by_every_way_to_read(store, table):
    file = store.write_table("reviews.parquet", table)
    store.quarantine(file.path)
    for read in (store.verify, store.read_verified, lambda file: store.read_table(file, SCHEMA)):
        with pytest.raises(DamagedFileError) as caught:
            read(file)
        assert str(caught.value) == f"{store.locate('reviews.parquet')} must be there and is missing."


def test_a_table_is_read_back_as_it_was_written(store, table):
    file = store.write_table("reviews.parquet", table)
    assert file.rows == 2
    assert store.read_table(file, SCHEMA).equals(table)


def test_a_table_of_some_hundred_rows_is_read_back(store):
    table = pa.table({"number": pa.array(range(300))})
    assert store.read_table(store.write_table("numbers.parquet", table), table.schema).equals(table)


def test_a_table_s_name_can_hold_the_hash_of_its_content(store, table):
    file = store.write_table("train-{sha}.parquet", table)
    assert file.path == f"train-{file.sha256[:12]}.parquet"
    assert hashlib.sha256(store.read_bytes(file.path)).hexdigest() == file.sha256


def test_a_table_of_another_schema_is_refused(store, table):
    file = store.write_table("reviews.parquet", table)
    expected = pa.schema([("review_id", pa.string()), ("label", pa.int64())])
    with pytest.raises(DamagedFileError) as caught:
        store.read_table(file, expected)
    assert str(caught.value) == (
        f"{store.locate('reviews.parquet')} must hold 2 rows of (review_id string, label int64). "
        "Received: 2 rows of (review_id string, label uint8)."
    )


def test_a_table_with_another_number_of_rows_is_refused(store, table):
    file = replace(store.write_table("reviews.parquet", table), rows=3)
    with pytest.raises(DamagedFileError, match=r"must hold 3 rows of .* Received: 2 rows of"):
        store.read_table(file, SCHEMA)


def test_a_table_with_more_rows_than_its_record_says_is_refused(store, table):
    file = replace(store.write_table("reviews.parquet", table), rows=1)
    with pytest.raises(DamagedFileError, match=r"must hold 1 rows of .* Received: 2 rows of"):
        store.read_table(file, SCHEMA)


def test_a_file_that_is_no_parquet_is_refused_by_its_path(store):
    file = store.write_bytes("reviews.parquet", b"hello")
    with pytest.raises(DamagedFileError) as caught:
        store.read_table(file, SCHEMA)
    assert str(caught.value).startswith(f"{store.locate('reviews.parquet')} must be a Parquet file. Received: ")


def test_tables_are_compressed_with_zstd(store, table):
    content = pa.BufferReader(store.read_bytes(store.write_table("reviews.parquet", table).path))
    assert pq.ParquetFile(content).metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_manifest_is_read_back_as_it_was_written(store):
    store.write_manifest("manifest.json", {"source": "혼공 머신러닝", "rows": 2})
    assert store.read_manifest("manifest.json") == {"source": "혼공 머신러닝", "rows": 2}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"rows": 2', b'"rows": 3'),
        (b'"rows": 2', b'"rows":  2'),
        (b'"sha256": "', b'"sha256": "0'),
        (b'"content"', b'"contents"'),
        (b"}\n", b""),
        (b"{", b"\xff"),
    ],
)
def test_a_manifest_edited_by_hand_is_refused(store, old, new):
    store.write_manifest("manifest.json", {"rows": 2})
    written = store.read_bytes("manifest.json")
    edited = written.replace(old, new)
    assert edited != written
    store.write_bytes("manifest.json", edited)
    with pytest.raises(DamagedFileError) as caught:
        store.read_manifest("manifest.json")
    assert str(caught.value) == (
        f"{store.locate('manifest.json')} must be as it was written, and its own SHA-256 does not match."
    )


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'{"content": 3}', b"[" * 100_000, b"\x00\x01"])
def test_a_manifest_that_is_something_else_is_refused(store, content):
    store.write_bytes("manifest.json", content)
    with pytest.raises(DamagedFileError):
        store.read_manifest("manifest.json")


def test_a_manifest_s_bytes_stay_what_earlier_versions_wrote(store):
    store.write_manifest("manifest.json", {"source": "혼공", "rows": 2})
    assert store.read_bytes("manifest.json").decode() == (
        '{\n "content": {\n  "rows": 2,\n  "source": "혼공"\n },\n'
        ' "sha256": "9617ee930d4be5ad4127cddc1b999ee5e1ef3c939dfe2443e5c58ed756f92a4c"\n}\n'
    )


def test_a_manifest_that_is_not_there_is_no_damage(store):
    with pytest.raises(FileNotFoundError):
        store.read_manifest("manifest.json")


def test_quarantine_moves_a_file_and_keeps_its_bytes(store):
    store.write_bytes("datasets/pad-1/train.parquet", b"hello")
    target = store.quarantine("datasets/pad-1/train.parquet")
    assert target.startswith("quarantine/")
    assert target.endswith("-datasets-pad-1-train.parquet")
    assert store.list_files("") == [target]
    assert store.read_bytes(target) == b"hello"


def test_two_damaged_files_of_one_name_both_stay_in_quarantine(store):
    for content in (b"first", b"second"):
        store.write_bytes("raw/hello.txt", content)
        store.quarantine("raw/hello.txt")
    assert sorted(store.read_bytes(path) for path in store.list_files("quarantine")) == [b"first", b"second"]


def test_quarantine_of_a_file_that_another_run_moved_already_is_no_error(store):
    store.quarantine("raw/hello.txt")
    assert store.list_files("") == []


def test_a_long_name_keeps_its_end_in_quarantine(store):
    path = f"datasets/{'a' * 150}/{'b' * 100}.parquet"
    store.write_bytes(path, b"hello")
    target = store.quarantine(path)
    assert target.removeprefix("quarantine/")[8:] == f"-{'a' * 91}-{'b' * 100}.parquet"


def test_what_is_deleted_is_the_folder_but_for_what_is_kept(store):
    for path in ("runs/1/a/x", "runs/1/a/y", "runs/1/b/x", "runs/2/x"):
        store.write_bytes(path, b"hello")
    store.delete("runs/1", keep=["runs/1/a/y"])
    assert store.list_files("") == ["runs/1/a/y", "runs/2/x"]
    store.delete("runs/1")
    assert store.list_files("") == ["runs/2/x"]
    store.delete("runs/1")
    with pytest.raises(ValueError, match=r"^`folder` must be a folder inside the store, not the whole store\."):
        store.delete("")


def test_folders_that_are_emptied_go_and_the_others_stay(tmp_path):
    store = Store(str(tmp_path))
    for path in ("runs/1/a/x", "runs/1/a/y", "runs/1/b/x"):
        store.write_bytes(path, b"hello")
    store.delete("runs/1", keep=["runs/1/a/y"])
    assert sorted(path.name for path in (tmp_path / "runs" / "1").iterdir()) == ["a"]
    store.delete("runs/1")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_file_of_several_chunks_is_verified(store):
    file = store.write_bytes("raw/large", b"x" * 2_500_000)
    store.verify(file)
    with pytest.raises(DamagedFileError, match=r"Received: [0-9a-f]{64}, 2500000 bytes\.$"):
        store.verify(replace(file, sha256="0" * 64))
    with pytest.raises(DamagedFileError, match=r"Received: [0-9a-f]{64}, 2500000 bytes\.$"):
        store.verify(replace(file, sha256="f" * 64))


def test_only_a_folder_that_is_there_can_be_read_from(tmp_path):
    Store(str(tmp_path)).check_readable()
    (tmp_path / "file").touch()
    for uri in (f"{tmp_path}/none", f"{tmp_path}/file"):
        with pytest.raises(FileNotFoundError) as caught:
            Store(uri).check_readable()
        assert str(caught.value) == f"`store` must be a folder that exists. Received: store='{uri}'."


def test_an_object_store_without_objects_cannot_be_read_from(object_store):
    with pytest.raises(
        FileNotFoundError, match=r"^`store` must be a bucket and prefix that hold something\. Received: "
    ):
        object_store.check_readable()
    object_store.write_bytes("raw/hello.txt", b"hello")
    object_store.check_readable()


def test_a_folder_that_does_not_exist_holds_no_files(store):
    assert store.list_files("") == []
    assert store.exists("raw/hello.txt") is False


def test_a_folder_is_not_a_file(store):
    store.write_bytes("raw/hello.txt", b"hello")
    assert store.exists("raw") is False


def test_the_same_folder_is_meant_by_its_path_and_by_its_uri(tmp_path):
    Store(str(tmp_path / "a folder")).write_bytes("hello.txt", b"hello")
    assert Store((tmp_path / "a folder").as_uri()).list_files("") == ["hello.txt"]


def test_a_folder_s_name_may_hold_anything(tmp_path):
    folder = tmp_path / "혼공 100% #1?key=2"
    Store(str(folder)).write_bytes("hello.txt", b"hello")
    assert (folder / "hello.txt").read_bytes() == b"hello"


def test_a_relative_folder_is_meant_from_where_the_process_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Store("output").write_bytes("hello.txt", b"hello")
    assert (tmp_path / "output" / "hello.txt").read_bytes() == b"hello"


def test_the_check_of_a_good_store_leaves_it_empty(store):
    store.check_writable()
    assert store.list_files("") == []


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_file_where_the_folder_should_be_is_refused_in_one_line(tmp_path, below):
    (tmp_path / "file").write_text("in the way")
    uri = f"{tmp_path}/file{below}"
    with pytest.raises(ValueError, match="must be a folder that can be written") as caught:
        Store(uri).check_writable()
    assert str(caught.value).startswith(
        f"`store` must be a folder that can be written. Received: store='{uri}' (Cannot create directory"
    )
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("uri", ["ftp://host/store", "https://example.org/store", "s3://", "s3:///retraining", " ", ""])
def test_a_store_that_is_no_folder_and_no_object_store_is_refused_in_one_line(uri):
    with pytest.raises(ValueError, match="must be a folder") as caught:
        Store(uri).check_writable()
    assert str(caught.value).startswith(f"{ADDRESSES} Received: store='{uri.strip()}'")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("uri", ["abc://host/store", "ftp://host/store"])
def test_an_address_that_pyarrow_cannot_open_is_refused_with_its_reason(uri):
    with pytest.raises(ValueError, match="must be a folder") as caught:
        Store(uri).check_writable()
    assert str(caught.value) == f"{ADDRESSES} Received: store='{uri}' (Unrecognized filesystem type in URI: {uri})."


def test_a_folder_is_told_by_its_absolute_path(tmp_path):
    for uri in (f"{tmp_path}/store/", f"file://{tmp_path}/store/"):
        assert Store(uri).locate("raw/hello.txt") == f"{tmp_path}/store/raw/hello.txt"


def test_an_address_of_another_kind_is_told_without_its_options_and_last_slash():
    location = resolve_location("mock:///folder/store/?option=1")
    assert (location.root, location.address) == ("folder/store", "mock:///folder/store")


def test_a_file_uri_of_another_machine_is_refused_in_one_line():
    with pytest.raises(ValueError, match="must be a folder") as caught:
        Store("file://host/folder").check_writable()
    assert str(caught.value) == f"{ADDRESSES} Received: store='file://host/folder'."


def test_the_key_of_a_dataset_depends_on_the_values_and_not_on_their_order():
    assert hash_inputs({"version": 1, "maxlen": 100}) == "84d628a8f59f3e5a"
    assert hash_inputs({"maxlen": 100, "version": 1}) == "84d628a8f59f3e5a"
    assert hash_inputs({"version": 1, "maxlen": 101}) != "84d628a8f59f3e5a"
