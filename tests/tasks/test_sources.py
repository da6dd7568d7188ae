"""Sources of reviews, and the one-line errors for wrong ones."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.cli.command import main
from tasks.sources import IMDB, Source, resolve_source

SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_imdb_is_what_keras_serves():
    assert resolve_source("imdb", None) == IMDB
    # Read as text, because importing Keras imports TensorFlow.
    served = (Path(find_spec("keras").origin).parent / "src" / "datasets" / "imdb.py").read_text()
    folder, archive = IMDB.archive.rsplit("/", 1)
    assert f'"{folder}/"' in served
    assert f'origin=f"{{origin_folder}}{archive}"' in served
    assert f'"{IMDB.sha256}"' in served
    assert f'origin=f"{{origin_folder}}{IMDB.word_index.removeprefix(folder)[1:]}"' in served


def test_the_word_index_beside_the_real_archive_has_the_hash_that_is_expected(imdb_archive):
    content = imdb_archive.with_name("imdb_word_index.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == IMDB.word_index_sha256
    # The hash that `keras.datasets.imdb.get_word_index` checks.
    assert hashlib.md5(content).hexdigest() == "bfafd718b763782e994055a2d397834f"


def test_another_hash_for_imdb_replaces_the_known_one():
    source = resolve_source("imdb", SHA256)
    assert (source.archive, source.sha256, source.word_index) == (IMDB.archive, SHA256, IMDB.word_index)


def test_a_file_is_hashed(tmp_path):
    path = tmp_path / "reviews.npz"
    path.write_bytes(b"hello")
    assert resolve_source(str(path), None) == Source(str(path), SHA256)


@pytest.mark.parametrize("name", ["reviews.npz", "my reviews.npz"])
def test_a_file_can_be_named_by_its_uri(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"hello")
    assert resolve_source(path.as_uri(), None) == Source(str(path), SHA256)


def test_the_hash_of_a_file_can_be_given(tmp_path):
    path = tmp_path / "reviews.npz"
    path.write_bytes(b"other")
    assert resolve_source(str(path), SHA256).sha256 == SHA256


def test_a_word_index_beside_a_file_is_used(tmp_path):
    (tmp_path / "reviews.npz").write_bytes(b"archive")
    (tmp_path / "imdb_word_index.json").write_bytes(b"hello")
    source = resolve_source(str(tmp_path / "reviews.npz"), None)
    assert (source.word_index, source.word_index_sha256) == (str(tmp_path / "imdb_word_index.json"), SHA256)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_of_one_s_own_needs_its_hash(scheme):
    address = f"{scheme}://example.org/reviews.npz"
    assert resolve_source(address, SHA256) == Source(address, SHA256)
    with pytest.raises(ValueError, match="sha256") as caught:
        resolve_source(address, None)
    assert str(caught.value) == (
        f"`sha256` must be given with an address of your own. Received: source='{address}' alone."
    )


@pytest.mark.parametrize(
    "source",
    [
        "http://user:canary@example.org/reviews.npz",
        "https://user:can/ary@example.org/reviews.npz",
        "http://canary@example.org/reviews.npz",
        "http://:canary@example.org/reviews.npz",
        "HTTP://user:canary@example.org/reviews.npz",
        "https://example.org/reviews.npz?token=canary",
        "https://example.org/reviews.npz?page=2&X-Amz-Signature=canary",
        "https://example.org/reviews.npz?api_key=canary",
        "https://user:canary@[example.org/reviews.npz",
    ],
)
@pytest.mark.parametrize("sha256", [None, SHA256])
def test_an_address_with_a_secret_is_refused_without_repeating_it(source, sha256, capsys, tmp_path):
    with pytest.raises(ValueError, match=r"^`source` must ") as caught:
        resolve_source(source, sha256)
    assert "canary" not in str(caught.value)
    assert main(["run", "--source", source, "--store", str(tmp_path / "store")]) == 2
    assert "canary" not in "".join(capsys.readouterr())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sha256", ["", "abc", SHA256.upper(), SHA256 + "0", SHA256[:-1] + "g", SHA256 + "\n"])
@pytest.mark.parametrize("source", ["imdb", "http://example.org/reviews.npz", "reviews.npz"])
def test_a_malformed_hash_is_refused_with_every_source(source, sha256):
    with pytest.raises(ValueError, match="sha256") as caught:
        resolve_source(source, sha256)
    assert str(caught.value) == f"`sha256` must be 64 hexadecimal digits in lower case. Received: sha256={sha256!r}."


@pytest.mark.parametrize("source", ["nowhere.npz", "/nowhere/imdb.npz", "IMDB", "", "ftp://example.org/imdb.npz"])
def test_a_file_that_is_not_there_is_named(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        resolve_source(source, None)
    assert str(caught.value).startswith(
        "`source` must be auto, imdb, sample, a file or an http(s) address. No file at "
    )
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_source(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"No file at {tmp_path}"):
        resolve_source(str(tmp_path), None)
