"""Addresses of stores: what is meant by them, and mistakes that would create a folder of a strange name."""

from __future__ import annotations

import pytest

from storage.location import ADDRESSES, resolve_location
from storage.store_address import choose_store

MISTYPED = {
    "s3:/bucket/x": "s3://bucket/x",
    "s3:bucket": "s3://bucket",
    "s3//bucket": "s3://bucket",
    "S3:/bucket": "S3://bucket",
    "s3:\\\\bucket": "s3://bucket",
    "s3 ://bucket": "s3://bucket",
    "s3;//bucket": "s3://bucket",
    "gs:/bucket": "gs://bucket",
    "file:folder": "file://folder",
    "https:/example.org": "https://example.org",
    "C:/store": "C://store",
}


def refuse(address):
    with pytest.raises(ValueError, match=r"^`store` must ") as caught:
        resolve_location(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("address", "meant"), MISTYPED.items())
def test_a_mistyped_uri_is_refused_with_what_was_probably_meant(address, meant):
    assert refuse(address) == (
        f"{ADDRESSES} Received: store={address!r}, which looks like a mistyped URI. "
        f"Write {meant}, or ./{address} for a folder of this name."
    )


@pytest.mark.parametrize("address", ['"/srv/store"', "'/srv/store'", '"s3://bucket/x"', "/srv/store'", "“/srv/store”"])
def test_an_address_in_quotes_is_refused(address):
    assert refuse(address).endswith("which is in quotes. Leave them out.")


@pytest.mark.parametrize("address", ["$HOME/store", "${HOME}/store", "%h/store", "$STORE"])
def test_a_variable_that_nobody_replaced_is_refused(address):
    assert refuse(address).endswith("whose variable nobody has replaced. Write the folder itself.")


@pytest.mark.parametrize("address", ["/srv/a\0b", "/srv/a\nb", "s3://bucket/\x1b[31m"])
def test_control_characters_are_refused(address):
    assert refuse(address).endswith("which holds control characters.")


def test_a_mistyped_address_with_a_secret_is_refused_without_it():
    assert "word" not in refuse("s3:/user:word@bucket/x")


def test_a_home_that_nobody_has_is_refused():
    assert "no-such-user-at-all" in refuse("~no-such-user-at-all/store")


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("/srv/store\n", "/srv/store"),
        ("  /srv/store ", "/srv/store"),
        ("file:/srv/store", "/srv/store"),
        ("file:///srv/store", "/srv/store"),
        ("/srv/a:b/100%", "/srv/a:b/100%"),
        ("/srv/리뷰 #1?x=2", "/srv/리뷰 #1?x=2"),
    ],
)
def test_these_folders_are_meant(address, folder):
    assert resolve_location(address).root == folder


def test_a_folder_whose_name_looks_mistyped_can_be_given_with_a_dot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_location("./s3:/bucket").root == f"{tmp_path}/s3:/bucket"


def test_the_home_is_meant_by_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/home")
    assert resolve_location("~/store").root == "/srv/home/store"


@pytest.mark.parametrize(
    ("given", "variable", "chosen"),
    [
        (None, None, "output"),
        ("", " \n", "output"),
        (" ", "/srv/store\n", "/srv/store"),
        (" /srv/other ", "/srv/store", "/srv/other"),
    ],
)
def test_blank_addresses_count_as_none(monkeypatch, given, variable, chosen):
    monkeypatch.delenv("RETRAIN_STORE", raising=False)
    if variable is not None:
        monkeypatch.setenv("RETRAIN_STORE", variable)
    assert choose_store(given) == chosen


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", '"http://127.0.0.1:9000"', "ftp://host", "http://host/path"])
def test_an_endpoint_that_is_no_address_is_refused(monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    with pytest.raises(ValueError, match=r"^AWS_ENDPOINT_URL must be an http:// or https:// address of a host\. "):
        resolve_location("s3://bucket/x")


def test_a_proxy_of_another_kind_is_refused_for_an_object_store_that_needs_one(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://objects.example")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:word@127.0.0.1:1080")
    with pytest.raises(ValueError, match=r"^HTTPS_PROXY must be an http:// or https:// address") as caught:
        resolve_location("s3://bucket/x")
    assert "word" not in str(caught.value)
