"""`retrain inspect`: show what would be read of a team's reviews, and train nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict

from flows.cli.exit_codes import ALL_WELL
from storage.text import on_one_line
from tasks.data.reading.inspection import Example, Inspection, inspect_source
from tasks.data.reading.layout import describe_layout
from tasks.data.reading.readings import ReadingOptions

FILES_SHOWN, LABELS_SHOWN = 20, 20
NARROWEST = 40


def inspect(
    source: str,
    options: ReadingOptions,
    *,
    sha256: str | None,
    label_map: str | None,
    num_words: int,
    as_json: bool,
) -> int:
    """Print what would be read.

    Args:
        source: A file, a folder, an http(s) address or an object-store URI.
        options: How to read the files.
        sha256: Of an http(s) address.
        label_map: As the user gave it, or None.
        num_words: Size of the vocabulary.
        as_json: Whether to print one JSON object, for programs.

    Returns:
        The exit code.

    Raises:
        ValueError: A file cannot be read without the user's help.
        OSError: The source cannot be reached.
    """
    found = inspect_source(source, sha256, options, label_map, num_words)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return ALL_WELL
    width = max(NARROWEST, shutil.get_terminal_size((100, 24)).columns)
    for line in write_lines(found, num_words, width):
        print(line)
    return ALL_WELL


def write_lines(found: Inspection, num_words: int, width: int) -> Iterator[str]:
    """Yield what was found, a line each.

    Args:
        found: What would be read.
        num_words: Size of the vocabulary.
        width: Characters in a line of the examples.
    """
    layout = found.layout
    yield f"source      {found.source}"
    yield f"layout      {describe_layout(layout)}"
    yield f"columns     {on_one_line(', '.join(layout.columns[:20]))}"
    yield f"text        {layout.text_column}"
    yield f"label       {layout.label_column or 'by the folder'}"
    if layout.optional:
        yield f"also        {', '.join(layout.optional)}"
    yield f"records     {found.records:,}: {found.accepted:,} reviews, {found.records - found.accepted:,} rejected"
    for reason, count in found.rejected.items():
        yield f"              {reason}: {count:,}"
    if len(found.files) > 1:
        yield f"files       {len(found.files):,}"
        for one in found.files[:FILES_SHOWN]:
            yield f"              {one.name}: {one.accepted:,} reviews, {one.records - one.accepted:,} rejected"
    yield "labels"
    for label, count in list(found.labels.items())[:LABELS_SHOWN]:
        yield f"              {on_one_line(label)}: {count:,}  {found.meaning.get(label, '')}".rstrip()
    if found.question:
        yield f'              What they mean cannot be told. Give --label-map, such as "{found.suggestion}".'
    low, middle, high, longest = found.words
    yield f"words       {middle:,} in the median review; 90% have {low:,} to {high:,}, the longest {longest:,}"
    share = f"{found.unknown:.1%}"
    yield f"unknown     {share} of the words are not among the {num_words} most frequent of these reviews"
    yield f"repeated    {found.repeats:,} reviews have the text of an earlier one"
    yield from _write_examples("examples", found.examples, width)
    yield from _write_examples("rejected", found.rejects, width)


def _write_examples(title: str, examples: tuple[Example, ...], width: int) -> Iterator[str]:
    if examples:
        yield title
    for one in examples:
        line = f"  {one.file} {one.row:,}  {one.reason or on_one_line(one.label)}  {one.text}"
        yield line if len(line) <= width else f"{line[: width - 1]}…"
