"""The log of champions: the registry of which model is in use. Each record is created once and never changed.

Each record holds the whole state after it and the SHA-256 of the record before. So an edited, a missing or a torn
record is found. A log that was cut at its end looks like a younger one, and whoever can write to the store can forge
all of it: neither can be found from the log alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass

from storage.champion_records import ChampionRecord, Current
from storage.decoding import decode_record
from storage.manifests import seal_manifest
from storage.store import DamagedFileError, Store

DEFAULT_NAME = "main"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# How many numbers behind the newest one are asked for, to find a record that is missing in between.
LOOK_AHEAD = 3
READERS = 16


class ChampionChangedError(ValueError):
    """Another record was created since the caller looked."""


def check_name(name: str) -> None:
    """Raise a ValueError for a name that no log can have."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            "`champion` must be a name of small letters, digits, - and _, at most 40 of them. "
            f"Received: champion={name!r:.60}."
        )


@dataclass(frozen=True)
class Entry:
    """A record of the log, and the SHA-256 of its file."""

    record: ChampionRecord
    sha256: str


@dataclass(frozen=True)
class ChampionLog:
    """The log of one name in a store.

    Raises:
        ValueError: No log can have this name.
    """

    store: Store
    name: str = DEFAULT_NAME

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def folder(self) -> str:
        return f"champion/{self.name}"

    def path_of(self, number: int) -> str:
        """Return the path of a record in the store."""
        return f"{self.folder}/log/{number:06d}.json"

    @property
    def current_path(self) -> str:
        return f"{self.folder}/current.json"

    def find_newest(self) -> int:
        """Return the highest number of a record; 0 for an empty log.

        Asked key by key, because a listing of an object store may lag behind. `current.json` says where to begin.

        Raises:
            DamagedFileError: A record is missing in between.
        """
        begin = self._read_hint()
        if begin and not self._has(begin):
            raise self.describe_gap(begin)
        low, step = begin, 1
        while self._has(low + step):
            low, step = low + step, 2 * step
        high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._has(middle) else (low, middle)
        if any(self._has(low + more) for more in range(2, 2 + LOOK_AHEAD)):
            raise self.describe_gap(low + 1)
        return low

    def _read_hint(self) -> int:
        with suppress(FileNotFoundError, DamagedFileError):
            return self.read_current_file().number
        return 0

    def _has(self, number: int) -> bool:
        return self.store.exists(self.path_of(number))

    def describe_gap(self, number: int) -> DamagedFileError:
        """Return the error for a record that is missing."""
        return DamagedFileError(
            f"{self.store.locate(self.path_of(number))} must be there, because later records are. It is missing; "
            "restore it from a backup."
        )

    def read(self, number: int) -> Entry:
        """Return one record.

        Raises:
            FileNotFoundError: There is no such record.
            NewerFormatError: A newer version of the project wrote it.
            DamagedFileError: It was changed after it was written, or is not the record of this number and name.
        """
        path = self.path_of(number)
        raw, where = self.store.read_bytes(path), self.store.locate(path)
        record = decode_record(
            ChampionRecord, self.store.open_manifest(raw, path), f"{where} must be a record of a champion"
        )
        if (record.number, record.name) != (number, self.name):
            raise DamagedFileError(
                f"{where} must be record {number} of {self.name}. Received: {record.number} of {record.name:.60}."
            )
        return Entry(record, hashlib.sha256(raw).hexdigest())

    def read_newest(self) -> Entry | None:
        """Return the newest record, whose link to the one before is checked; None for an empty log.

        Raises:
            DamagedFileError: One of the two is damaged or missing.
        """
        newest = self.find_newest()
        if not newest:
            return None
        entry = self.read(newest)
        if newest > 1:
            self._check_link(self._read_present(newest - 1), entry)
        elif entry.record.previous is not None:
            raise self.describe_break(entry)
        return entry

    def _read_present(self, number: int) -> Entry:
        try:
            return self.read(number)
        except FileNotFoundError:
            raise self.describe_gap(number) from None

    def _check_link(self, before: Entry, entry: Entry) -> None:
        if entry.record.previous != before.sha256:
            raise self.describe_break(entry)

    def describe_break(self, entry: Entry) -> DamagedFileError:
        """Return the error for a record that does not name the one before."""
        number = entry.record.number
        return DamagedFileError(
            f"{self.store.locate(self.path_of(number))} must name the SHA-256 of the record before it, and does not: "
            f"record {max(number - 1, 1)} was edited or exchanged."
        )

    def walk_back(self, newest: int | None = None) -> Iterator[Entry]:
        """Yield the records from the newest to the first, each linked to the one before.

        Raises:
            DamagedFileError: A record is damaged or missing.
        """
        after: Entry | None = None
        last = self.find_newest() if newest is None else newest
        # Several at once, because a request to an object store takes a while.
        with ThreadPoolExecutor(READERS) as pool:
            for entry in pool.map(self._read_present, range(last, 0, -1)):
                if after is not None:
                    self._check_link(entry, after)
                yield entry
                after = entry
        if after is not None and after.record.previous is not None:
            raise self.describe_break(after)

    def read_whole(self) -> Entry | None:
        """Return the newest record of a log that is sound from the first to the last; None for an empty log.

        Raises:
            DamagedFileError: A record is damaged or missing.
        """
        return next(iter(list(self.walk_back())), None)

    def append(self, record: ChampionRecord, *, single_writer: bool = False) -> Entry:
        """Create a record, and then `current.json`.

        Args:
            record: With the next number and the hash of the record before.
            single_writer: See `storage.create_once`.

        Raises:
            ChampionChangedError: Another process created a record of this number first.
            CannotCreateOnceError: The store cannot create a record once.
        """
        content, path = seal_manifest(asdict(record)), self.path_of(record.number)
        try:
            file = self.store.create_bytes(path, content, single_writer=single_writer)
        except FileExistsError:
            raise ChampionChangedError(
                f"{self.store.locate(path)} was created by another process first, so nothing was done. "
                "Look at `retrain champion`, and decide again."
            ) from None
        entry = Entry(record, file.sha256)
        # The record is what counts; whoever acts next writes this again.
        with suppress(OSError, DamagedFileError):
            self.write_current_file(entry)
        return entry

    def write_current_file(self, entry: Entry) -> None:
        """Write `current.json` for the newest record."""
        model = entry.record.champion
        current = Current(
            self.name,
            entry.record.number,
            entry.sha256,
            model.run_id if model else None,
            model.training if model else None,
            model.identity if model else None,
            model.files.get("model.keras") if model else None,
        )
        self.store.write_manifest(self.current_path, asdict(current))

    def read_current_file(self) -> Current:
        """Return what `current.json` says.

        Raises:
            FileNotFoundError: There is none.
            DamagedFileError: It was changed after it was written.
        """
        content = self.store.read_manifest(self.current_path)
        must = f"{self.store.locate(self.current_path)} must name a champion"
        return decode_record(Current, content, must)


def list_names(store: Store) -> list[str]:
    """Return the names of all logs of a store, sorted."""
    return sorted({path.split("/")[1] for path in store.list_files("champion") if path.count("/") > 1})
