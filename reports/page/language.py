"""The page's language: its sentences from a catalogue of translations, its numbers and dates by locale."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
# Embeddings, overrides and isolates; what ends them; and what is isolated already.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ENDS = re.compile("[\u202c\u2069]")
_ISOLATED = re.compile("\u2068[^\u2066-\u2069]*\u2069")

# What a sentence shows where there is no figure.
NOTHING = "–"


@dataclass(frozen=True)
class Language:
    """Sentences are written in English in the code, and looked up in the catalogue of any other language.

    Attributes:
        code: "en" or "ko".
    """

    code: str

    @property
    def locale(self) -> Locale:
        return Locale.parse(self.code)

    def say(self, message: str, /, **values: Any) -> str:
        """Return a sentence in this language, with its `{name}`s filled in."""
        isolated = {name: isolate(value) if isinstance(value, str) else value for name, value in values.items()}
        return _catalogue(self.code).get(message, message).format(**isolated)

    def say_count(self, one: str, many: str, count: int, **values: Any) -> str:
        """Return a sentence about `count` things; `{count}` is the number."""
        return self.say(one if count == 1 and self.code == "en" else many, count=self.integer(count), **values)

    def integer(self, value: float | None) -> str:
        return NOTHING if value is None else format_decimal(round(value), "#,##0", self.locale)

    def decimal(self, value: float | None, digits: int = 4, *, signed: bool = False) -> str:
        """Return a number with so many digits after the point; one that they show as zero has no sign."""
        if value is None:
            return NOTHING
        rounded = round(value, digits)
        pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
        plus = "+" if signed and rounded else ""
        return format_decimal(rounded or 0.0, f"{plus}{pattern};−{pattern}", self.locale)

    def percent(self, value: float | None, digits: int = 2) -> str:
        """Return a share from 0 to 1 as a percentage."""
        return (
            NOTHING if value is None else format_percent(value, f"0.{'0' * digits}%" if digits else "0%", self.locale)
        )

    def points(self, value: float | None) -> str:
        """Return a difference of shares in percentage points, with its sign and without a unit."""
        return NOTHING if value is None else self.decimal(100 * value, 2, signed=True)

    def p_value(self, value: float | None) -> str:
        if value is None:
            return NOTHING
        return f"< {self.decimal(0.0001)}" if value < 0.0001 else self.decimal(value)

    def date(self, iso: str) -> str:
        """Return a UTC time of ISO 8601 as a date and time of day, in 24 hours."""
        moment = datetime.fromisoformat(iso).astimezone(UTC)
        return f"{self.day(iso)} {format_time(moment, 'HH:mm:ss', tzinfo=UTC, locale=self.locale)} UTC"

    def day(self, iso: str) -> str:
        """Return the date alone of a UTC time of ISO 8601."""
        return format_date(datetime.fromisoformat(iso).astimezone(UTC), "long", locale=self.locale)

    def listed(self, items: list[str]) -> str:
        """Return "a, b, and c"."""
        return format_list(items, locale=self.locale)


def isolate(text: str) -> str:
    r"""Return a text whose marks of writing direction end where it ends; most texts have none and stay as they are.

    Example:
        >>> isolate("gru"), ascii(isolate("\u202egru"))
        ('gru', "'\\u2068\\u202egru\\u2069'")
    """
    if not _TURNING.search(_ISOLATED.sub("", text)):
        return text
    return f"{FIRST_STRONG_ISOLATE}{_ENDS.sub('', text)}{POP_ISOLATE}"


@cache
def _catalogue(code: str) -> dict[str, str]:
    if code == "en":
        return {}
    content = (files("reports.page") / "translations" / f"{code}.po").read_bytes()
    return {str(message.id): str(message.string) for message in read_po(io.BytesIO(content)) if message.string}
