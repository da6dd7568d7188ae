"""The request to score a prefix. Imports none of the libraries of the process that does it."""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.bounds import Count, Sha256
from tasks.data.reading.readings import ReadingOptions
from tasks.processes.messages import Job


@dataclass(frozen=True)
class ScoreRequest:
    """A file or a prefix to score.

    Attributes:
        source: A file, a folder or an object-store URI.
        out: A .csv, .jsonl or .parquet file, or a URI of one.
        store: URI of the store that has the champion.
        champion: Name of its log.
        number: Of the record whose champion answers.
        options: How to read the files.
        with_text: Whether the rows repeat the texts.
        threads: How many batches to work on at once.
    """

    source: str
    out: str
    store: str
    champion: str
    number: int
    options: ReadingOptions = field(default_factory=ReadingOptions)
    with_text: bool = False
    threads: int = 1


@dataclass(frozen=True)
class ScoreAnswer:
    """What came out, and what it was made of.

    Attributes:
        identity: Of the model.
        inputs: SHA-256 of each file, by name.
        sha256: Of the output.
        rows: Records, each of which has a row.
        positive: Of them, how many were found positive.
        errors: Of them, how many could not be scored, by reason.
        unknown_words: Mean share of words outside the vocabulary.
        is_cached: Whether the same model had scored the same bytes before.
    """

    identity: Sha256
    inputs: dict[str, str]
    sha256: str
    rows: Count
    positive: Count
    errors: dict[str, Count]
    unknown_words: float
    is_cached: bool = False


SCORE: Job[ScoreRequest, ScoreAnswer] = Job("tasks.prediction.score_job", ScoreRequest, ScoreAnswer)
