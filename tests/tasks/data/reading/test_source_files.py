"""A source is a file, a folder, an address or an object store; what is none of them is refused in one line."""

from __future__ import annotations

import gzip
import hashlib
import os

import pytest

from tasks.data.reading.read_file import read_file
from tasks.data.reading.readings import ReadingOptions
from tasks.data.reading.source_addresses import is_archive
from tasks.data.reading.source_files import check_source, check_unchanged, fetch, hash_file, list_source_files
from tests.review_files import BAD, GOOD, texts_of, write

CSV = f"text,label\n{BAD},0\n"


def names(folder):
    return [file.name for file in list_source_files(str(folder), None, folder)]


def test_the_files_of_a_folder_are_listed_by_name_without_what_is_no_data(tmp_path):
    for name in ("b.csv", "a.csv", "more/c.csv", ".hidden", "_SUCCESS", "README.md", ".git/x.csv"):
        write(tmp_path, name, CSV)
    assert names(tmp_path) == ["a.csv", "b.csv", "more/c.csv"]


def test_folders_pos_and_neg_with_a_file_a_review_are_one_file_each_with_a_label_and_a_part(tmp_path):
    write(tmp_path, "train/pos/0_9.txt", GOOD)
    write(tmp_path, "train/pos/1_8.txt", "Also fine.")
    write(tmp_path, "train/neg/0_1.txt", BAD)
    write(tmp_path, "test/neg/0_2.txt", BAD)
    files = list_source_files(str(tmp_path), None, tmp_path)
    assert {(one.name, one.label, one.split) for one in files} == {
        ("test/neg", "neg", "test"),
        ("train/neg", "neg", "train"),
        ("train/pos", "pos", "train"),
    }
    accepted = []
    [pos] = [one for one in files if one.label == "pos"]
    reading = read_file(pos, ReadingOptions(), lambda batch: accepted.extend(batch.accepted.to_pylist()), "")
    assert reading.labels == {"pos": 2}
    assert [(one["row"], one["text"], one["split"]) for one in accepted] == [
        (1, GOOD, "train"),
        (2, "Also fine.", "train"),
    ]


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    write(tmp_path, "a.csv", CSV)
    [file] = list_source_files(str(tmp_path / "a.csv"), None, tmp_path)
    assert hash_file(file) == hashlib.sha256(CSV.encode()).hexdigest()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = write(tmp_path, "a.csv", CSV)
    [file] = list_source_files(str(path), None, tmp_path)
    check_unchanged(file)
    with path.open("a") as growing:
        growing.write(f"{GOOD},1\n")
    with pytest.raises(ValueError, match="still being written"):
        check_unchanged(file)


def test_links_inside_the_folder_are_followed_and_links_out_of_it_are_refused(tmp_path):
    write(tmp_path, "reviews/a.csv", CSV)
    (tmp_path / "reviews" / "b.csv").symlink_to("a.csv")
    assert names(tmp_path / "reviews") == ["a.csv", "b.csv"]
    secret = write(tmp_path, "secret.csv", CSV)
    (tmp_path / "reviews" / "c.csv").symlink_to(secret)
    with pytest.raises(ValueError, match="leads out of it"):
        names(tmp_path / "reviews")


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.crdownload", "a.csv.tmp"])
def test_a_file_that_is_named_as_unfinished_is_refused(tmp_path, name):
    write(tmp_path, name, CSV)
    with pytest.raises(ValueError, match="still being written"):
        names(tmp_path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "a pipe"), (write(tmp_path, "e.csv", ""), "It is empty")):
        with pytest.raises(ValueError, match=words):
            check_source(str(path), None)
    with pytest.raises(FileNotFoundError, match="must be a file or folder that exists"):
        check_source(str(tmp_path / "none"), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="It holds none"):
        names(tmp_path / "empty")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("https://example.org/reviews.csv", "`sha256` must be given"),
        ("https://user:word@example.org/reviews.csv", "must not hold a secret"),
        ("s3:/bucket/reviews", "mistyped URI"),
        ("'reviews.csv'", "in quotes"),
        (" ", "is empty"),
        ("xyz://bucket/reviews", "`reviews` must be"),
    ],
)
def test_an_address_that_cannot_work_is_refused_before_anything_is_read(source, words):
    with pytest.raises(ValueError, match=words):
        check_source(source, None)


def test_an_address_is_fetched_and_its_hash_checked(httpserver, tmp_path):
    httpserver.expect_request("/reviews.csv").respond_with_data(CSV)
    address, sha256 = httpserver.url_for("/reviews.csv"), hashlib.sha256(CSV.encode()).hexdigest()
    [file] = list_source_files(address, sha256, tmp_path)
    assert (file.name, fetch(file).read_text()) == ("reviews.csv", CSV)
    with pytest.raises(ValueError, match=f"must have SHA-256 {'0' * 64}"):
        list_source_files(address, "0" * 64, tmp_path)


def test_archives_and_reviews_are_told_apart(tmp_path):
    import numpy as np

    np.savez(tmp_path / "mine", x_train=[1])
    assert is_archive("imdb")
    assert is_archive("https://example.org/imdb.npz")
    assert is_archive(str(tmp_path / "mine.npz"))
    assert not is_archive(str(write(tmp_path, "a.csv", CSV)))
    assert not is_archive(str(tmp_path))
    assert not is_archive("s3://bucket/reviews/")


@pytest.mark.slow
def test_files_in_an_object_store_are_read_as_if_they_were_here(object_store, tmp_path):
    store, quoted = object_store, f'text,label\n"{GOOD}",1\n"{BAD}",0\n'
    store.write_bytes("reviews/day1.csv", quoted.encode())
    store.write_bytes("reviews/2026/day2.csv.gz", gzip.compress(quoted.encode(), mtime=0))
    store.write_bytes("reviews/README.md", b"Not a file of reviews.")
    files = list_source_files(store.locate("reviews"), None, tmp_path)
    assert [file.name for file in files] == ["2026/day2.csv.gz", "day1.csv"]
    for file in files:
        read: list[str] = []
        reading = read_file(
            file, ReadingOptions(), lambda batch, read=read: read.extend(texts_of(batch.accepted.to_pylist())), ""
        )
        assert (reading.records, read) == (2, [GOOD, BAD])
    [alone] = list_source_files(store.locate("reviews/day1.csv"), None, tmp_path / "alone")
    assert (alone.name, hash_file(alone)) == ("day1.csv", hashlib.sha256(quoted.encode()).hexdigest())
    before = files[1].fingerprint
    store.write_bytes("reviews/day1.csv", quoted.replace("fine", "great").encode())
    again = list_source_files(store.locate("reviews"), None, tmp_path / "again")
    assert again[0].fingerprint == files[0].fingerprint
    assert again[1].fingerprint != before


@pytest.mark.slow
def test_an_object_store_without_such_reviews_is_refused_in_one_line(object_store, tmp_path):
    object_store.write_bytes("x", b"")
    with pytest.raises(ValueError, match=r"must hold files of reviews\. It holds none") as caught:
        list_source_files(object_store.locate("nothing/here"), None, tmp_path)
    assert "\n" not in str(caught.value)
