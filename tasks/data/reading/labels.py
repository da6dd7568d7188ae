"""Say which labels are negative and which positive: what is unambiguous, and what the user's map says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from storage.text import on_one_line

# Pairs of a negative and a positive label that mean nothing else.
PAIRS = (("0", "1"), ("neg", "pos"), ("negative", "positive"), ("false", "true"), ("__label__1", "__label__2"))
NAMES = {"neg": 0, "negative": 0, "0": 0, "pos": 1, "positive": 1, "1": 1}
SHOWN_LABELS = 12
MUST = '`label_map` must be like "1=neg,2=pos" or "1-4=neg,7-10=pos"'


@dataclass(frozen=True)
class LabelRule:
    """One entry of a label map.

    Attributes:
        text: The label as the map writes it, in lower case.
        least: The smallest number of a range, or None.
        most: Its largest number, or None.
        code: 0 negative or 1 positive.
    """

    text: str
    least: float | None
    most: float | None
    code: int

    def fits(self, label: str) -> bool:
        """Return whether the entry is about a label."""
        if label == self.text:
            return True
        number = _read_number(label)
        return (
            self.least is not None
            and self.most is not None
            and number is not None
            and self.least <= number <= self.most
        )


def parse_label_map(text: str) -> tuple[LabelRule, ...]:
    """Return the entries of a label map such as "1-4=neg,7-10=pos".

    Raises:
        ValueError: It cannot be read, or it maps to one class only.
    """
    rules = []
    for entry in text.split(","):
        label, equals, name = entry.rpartition("=")
        code = NAMES.get(name.strip().lower())
        if not equals or not label.strip() or code is None:
            raise ValueError(f"{MUST}. Received: label_map={on_one_line(text[:200])}.")
        rules.append(_make_rule(label.strip().lower(), code))
    if len({rule.code for rule in rules}) < 2:
        raise ValueError(f"{MUST}, with both neg and pos. Received: label_map={on_one_line(text[:200])}.")
    return tuple(rules)


def _make_rule(label: str, code: int) -> LabelRule:
    number = _read_number(label)
    if number is not None:
        return LabelRule(label, number, number, code)
    # The dash of a range, not the sign of its first number.
    dash = label.find("-", 1)
    least, most = _read_number(label[:dash]), _read_number(label[dash + 1 :])
    is_range = dash > 0 and least is not None and most is not None
    if is_range and least is not None and most is not None and least > most:
        raise ValueError(f"{MUST}, a range from its smallest number to its largest. Received: {on_one_line(label)}.")
    return LabelRule(label, least if is_range else None, most if is_range else None, code)


def _read_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def choose_labels(counts: Mapping[str, int], label_map: str | None) -> dict[str, int | None]:
    """Return for each label 0 if it is negative, 1 if it is positive, None if the map leaves it out.

    Args:
        counts: Number of reviews by label, as the files write it.
        label_map: As the user gave it, or None.

    Raises:
        ValueError: Without a map, the labels are not one of the pairs that are understood; or the map is wrong, knows
            none of the labels, or gives two answers for one. The message shows the labels with their counts.
    """
    if label_map is None:
        return _understand(counts)
    rules, chosen = parse_label_map(label_map), {}
    for label in counts:
        codes = {rule.code for rule in rules if rule.fits(label.strip().lower())}
        if len(codes) > 1:
            raise ValueError(
                f"`label_map` must say one thing of {on_one_line(label)}. Received: label_map={label_map}."
            )
        chosen[label] = codes.pop() if codes else None
    if counts and all(code is None for code in chosen.values()):
        raise ValueError(
            f"`label_map` must name labels that the files have: {show_counts(counts)}. Received: label_map={label_map}."
        )
    return chosen


def _understand(counts: Mapping[str, int]) -> dict[str, int | None]:
    found = {label: _write_plainly(label) for label in counts}
    for pair in PAIRS:
        if set(found.values()) <= set(pair):
            return {label: pair.index(plain) for label, plain in found.items()}
    raise ValueError(
        f"The labels must be 0/1, neg/pos, negative/positive, true/false, or have a map. They are: "
        f"{show_counts(counts)}. Give --label-map, such as {suggest_map(counts)}."
    )


def _write_plainly(label: str) -> str:
    plain = label.strip().lower()
    return plain[:-2] if plain in ("0.0", "1.0") else plain


def suggest_map(counts: Mapping[str, int]) -> str:
    """Return an example of a label map for these labels.

    Example:
        >>> suggest_map({"5.0": 3, "1.0": 2, "3.0": 1})
        '"1-2=neg,4-5=pos"'
    """
    numbers = sorted(number for label in counts if (number := _read_number(label)) is not None)
    if numbers and len(numbers) == len(counts):
        if len(numbers) == 2:
            return f'"{numbers[0]:g}=neg,{numbers[1]:g}=pos"'
        if numbers[0] >= 1 and numbers[-1] <= 5:
            return '"1-2=neg,4-5=pos"'
        if numbers[0] >= 0 and numbers[-1] <= 10:
            return '"1-4=neg,7-10=pos"'
    names = [on_one_line(label[:20]) for label in counts][:2]
    return f'"{"=neg,".join(names)}=pos"' if len(names) == 2 else '"bad=neg,good=pos"'


def name_meanings(codes: Mapping[str, int | None]) -> dict[str, str]:
    """Return by label "negative", "positive" or "left out", from what `choose_labels` returns."""
    names = {None: "left out", 0: "negative", 1: "positive"}
    return {label: names[code] for label, code in codes.items()}


def show_counts(counts: Mapping[str, int]) -> str:
    """Return labels with their counts, the most frequent first.

    Example:
        >>> show_counts({"1": 20, "2": 10})
        '1 (20), 2 (10)'
    """
    most = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{on_one_line(label[:40])} ({count:,})" for label, count in most[:SHOWN_LABELS])
    rest = len(most) - SHOWN_LABELS
    return f"{shown} and {rest:,} more" if rest > 0 else shown or "none"
