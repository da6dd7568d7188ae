"""Records out of JSON that anyone may have written: each field of the type that the record declares, or none at all."""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from storage.containment import join
from storage.damage import DamagedFileError
from storage.records import LANGUAGES, CheckpointRecord, Run, Scores, StoredFile
from storage.text import on_one_line

Record = TypeVar("Record")

# What is larger is no count, and no float could hold it.
LARGEST = 2**63
_SHA256 = re.compile(r"[0-9a-f]{64}")


def decode_record(kind: type[Record], content: Any, what: str) -> Record:
    """Return the record that a mapping holds; lists become tuples, and fields with a default may be missing.

    Args:
        kind: A dataclass of `storage.records`.
        content: What was read from JSON.
        what: What it must be, for an error: "runs/1/run.json must be the record of a run".

    Raises:
        DamagedFileError: It is no such record.
    """
    try:
        record: Record = _decode(kind, content, "it")
    except ValueError as error:
        raise DamagedFileError(f"{what}: {on_one_line(error)}") from None
    return record


def decode_json(kind: Any, content: bytes, what: str) -> Any:
    """Return what a JSON file holds, which must be of a type that a record's field could have.

    Raises:
        DamagedFileError: It holds something else.
    """
    try:
        read = json.loads(content)
    # Of lists in lists in lists; not a ValueError.
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what}: {on_one_line(error)}") from None
    return decode_record(kind, read, what)


def _decode(kind: Any, value: Any, place: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _decode_fields(kind, value, place)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (other,) = (argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _decode(other, value, place)
    if origin is dict:
        return {name: _decode(arguments[1], item, f"{place}.{name}") for name, item in _mapping(value, place).items()}
    if origin is tuple:
        _require(isinstance(value, (list, tuple)), place, "a list", value)
        return tuple(_decode(arguments[0], item, f"{place}.{number}") for number, item in enumerate(value))
    if kind is float:
        # One that was whole may have been written without its point.
        is_number = type(value) in (int, float) and abs(value) < LARGEST and math.isfinite(value)
        _require(is_number, place, "a finite number", value)
    elif kind is int:
        _require(type(value) is int and abs(value) < LARGEST, place, "an integer", value)
    else:
        _require(type(value) is kind, place, f"of type {kind.__name__}", value)
    return value


def _decode_fields(kind: Any, value: Any, place: str) -> Any:
    given, hints = _mapping(value, place), _hints(kind)
    unknown = sorted(given.keys() - hints.keys())
    if unknown:
        raise ValueError(f"{place} has a field {unknown[0]}, of which this version knows nothing.")
    for name in sorted(_required(kind) - given.keys()):
        raise ValueError(f"{place} must have a field {name}. It has none.")
    record = kind(**{name: _decode(hints[name], item, f"{place}.{name}") for name, item in given.items()})
    if kind in _CHECKS:
        _CHECKS[kind](record, place)
    return record


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _required(kind: Any) -> frozenset[str]:
    return frozenset(one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING)


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    _require(isinstance(value, dict) and all(type(name) is str for name in value), place, "a mapping", value)
    mapping: Mapping[str, Any] = value
    return mapping


def _require(condition: bool, place: str, must: str, received: Any) -> None:
    if not condition:
        # Not a list or a mapping, which may be endless in words.
        is_short = isinstance(received, (str, float))
        shown = f"{received!r:.60}" if is_short else f"a value of type {type(received).__name__}"
        raise ValueError(f"{place} must be {must}. Received: {shown}.")


def _check_file(file: StoredFile, place: str) -> None:
    join("", file.path)
    _require(file.path not in ("", "."), place, "a file inside the store", file.path)
    _require(_SHA256.fullmatch(file.sha256) is not None, f"{place}.sha256", "64 hexadecimal digits", file.sha256)
    _require(file.bytes >= 0 and (file.rows or 0) >= 0, place, "of no negative size", file.path)


def _check_scores(scores: Scores, place: str) -> None:
    _require(0 <= scores.accuracy <= 1, f"{place}.accuracy", "from 0 to 1", scores.accuracy)
    _require(scores.count >= 1, f"{place}.count", "at least 1", float(scores.count))


def _check_checkpoint(record: CheckpointRecord, place: str) -> None:
    known = record.stopping.keys() == {"best", "wait", "best_epoch"}
    _require(known and record.epoch >= 1, place, "of early stopping after at least one epoch", record.stopping)


def _check_run(run: Run, place: str) -> None:
    # Parameters come and go with versions; these are the ones that a reader of past runs asks for.
    asked: dict[str, Any] = {"variants": tuple[str, ...], "seeds": tuple[int, ...]}
    asked |= dict.fromkeys(("maxlen", "num_words"), int | None) | dict.fromkeys(("store", "language"), str | None)
    for name, kind in asked.items():
        _decode(kind, run.parameters.get(name), f"{place}.parameters.{name}")
    language = run.parameters.get("language", LANGUAGES[0])
    _require(language in LANGUAGES, f"{place}.parameters.language", f"one of {', '.join(LANGUAGES)}", language)


_CHECKS: dict[Any, Callable[[Any, str], None]] = {
    Run: _check_run,
    StoredFile: _check_file,
    Scores: _check_scores,
    CheckpointRecord: _check_checkpoint,
}
