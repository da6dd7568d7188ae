"""The address at which people open the page of a run."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit

from storage.location import holds_secret
from storage.runs import report_path
from storage.store import Store

VARIABLE = "RETRAIN_REPORTS_URL"


def read_reports_url() -> str | None:
    """Return the address of the folder `reports/` on a web server, with a slash at its end; None if it is not set.

    Raises:
        ValueError: It is not an http(s) address, or holds a password. The message does not show a password.
    """
    address = os.environ.get(VARIABLE, "").strip()
    if not address:
        return None
    if holds_secret(address) or "@" in urlsplit(address).netloc:
        raise ValueError(f"{VARIABLE} must not hold a secret, because it is shown. Received: one with a secret.")
    if not re.fullmatch(r"https?://[^\s'\"?#]+", address) or not urlsplit(address).hostname:
        raise ValueError(
            f"{VARIABLE} must be an http:// or https:// address, such as https://reports.example.org/. "
            f"Received: {address}."
        )
    return address.rstrip("/") + "/"


def address_page(store: Store, run_id: str) -> str:
    """Return the address of a run's page: on the web server if there is one, else its path or URI in the store."""
    base = read_reports_url()
    path = report_path(run_id)
    return f"{base}{quote(path.rpartition('/')[2])}" if base else store.locate(path)
