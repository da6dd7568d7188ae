"""Decode records from JSON that anyone may have written: pydantic checks every field, and none may be unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from storage.damage import DamagedFileError, NewerFormatError
from storage.text import on_one_line

if TYPE_CHECKING:
    # Takes a tenth of a second, which not every process has to wait for.
    from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")
Upgrade = Callable[[Any], Any]

# pydantic keeps 800 bytes of every wrong value. Evidence has 4 for each epoch of a training, and some thousands more.
MAXIMUM_VALUES = 500_000


def decode_record(
    kind: type[Record],
    content: Any,
    what: str,
    upgrade: Upgrade = dict,
    *,
    unknown: Literal["forbid", "ignore"] = "forbid",
) -> Record:
    """Return the record that a mapping holds; lists become tuples, and fields with a default may be missing.

    Args:
        kind: A dataclass; `format`, where it has one, is the newest that this version reads.
        content: What was read from JSON.
        what: What it must be, for an error: "runs/1/run.json must be the record of a run".
        upgrade: Makes a record of the newest format from one of format 1.
        unknown: What to do with unknown fields.

    Raises:
        NewerFormatError: It was written by a newer version of the project.
        DamagedFileError: It is no such record.
    """
    from pydantic import ValidationError

    content = _bring_up_to_date(content, getattr(kind, "format", None), what, upgrade)
    adapter: TypeAdapter[Record] = _adapter(kind, unknown)  # type: ignore[arg-type]  # a class can be hashed
    try:
        # As JSON: strict on Python's own objects would refuse lists for tuples, and mappings for records.
        return adapter.validate_json(_to_json(content), strict=True)
    except ValidationError as error:
        raise DamagedFileError(f"{what}: {on_one_line(_describe(error))}") from None
    # Of lists in lists in lists, which is not a ValueError.
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what}: {on_one_line(error)}") from None


def decode_json(kind: Any, content: bytes, what: str, upgrade: Upgrade = dict) -> Any:
    """Return what a JSON file holds, which must be a record or of a type that a record's field could have.

    Raises:
        NewerFormatError: It was written by a newer version of the project.
        DamagedFileError: It holds something else.
    """
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what}: {on_one_line(error)}") from None
    return decode_record(kind, read, what, upgrade)


def _bring_up_to_date(content: Any, newest: int | None, what: str, upgrade: Upgrade) -> Any:
    """Return the record in the newest format; what is no record at all is left to be refused."""
    written = content.get("format", 1) if isinstance(content, dict) else None
    if newest is None or type(written) is not int:
        return content
    if written > newest:
        raise NewerFormatError(
            f"{what}: it was written by a newer version of this project (format {written!r:.20}, where this version "
            f"reads formats up to {newest}). Use that version."
        )
    return upgrade(content) if written == 1 else content


def _to_json(content: Any) -> bytes:
    text = json.dumps(content, ensure_ascii=False)
    values = text.count(",")
    if values > MAXIMUM_VALUES:
        raise ValueError(f"it must hold at most {MAXIMUM_VALUES} values. Received: about {values}.")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        near = text[max(0, error.start - 50) : error.end]
        raise ValueError(f"it must hold whole characters only. Received: {near!r}.") from None


@cache
def _adapter(kind: Any, unknown: Literal["forbid", "ignore"]) -> TypeAdapter[Any]:
    from pydantic import ConfigDict, TypeAdapter, with_config

    config = ConfigDict(extra=unknown, allow_inf_nan=False)
    # The records inside a record take over its configuration.
    if isinstance(kind, type) and is_dataclass(kind):
        return TypeAdapter(with_config(config)(kind))
    return TypeAdapter(kind, config=config)


def _describe(error: ValidationError) -> str:
    """Return the first thing that is wrong as a sentence: the field, what it must be, and what it is."""
    first = error.errors(include_url=False, include_context=False)[0]
    place, received = f"{'.'.join(map(str, first['loc'])) or 'it':.100}", first["input"]
    match first["type"]:
        case "missing":
            return f"{place} must be there and is missing."
        case "unexpected_keyword_argument":
            return f"{place} is an unknown field."
        case "json_invalid":
            return f"{first['msg']}."
    must = re.sub(r"\A(\w+ should|Value error, must) ", "", first["msg"])
    # Not a list or a mapping, which may be endless in words.
    is_long = isinstance(received, (list, dict))
    shown = f"a value of type {type(received).__name__}" if is_long else f"{received!r:.60}"
    return f"{place} must {must}. Received: {shown}."
