"""What running runs use: noted before it is used, so that `retrain clean` leaves it alone for two days."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from storage.decoding import decode_record
from storage.store import DamagedFileError, Store

FOLDER = "uses"
SPARED_FOR = timedelta(hours=48)


@dataclass(frozen=True)
class Use:
    """One use.

    Attributes:
        what: The folder of a dataset, or the address of own reviews, all of whose datasets are then used.
        when: UTC, ISO 8601, to the second; the newest use.
    """

    what: str
    when: str


def note_use(store: Store, what: str) -> None:
    """Note that a run is about to use something."""
    use = Use(what, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    store.write_manifest(f"{FOLDER}/{name}.json", asdict(use))


def read_uses(store: Store) -> set[str]:
    """Return what was used within the last two days. A damaged note is passed over: its writer will write it again."""
    since = (datetime.now(UTC) - SPARED_FOR).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = set()
    for path in store.list_files(FOLDER):
        with suppress(FileNotFoundError, DamagedFileError):
            use = decode_record(Use, store.read_manifest(path), f"{store.locate(path)} must say what is used")
            if use.when > since:
                found.add(use.what)
    return found
