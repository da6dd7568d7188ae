"""Convert records that older versions of the project stored: format 1 becomes the newest format.

In format 1, the step "profile" was called "describe", and the file "minimal_pairs" was called "behaviour". The paths of
files do not change, and neither do a dataset's inputs and its key, which is their hash. A value of an unexpected shape
is returned as it is, because the decoding that follows refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.records import RECORD_FORMAT

Change = Callable[[Any], Any]
STEPS = {"describe": "profile"}
FILES = {
    "behaviour": "minimal_pairs",
    "predictions-behaviour.parquet": "predictions-minimal_pairs.parquet",
}


def upgrade_dataset(old: Any) -> Any:
    """Return a dataset's record of format 1 in the newest format."""
    return _change(old, step=lambda step: STEPS.get(str(step), step), files=_rename(FILES))


def upgrade_training(old: Any) -> Any:
    """Return a training's record of format 1 in the newest format."""
    return _change(old, files=_rename(FILES))


def upgrade_run(old: Any) -> Any:
    """Return a run's record of format 1 in the newest format."""
    return _change(
        old,
        datasets=_rename(STEPS, upgrade_dataset),
        step_seconds=_rename(STEPS),
        trainings=_each(upgrade_training),
        baselines=_each(upgrade_training),
    )


def _change(record: Any, **changes: Change) -> Any:
    if not isinstance(record, dict):
        return record
    changed = {name: change(record[name]) for name, change in changes.items() if name in record}
    return record | changed | {"format": RECORD_FORMAT}


def _rename(names: dict[str, str], change: Change = lambda value: value) -> Change:
    def rename(mapping: Any) -> Any:
        if not isinstance(mapping, dict):
            return mapping
        return {names.get(name, name): change(value) for name, value in mapping.items()}

    return rename


def _each(change: Change) -> Change:
    return lambda records: [change(record) for record in records] if isinstance(records, list) else records
