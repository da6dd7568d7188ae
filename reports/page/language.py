"""The page's language: translated sentences, and numbers and dates in the format of the locale."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.lists import format_list
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
# Bidirectional embeddings, overrides and isolates; the marks that end them; and text that is already isolated.
# Source: Unicode Standard Annex 9, section 2.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ENDS = re.compile("[\u202c\u2069]")
_ISOLATED = re.compile("\u2068[^\u2066-\u2069]*\u2069")

# Shown in place of a missing figure.
MISSING = "–"


@dataclass(frozen=True)
class Language:
    """A language of the page. The sentences in the code are English; other languages have a catalogue of translations.

    Attributes:
        code: "en" or "ko".
    """

    code: str

    @property
    def locale(self) -> Locale:
        return Locale.parse(self.code)

    def gettext(self, message: str, /, **values: Any) -> str:
        """Return the translation of a message, with its placeholders replaced.

        Args:
            message: In English, with placeholders as in "{name} failed". Without a translation it stays English.
            **values: By placeholder. Text is isolated, so that its writing direction does not affect the sentence.
        """
        isolated = {name: isolate(value) if isinstance(value, str) else value for name, value in values.items()}
        return _catalogue(self.code).get(message, message).format(**isolated)

    def ngettext(self, singular: str, plural: str, count: int, **values: Any) -> str:
        """Return the translation of a message about `count` things, of which `{count}` is the number.

        Korean has no plural: its catalogue has translations for the plural messages only.
        """
        message = singular if count == 1 and self.code == "en" else plural
        return self.gettext(message, count=self.integer(count), **values)

    def integer(self, value: float | None) -> str:
        return MISSING if value is None else format_decimal(round(value), "#,##0", self.locale)

    def decimal(self, value: float | None, digits: int = 3, *, signed: bool = False) -> str:
        """Return a number with `digits` digits after the point; a number that is rounded to zero has no sign."""
        if value is None:
            return MISSING
        rounded = round(value, digits)
        pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
        plus = "+" if signed and rounded else ""
        return format_decimal(rounded or 0.0, f"{plus}{pattern};−{pattern}", self.locale)

    def percent(self, value: float | None, digits: int = 1) -> str:
        """Return a share, 0 to 1, as a percentage."""
        if value is None:
            return MISSING
        return format_percent(value, f"0.{'0' * digits}%" if digits else "0%", self.locale)

    def percentage_points(self, value: float | None) -> str:
        """Return a difference of shares, -1 to 1, in percentage points: with its sign and without a unit."""
        return MISSING if value is None else self.decimal(100 * value, 2, signed=True)

    def interval(self, low: str, high: str, *, signed: bool = False) -> str:
        """Return a range of two formatted numbers. Between signed numbers a dash would look like a third sign."""
        if self.code == "ko":
            return f"{low}~{high}"
        return f"{low} to {high}" if signed else f"{low}–{high}"

    def span(self, values: Sequence[int]) -> str:
        """Return one value, all values of at most three, or the smallest and the largest of more."""
        different = sorted(set(values))
        if len(different) > 3:
            return self.interval(str(different[0]), str(different[-1]))
        return ", ".join(map(str, different)) or MISSING

    def duration(self, seconds: float | None) -> str:
        """Return a time in seconds, or in minutes from two minutes on."""
        if seconds is None:
            return MISSING
        if seconds < 120:
            return self.gettext("{seconds} s", seconds=self.integer(seconds))
        return self.gettext("{minutes} min", minutes=self.integer(seconds / 60))

    def p_value(self, value: float | None) -> str:
        """Return a p-value with as many digits as it means: "< 0.001", "0.004", "0.45" or "> 0.99"."""
        if value is None:
            return MISSING
        if value < 0.001:
            return f"< {self.decimal(0.001)}"
        if value > 0.99:
            return f"> {self.decimal(0.99, 2)}"
        return self.decimal(value, 3 if value < 0.0995 else 2)

    def date(self, iso: str) -> str:
        """Return a time of ISO 8601 as date and time of day in UTC, with 24 hours."""
        moment = datetime.fromisoformat(iso).astimezone(UTC)
        return f"{self.day(iso)} {format_time(moment, 'HH:mm:ss', tzinfo=UTC, locale=self.locale)} UTC"

    def moment(self, iso: str) -> str:
        """Return day, month and time of a time of ISO 8601, in UTC: "25 November, 22:02"."""
        moment = datetime.fromisoformat(iso).astimezone(UTC)
        pattern = "d MMMM, HH:mm" if self.code == "en" else "M월 d일 HH:mm"
        return format_datetime(moment, pattern, tzinfo=UTC, locale=self.locale)

    def month(self, iso: str) -> str:
        """Return month and year of a date of ISO 8601, of which the day may be missing."""
        pattern = "MMMM y" if self.code == "en" else "y년 M월"
        return format_date(datetime.fromisoformat(f"{iso[:7]}-01"), pattern, locale=self.locale)

    def day(self, iso: str) -> str:
        """Return the date in UTC of a time of ISO 8601."""
        return format_date(datetime.fromisoformat(iso).astimezone(UTC), "long", locale=self.locale)

    def format_list(self, items: list[str]) -> str:
        """Return the items as a list in words: "a, b and c"."""
        return format_list(items, locale="en_GB" if self.code == "en" else self.locale)


def isolate(text: str) -> str:
    r"""Return the text between isolates if it has marks of writing direction, so that they end where the text ends.

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
