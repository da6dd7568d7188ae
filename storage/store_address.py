"""Choose the store. Imports nothing heavy, so that `retrain --help` is quick."""

from __future__ import annotations

import os

DEFAULT_STORE = "output"


def choose_store(store: str | None) -> str:
    """Return the store's address: the given one, else `RETRAIN_STORE`, else the folder `output`.

    Blank ones count as none. Spaces and line ends around an address are left out; files of variables often have some.
    """
    given = (address.strip() for address in (store, os.environ.get("RETRAIN_STORE")) if address)
    return next(filter(None, given), DEFAULT_STORE)
