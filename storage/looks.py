"""The looks of the gate: each comparison of a challenger with a champion, kept for ever, because a year has so many."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from storage.bounds import Constraint, Count, Real, Sha256
from storage.champion_log import ChampionLog, list_names
from storage.decoding import decode_record
from storage.manifests import seal_manifest
from storage.store import DamagedFileError, Store

LOOK_FORMAT = 1
YEAR = timedelta(days=365)
READERS = 16


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        flow_run: Id of the flow run that took it; the record's name.
        run_id: Its run.
        when: UTC, ISO 8601, to the second.
        policy: "better" or "refresh"; only looks of the first have a yearly budget.
        number: Of the record that made the champion current.
        champion: Identity of the champion.
        challenger: Identity of the challenger.
        reviews: SHA-256 of the reviews that they were compared on.
        p_value: Of the test that the policy rests on; None if it rests on intervals.
        outcome: What came out.
    """

    flow_run: str
    run_id: str
    when: str
    policy: str
    number: Count
    champion: Sha256
    challenger: Sha256
    reviews: Sha256
    p_value: Real | None
    outcome: str
    format: Annotated[int, Constraint(ge=1, le=LOOK_FORMAT)] = LOOK_FORMAT

    @property
    def compared(self) -> tuple[str, str, str]:
        """What was compared on what."""
        return self.champion, self.challenger, self.reviews


def record_look(log: ChampionLog, look: Look, *, single_writer: bool = False) -> None:
    """Create the record of a look. One of the same flow run, which was retried, stays as it is.

    Raises:
        CannotCreateOnceError: See `storage.create_once`.
    """
    path = f"{log.folder}/looks/{look.flow_run}.json"
    with suppress(FileExistsError):
        log.store.create_bytes(path, seal_manifest(asdict(look)), single_writer=single_writer)


def read_looks(log: ChampionLog, now: datetime | None = None) -> list[Look]:
    """Return the looks of the last 365 days, the oldest first.

    Raises:
        DamagedFileError: A record is damaged. It is not passed over, because then it would not be counted.
    """
    since = ((now or datetime.now(UTC)) - YEAR).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [look for look in list_looks(log) if look.when > since]


def list_looks(log: ChampionLog) -> list[Look]:
    """Return all looks, the oldest first; errors as in `read_looks`."""
    with ThreadPoolExecutor(READERS) as pool:
        looks = list(pool.map(lambda path: _read_look(log, path), _list_paths(log)))
    return sorted(looks, key=lambda look: look.when)


def verify_looks(store: Store) -> Iterator[str]:
    """Yield a sentence for each damaged look of all logs."""
    for name in list_names(store):
        # A folder of another name is no log; `verify_logs` says so.
        with suppress(ValueError):
            log = ChampionLog(store, name)
            for path in _list_paths(log):
                try:
                    _read_look(log, path)
                except DamagedFileError as error:
                    yield str(error)


def _list_paths(log: ChampionLog) -> Iterator[str]:
    return (path for path in log.store.list_files(f"{log.folder}/looks") if path.endswith(".json"))


def _read_look(log: ChampionLog, path: str) -> Look:
    return decode_record(Look, log.store.read_manifest(path), f"{log.store.locate(path)} must be a look of the gate")
