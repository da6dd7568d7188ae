"""Proxies and certificates: what is used for which address, and what must not be needed."""

from __future__ import annotations

import os

import pytest

from storage import proxies
from storage.proxies import (
    find_certificates,
    find_proxy,
    hide_proxies,
    keep_loopback_direct,
    outside_environment,
)

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
ADDRESS = "https://reviews.example/x.npz"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in (*NAMES, *map(str.upper, NAMES), "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_address_s_scheme_is_used(monkeypatch, name):
    monkeypatch.setenv(name, "http://proxy.example:3128")
    assert find_proxy(ADDRESS) == "http://proxy.example:3128"


def test_a_proxy_without_a_scheme_speaks_http(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert find_proxy(ADDRESS) == "http://proxy.example:3128"


def test_without_a_proxy_an_address_is_reached_directly(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert find_proxy(ADDRESS) is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.5.5.5", "[::1]"])
def test_this_machine_is_never_reached_by_a_proxy(monkeypatch, host):
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    assert find_proxy(f"http://{host}:4200/api") is None


@pytest.mark.parametrize("excepted", ["*", "reviews.example", ".example", "other.org, reviews.example"])
def test_an_excepted_host_is_reached_directly(monkeypatch, excepted):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", excepted)
    assert find_proxy(ADDRESS) is None


@pytest.mark.parametrize(
    "proxy", ["socks5://user:word@proxy.example:1080", "ftp://proxy.example", "http://", "http://a:b:c"]
)
def test_a_proxy_that_cannot_be_used_is_refused_with_its_variable_and_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ValueError, match=r"^https_proxy must be an http:// or https:// address\. Received: ") as caught:
        find_proxy(ADDRESS)
    assert "word" not in str(caught.value)
    assert "add reviews.example to NO_PROXY" in str(caught.value)


@pytest.mark.parametrize("before", [None, "", "example.org", "127.0.0.1"])
def test_loopback_is_added_to_the_exceptions_and_nothing_is_lost(monkeypatch, before):
    if before is not None:
        monkeypatch.setenv("NO_PROXY", before)
    keep_loopback_direct()
    entries = os.environ["NO_PROXY"].split(",")
    assert set(entries) == {"localhost", "127.0.0.1", "::1"} | ({before} if before else set())
    assert len(entries) == len(set(entries))


def test_all_exceptions_stay_all(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    keep_loopback_direct()
    assert os.environ["NO_PROXY"] == "*"


def test_hidden_proxies_are_hidden_from_libraries_alone(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    monkeypatch.setattr(proxies, "_hidden", {})
    monkeypatch.setattr(proxies, "_hidden_proxies", {})
    hide_proxies()
    assert "HTTPS_PROXY" not in os.environ
    assert "SSL_CERT_FILE" not in os.environ
    assert find_proxy(ADDRESS) == "http://proxy.example:3128"
    assert outside_environment()["SSL_CERT_FILE"] == "/nowhere.pem"


@pytest.mark.parametrize(("name", "kind"), [("SSL_CERT_FILE", "file"), ("SSL_CERT_DIR", "folder")])
def test_certificates_that_are_not_there_are_named_with_their_variable(monkeypatch, tmp_path, name, kind):
    monkeypatch.setenv(name, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match="is not there") as caught:
        find_certificates()
    assert str(caught.value) == (
        f"{name} must name a {kind} of certificates. Received: {tmp_path / 'missing'}, which is not there."
    )


def test_a_file_without_certificates_is_named(monkeypatch, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(ValueError, match=r"^SSL_CERT_FILE must name a file of certificates\. Received: "):
        find_certificates()


def test_without_variables_the_usual_certificates_are_trusted():
    assert len(find_certificates().get_ca_certs()) > 50
