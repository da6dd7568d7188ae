"""Check the Prefect server that the settings name, before a run relies on it. Prefect is imported when called."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from storage.proxies import find_certificates, find_proxy, hide_password, is_loopback

ANSWER_SECONDS = 5.0


def check_server(url: str) -> str:
    """Check that an address is that of a Prefect server which this version can work with.

    Args:
        url: Prefect's setting PREFECT_API_URL.

    Returns:
        The server's version.

    Raises:
        ValueError: It is not; the message says what was found there, and what to do.
    """
    shown, origin = hide_password(url), _name_origin()
    must = f"{origin} must be the address of a Prefect server, such as http://127.0.0.1:4200/api."
    if not re.fullmatch(r"https?://[^\s'\"/?#]+(/[^\s'\"?#]*)?", url):
        raise ValueError(f"{must} Received: {shown}.")
    if not is_loopback(urlsplit(url).hostname or ""):
        # Prefect's client would fail for these in a less clear way.
        find_proxy(url)
        if urlsplit(url).scheme == "https":
            find_certificates()
    try:
        answer = _ask(url, "/health")
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise ValueError(
            f"{must} Nothing answers at {shown}: {str(error) or type(error).__name__}. Start the server, correct the "
            "address, or unset it to use a temporary server."
        ) from error
    if answer.status_code in (401, 403):
        raise ValueError(
            f"{shown} wants a password or a key, and answered {answer.status_code}. Set PREFECT_API_AUTH_STRING "
            "(user:password) or PREFECT_API_KEY."
        )
    if not answer.is_success or answer.text.strip() != "true":
        raise ValueError(
            f"{must} What answers at {shown} is no Prefect API (status {answer.status_code}). Does the address end in "
            "/api?"
        )
    return _check_version(url, must)


def _check_version(url: str, must: str) -> str:
    import prefect

    shown = hide_password(url)
    try:
        answer = _ask(url, "/admin/version")
        found = str(answer.json()) if answer.is_success else ""
    except (httpx.HTTPError, ValueError, RuntimeError):
        found = ""
    if not re.fullmatch(r"\d+\.\d+\S*", found):
        raise ValueError(f"{must} What answers at {shown} does not tell a version of Prefect.")
    ours = prefect.__version__
    if found.partition(".")[0] != ours.partition(".")[0]:
        raise ValueError(
            f"The Prefect server at {shown} must have the same major version as this project. Received: {found}; the "
            f"project has {ours}. Use another server, or unset PREFECT_API_URL."
        )
    return found


def _ask(url: str, path: str) -> httpx.Response:
    """Ask the server with Prefect's own settings: passwords, keys, headers and certificates."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES
    from prefect.settings import temporary_settings as change

    settings: dict[Any, Any] = {
        PREFECT_API_URL: url,
        PREFECT_CLIENT_MAX_RETRIES: 0,
        PREFECT_API_REQUEST_TIMEOUT: ANSWER_SECONDS,
    }
    timeout = httpx.Timeout(ANSWER_SECONDS)
    with change(settings):
        client = get_client(sync_client=True, httpx_settings={"timeout": timeout, "follow_redirects": False})
        # Not entering the client's context, which asks for the version itself and answers less clearly.
        try:
            return _send(client._client, path)
        finally:
            client._client.close()


def _send(client: httpx.Client, path: str) -> httpx.Response:
    try:
        return client.get(path)
    except httpx.HTTPStatusError as error:
        return error.response


def _name_origin() -> str:
    """Return the name of the setting, and where it comes from if that is not the environment."""
    if os.environ.get("PREFECT_API_URL"):
        return "PREFECT_API_URL"
    from prefect.context import get_settings_context

    name = get_settings_context().profile.name
    return f"PREFECT_API_URL of the Prefect profile {name!r} (or of .env or prefect.toml)"
