"""Decode records from JSON that anyone may have written. pydantic checks every field and refuses unknown ones."""

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
    # Importing pydantic takes 0.1 s, and not every process needs it.
    from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")
Upgrade = Callable[[Any], Any]

# pydantic needs 800 bytes for each wrong value. Evidence has 4 values per epoch of a training, and some thousands more.
MAXIMUM_VALUES = 500_000


def decode_record(
    kind: type[Record],
    content: Any,
    what: str,
    upgrade: Upgrade = dict,
    *,
    unknown: Literal["forbid", "ignore"] = "forbid",
) -> Record:
    """Return the record that a mapping holds. Lists become tuples, and fields with a default may be missing.

    Args:
        kind: A dataclass. The default of its field `format`, if it has one, is the newest format that is read.
        content: A value that was read from JSON.
        what: The start of an error's message: "runs/1/run.json must be the record of a run".
        upgrade: Converts a mapping of format 1 to the newest format.
        unknown: What to do with unknown fields.

    Raises:
        NewerFormatError: A newer version of the project wrote the record.
        DamagedFileError: The content is not such a record.
    """
    from pydantic import ValidationError

    content = _bring_up_to_date(content, getattr(kind, "format", None), what, upgrade)
    adapter: TypeAdapter[Record] = _adapter(kind, unknown)  # type: ignore[arg-type]  # classes are hashable
    try:
        # From JSON, because a strict check of Python objects refuses lists for tuples and mappings for records.
        return adapter.validate_json(_to_json(content), strict=True)
    except ValidationError as error:
        raise DamagedFileError(f"{what}: {on_one_line(_describe(error))}") from None
    # RecursionError: of deeply nested lists. It is not a ValueError.
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what}: {on_one_line(error)}") from None


def decode_json(kind: Any, content: bytes, what: str, upgrade: Upgrade = dict) -> Any:
    """Return the record, or another value of type `kind`, that a JSON file holds; arguments as in `decode_record`.

    Raises:
        NewerFormatError: A newer version of the project wrote the file.
        DamagedFileError: The file holds something else.
    """
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what}: {on_one_line(error)}") from None
    return decode_record(kind, read, what, upgrade)


def _bring_up_to_date(content: Any, newest: int | None, what: str, upgrade: Upgrade) -> Any:
    """Return the record in the newest format; return anything else as it is, because pydantic refuses it later."""
    written = content.get("format", 1) if isinstance(content, dict) else None
    if newest is None or type(written) is not int:
        return content
    if written > newest:
        raise NewerFormatError(
            f"{what}: it was written by a newer version of this project (format {written!r:.20}; this version "
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
    # The configuration of a record holds for the records inside it too.
    if isinstance(kind, type) and is_dataclass(kind):
        return TypeAdapter(with_config(config)(kind))
    return TypeAdapter(kind, config=config)


def _describe(error: ValidationError) -> str:
    """Return the first error as a sentence: the field, what it must be, and what was received."""
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
    # A list or a mapping is not shown, because it may be very long.
    is_long = isinstance(received, (list, dict))
    shown = f"a value of type {type(received).__name__}" if is_long else f"{received!r:.60}"
    return f"{place} must {must}. Received: {shown}."
