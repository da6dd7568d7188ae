"""A file is created only if there is none of its name, whatever the store can do."""

import errno
import os

import pytest

from storage.create_once import CannotCreateOnceError
from storage.store import Store


def test_the_first_one_creates_the_file_and_the_second_one_changes_nothing(store):
    assert store.create_bytes("log/1.json", b"first").bytes == 5
    with pytest.raises(FileExistsError):
        store.create_bytes("log/1.json", b"second")
    assert store.read_bytes("log/1.json") == b"first"
    assert store.list_files("log") == ["log/1.json"]


def test_a_file_system_without_links_is_refused_unless_there_is_one_writer(store, monkeypatch):
    def refuse(_source, _target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(CannotCreateOnceError, match=r"has no links, cannot\. Give --single-writer"):
        store.create_bytes("log/1.json", b"first")
    assert store.list_files("log") == []
    store.create_bytes("log/1.json", b"first", single_writer=True)
    with pytest.raises(FileExistsError):
        store.create_bytes("log/1.json", b"second", single_writer=True)
    assert store.read_bytes("log/1.json") == b"first"


def test_a_folder_that_nobody_may_write_is_an_ordinary_error(store, monkeypatch):
    def refuse(_source, _target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(PermissionError):
        store.create_bytes("log/1.json", b"first", single_writer=True)


def test_a_link_whose_answer_was_lost_counts(store, monkeypatch):
    link = os.link

    def link_and_lose(source, target):
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", link_and_lose)
    assert store.create_bytes("log/1.json", b"first").bytes == 5


def test_an_object_is_created_once(object_store):
    assert object_store.create_bytes("log/1.json", b"first").bytes == 5
    with pytest.raises(FileExistsError):
        object_store.create_bytes("log/1.json", b"second")
    assert object_store.read_bytes("log/1.json") == b"first"
    assert object_store.list_files("log") == ["log/1.json"]


def test_a_server_that_overwrites_in_silence_is_refused(object_store, object_server):
    def forget_condition(moto, environ, start_response):
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return moto(environ, start_response)

    object_server.fail("PUT", "create-", forget_condition, times=2)
    with pytest.raises(CannotCreateOnceError, match="this server overwrites the one that is there"):
        object_store.create_bytes("log/1.json", b"first")
    assert object_store.list_files("") == []


def test_a_server_that_does_not_know_the_condition_is_refused(object_store, object_server):
    def refuse(_moto, environ, start_response):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = b"<Error><Code>NotImplemented</Code><Message>no conditions</Message></Error>"
        start_response("501 Not Implemented", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    object_server.fail("PUT", "create-", refuse, times=9)
    with pytest.raises(CannotCreateOnceError, match="this server does not know how"):
        object_store.create_bytes("log/1.json", b"first")
    object_server.behave()
    assert object_store.create_bytes("log/1.json", b"first", single_writer=True).bytes == 5


def test_an_object_whose_answer_was_lost_counts(object_store, object_server):
    def store_and_fail(moto, environ, start_response):
        b"".join(moto(environ, lambda *_answer: None))
        start_response("500 Gone", [("Content-Length", "0")])
        return []

    object_server.fail("PUT", r"log/1\.json", store_and_fail)
    assert object_store.create_bytes("log/1.json", b"first").bytes == 5
    assert object_store.read_bytes("log/1.json") == b"first"


def test_a_server_that_is_away_is_an_error_with_the_store_s_address(object_store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"The store s3://.* could not be used"):
        Store(object_store.uri).create_bytes("log/1.json", b"first")
