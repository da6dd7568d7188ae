"""Look for edited, missing and torn records in all logs of champions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from storage.champion_log import ChampionLog, Entry, list_names
from storage.champion_records import ChampionRecord
from storage.store import DamagedFileError, Store

_RECORD = re.compile(r"(\d{6,})\.json")


def verify_logs(store: Store, check: Callable[[ChampionRecord], None] = lambda _record: None) -> Iterator[str]:
    """Yield a sentence for each damaged, missing or torn record of all logs, and for each wrong `current.json`.

    Args:
        store: The store.
        check: Called with the newest record of each log; raises a DamagedFileError if its champion is damaged.
    """
    for name in list_names(store):
        try:
            log = ChampionLog(store, name)
            yield from _verify_log(log, check)
        except (DamagedFileError, ValueError) as error:
            yield str(error)


def _verify_log(log: ChampionLog, check: Callable[[ChampionRecord], None]) -> Iterator[str]:
    store = log.store
    paths = store.list_files(f"{log.folder}/log")
    numbers = sorted(int(found[1]) for path in paths if (found := _RECORD.fullmatch(path.rpartition("/")[2])))
    # Also beyond a gap, where the log itself does not look.
    present = set(numbers)
    yield from (str(log.describe_gap(number)) for number in range(1, max(numbers, default=0)) if number not in present)
    entries: dict[int, Entry] = {}
    for number in numbers:
        try:
            entries[number] = log.read(number)
        except DamagedFileError as error:
            yield str(error)
    for number, entry in entries.items():
        before = entries.get(number - 1)
        if (before and entry.record.previous != before.sha256) or (number == 1 and entry.record.previous is not None):
            yield str(log.describe_break(entry))
    newest = entries.get(max(numbers, default=0))
    if newest is None:
        return
    yield from _verify_current(log, newest)
    try:
        check(newest.record)
    except DamagedFileError as error:
        yield f"The champion {log.name} (record {newest.record.number}) is damaged: {error}"


def _verify_current(log: ChampionLog, newest: Entry) -> Iterator[str]:
    where = log.store.locate(log.current_path)
    try:
        current = log.read_current_file()
    except FileNotFoundError:
        yield f"{where} must name record {newest.record.number} and is missing. `retrain champion` writes it again."
        return
    except DamagedFileError as error:
        yield f"{error} `retrain champion` writes it again."
        return
    if (current.number, current.sha256) != (newest.record.number, newest.sha256):
        yield (
            f"{where} must name record {newest.record.number}, the log's newest. Received: {current.number}. "
            "`retrain champion` writes it again."
        )
