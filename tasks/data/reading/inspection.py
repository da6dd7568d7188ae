"""Look at a source of reviews as a run would read it, without storing or training anything."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.text import on_one_line
from tasks.data.encoding.vocabulary import count_words, sort_counts
from tasks.data.reading.labels import choose_labels, name_meanings, suggest_map
from tasks.data.reading.layout import check_same_layout
from tasks.data.reading.read_file import read_file
from tasks.data.reading.readings import Layout, Reading, ReadingOptions, sum_counts
from tasks.data.reading.rejects import Batch
from tasks.data.reading.source_files import list_source_files
from tasks.data.reading.text_keys import normalised_key
from tasks.data.split import INDEX_FROM

EXAMPLES, REJECTS_SHOWN, SHOWN_CHARACTERS = 5, 10, 200
# The share of unknown words is estimated from this many reviews.
WORD_SAMPLE = 5000
QUANTILES = (0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Example:
    """The beginning of one record.

    Attributes:
        file: Its file.
        row: Its number in the file, from 1.
        label: Its label as the file writes it; "" for a rejected record.
        text: Its first 200 characters.
        reason: Why it would be rejected; "" if it would not.
    """

    file: str
    row: int
    label: str
    text: str
    reason: str = ""


@dataclass(frozen=True)
class Inspection:
    """What would be read.

    Attributes:
        source: The address.
        files: What was found in each file.
        layout: The layout of the first file.
        records: Records read from all files.
        accepted: Reviews.
        rejected: Number of rejected records by reason.
        labels: By label: how many reviews have it.
        meaning: By label: "negative", "positive" or "left out"; empty if a map is needed.
        question: What is needed to tell what the labels mean; "" if nothing is.
        suggestion: A label map that would fit; "" if none is needed.
        words: Words per review at the 5%, 50% and 95% quantile, and of the longest review.
        unknown: Share of the words that are not among the `num_words` most frequent ones of the reviews themselves.
        repeats: Reviews whose text an earlier one has too.
        examples: The first reviews.
        rejects: The first rejected records.
    """

    source: str
    files: tuple[Reading, ...]
    layout: Layout
    records: int
    accepted: int
    rejected: dict[str, int]
    labels: dict[str, int]
    meaning: dict[str, str]
    question: str
    suggestion: str
    words: tuple[int, ...]
    unknown: float
    repeats: int
    examples: tuple[Example, ...]
    rejects: tuple[Example, ...]


@dataclass
class _Gathered:
    """What is kept of the records while they pass."""

    words: list[npt.NDArray[np.int32]] = field(default_factory=list)
    keys: list[pa.Array] = field(default_factory=list)
    sample: list[pa.Array] = field(default_factory=list)
    sampled: int = 0
    examples: list[Example] = field(default_factory=list)
    rejects: list[Example] = field(default_factory=list)

    def take(self, file: str, batch: Batch) -> None:
        texts = batch.accepted["text"].combine_chunks()
        self.keys.append(normalised_key(texts))
        self.words.append(estimate_words(texts))
        if self.sampled < WORD_SAMPLE:
            self.sample.append(texts.slice(0, WORD_SAMPLE - self.sampled))
            self.sampled += len(self.sample[-1])
        if len(self.examples) < EXAMPLES:
            for row in batch.accepted.slice(0, EXAMPLES - len(self.examples)).to_pylist():
                self.examples.append(
                    Example(file, row["row"], row["label"], on_one_line(row["text"][:SHOWN_CHARACTERS]))
                )
        if len(self.rejects) < REJECTS_SHOWN:
            for row in batch.rejected.slice(0, REJECTS_SHOWN - len(self.rejects)).to_pylist():
                beginning = on_one_line(row["beginning"] or "")
                self.rejects.append(Example(file, row["row"], "", beginning, row["reason"]))


def estimate_words(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return the number of words in each text: int32; counted by its spaces, which is quick."""
    words: npt.NDArray[np.int32] = pc.add(pc.count_substring(texts, " "), 1).to_numpy().astype(np.int32)
    return words


def inspect_source(
    source: str, sha256: str | None, options: ReadingOptions, label_map: str | None, num_words: int
) -> Inspection:
    """Read a source, and return what a run would read.

    Args:
        source: A file, a folder, an http(s) address or an object-store URI.
        sha256: Of an http(s) address.
        options: How to read the files.
        label_map: As the user gave it; None is no error, but the labels may have no meaning then.
        num_words: Size of the vocabulary.

    Raises:
        ValueError: A file cannot be read without the user's help.
        OSError: The source cannot be reached.
    """
    gathered = _Gathered()
    with tempfile.TemporaryDirectory() as temporary:
        files = list_source_files(source, sha256, Path(temporary))
        readings = tuple(read_file(file, options, partial(gathered.take, file.name), "") for file in files)
    check_same_layout({one.name: one.layout for one in readings})
    labels = sum_counts(one.labels for one in readings)
    meaning, question = _explain_labels(labels, label_map)
    words = np.concatenate(gathered.words) if gathered.words else np.zeros(0, np.int32)
    keys = pa.chunked_array(gathered.keys or [pa.array([], pa.binary(16))])
    return Inspection(
        source=source,
        files=readings,
        layout=readings[0].layout,
        records=sum(one.records for one in readings),
        accepted=sum(labels.values()),
        rejected=sum_counts(one.rejected for one in readings),
        labels=labels,
        meaning=meaning,
        question=question,
        suggestion=suggest_map(labels).strip('"') if question else "",
        words=tuple(int(value) for value in np.quantile(words, QUANTILES)) if len(words) else (0,) * len(QUANTILES),
        unknown=_share_unknown(gathered.sample, num_words),
        repeats=len(keys) - int(pc.count_distinct(keys).as_py()),
        examples=tuple(gathered.examples),
        rejects=tuple(gathered.rejects),
    )


def _explain_labels(counts: dict[str, int], label_map: str | None) -> tuple[dict[str, str], str]:
    try:
        return name_meanings(choose_labels(counts, label_map)), ""
    except ValueError as error:
        if label_map is not None:
            raise
        return {}, str(error)


def _share_unknown(texts: list[pa.Array], num_words: int) -> float:
    counts = sort_counts(count_words(texts, "words"))["count"].to_numpy()
    return float(1 - counts[: num_words - INDEX_FROM].sum() / max(1, counts.sum()))
