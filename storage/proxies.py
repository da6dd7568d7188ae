"""This machine's proxies and certificates: used for our own requests, kept from libraries that do without them."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed leaves it out

import certifi

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PROXY_SCHEMES = ("http", "https")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


# Variables that `hide_proxies` has hidden, and the proxies that they name, by scheme.
_hidden: dict[str, str] = {}
_hidden_proxies: dict[str, str] = {}


def outside_environment() -> dict[str, str]:
    """Return the environment as the user gave it, for child processes, also after `hide_proxies`."""
    return {**_hidden, **os.environ}


def hide_proxies() -> None:
    """Hide the variables of proxies and certificates from all libraries of this process until it ends.

    For a process whose libraries talk to this machine alone, as Prefect does to a temporary server. They would refuse a
    proxy that they do not know, or certificates that are missing, although they need neither. Prefect's own threads do
    that to the end of the process. `find_proxy` and `outside_environment` still know the variables.
    """
    _hidden_proxies.update(getproxies())
    _hide(*PROXY_VARIABLES, *map(str.upper, PROXY_VARIABLES), *CERTIFICATE_VARIABLES)


def hide_unusable_certificates() -> None:
    """Hide variables that name certificates which are not there: libraries fail for them when they are imported."""
    try:
        find_certificates()
    except ValueError:
        _hide(*CERTIFICATE_VARIABLES)


def _hide(*names: str) -> None:
    _hidden.update({name: os.environ.pop(name) for name in names if name in os.environ})


def keep_loopback_direct() -> None:
    """Add the names of this machine to `NO_PROXY`, so that no library sends what is meant for it to a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        entries = [entry.strip() for entry in os.environ.get(name, "").split(",") if entry.strip()]
        if "*" not in entries:
            os.environ[name] = ",".join([*entries, *(host for host in LOOPBACK if host not in entries)])


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address means this machine.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.8.9.1", "::1", "example.org")]
        [True, True, True, False]
    """
    try:
        return host in LOOPBACK or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_proxy(address: str) -> str | None:
    """Return the address of the proxy for an http(s) address, or None if it is reached directly.

    Raises:
        ValueError: The proxy's address is not one of http or https.
    """
    url, proxies = urlsplit(address), {**_hidden_proxies, **getproxies()}
    host = url.hostname or ""
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or is_loopback(host) or proxy_bypass_environment(host, proxies):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_proxy(proxy):
        variable = _name_variable(url.scheme, outside_environment())
        raise ValueError(
            f"{variable} must be an http:// or https:// address. Received: {hide_password(proxy)}. Set it to a proxy "
            f"of that kind, or add {host} to NO_PROXY."
        )
    return proxy


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        # Reading a malformed port raises.
        return parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def find_certificates() -> ssl.SSLContext:
    """Return the certificates to trust: those that SSL_CERT_FILE or SSL_CERT_DIR name, else those of certifi.

    Raises:
        ValueError: The file or the folder does not exist, or the file holds no certificates.
    """
    environment = outside_environment()
    for name, is_there, kind in (("SSL_CERT_FILE", Path.is_file, "file"), ("SSL_CERT_DIR", Path.is_dir, "folder")):
        path = environment.get(name, "").strip()
        if not path:
            continue
        if not is_there(Path(path)):
            raise ValueError(f"{name} must name a {kind} of certificates. Received: {path}, which is not there.")
        try:
            if kind == "file":
                return ssl.create_default_context(cafile=path)
            return ssl.create_default_context(capath=path)
        except OSError as error:
            raise ValueError(f"{name} must name a {kind} of certificates. Received: {path} ({error}).") from error
    return ssl.create_default_context(cafile=certifi.where())


def _name_variable(scheme: str, environment: Mapping[str, str]) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if environment.get(name)), "The system's proxy")


def hide_password(address: str) -> str:
    """Return an address without its user and password.

    Example:
        >>> hide_password("socks5://user:word@proxy.example:1080")
        'socks5://proxy.example:1080'
    """
    return re.sub(r"//[^/]*@", "//", address)
