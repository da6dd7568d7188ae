"""What reading a file of reviews takes and gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

DELIMITERS = {"tab": "\t", "semicolon": ";", "comma": ",", "bar": "|"}
NAMES_OF_DELIMITERS = {character: name for name, character in DELIMITERS.items()}
QUOTINGS = ("csv", "none")


@dataclass(frozen=True)
class ReadingOptions:
    """What the user said of the files; None: it is found out, and refused if it is ambiguous.

    Attributes:
        encoding: Python's name of the text encoding, such as "cp949".
        text_column: Name of the column of texts.
        label_column: Name of the column of labels.
        delimiter: What separates the columns of delimited text: "comma", "semicolon", "tab" or "bar".
        quoting: "csv" if fields of delimited text may stand in double quotes, "none" if a quote is a character.
    """

    encoding: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    quoting: str | None = None

    @classmethod
    def take_from(cls, given: object) -> ReadingOptions:
        """Return the options that stand among the attributes of flow parameters or of a parsed command line."""
        return cls(**{field.name: getattr(given, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class OwnSource:
    """Where a team's reviews are, and how to read them.

    Attributes:
        address: A file, a folder, an http(s) address or an object-store URI.
        sha256: Of an http(s) address; else None.
        options: How to read the files.
    """

    address: str
    sha256: str | None
    options: ReadingOptions


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, or a folder of texts with a file a review, which counts as one.

    Attributes:
        name: Path below the source with forward slashes; the file's own name if the source is a single file.
        path: Where it can be opened on this machine: the file itself, or a copy that was fetched.
        bytes: Its size.
        fingerprint: Size and modification time, or an ETag. It stands for the content until that is hashed again.
        label: The label of all its reviews, "neg" or "pos", if its folder says so; else None.
        split: The part of all its reviews, "train" or "test", if the folder above says so; else None.
    """

    name: str
    path: str
    bytes: int
    fingerprint: str
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Layout:
    """How a file is laid out, as it was found or given.

    Attributes:
        format: "csv", "json lines", "json array", "parquet", "fasttext" or "folder".
        columns: Names of all columns; those of a file without names are "column 1", "column 2", ...
        text_column: The column of texts.
        label_column: The column of labels; "" if the folder says them.
        optional: Which of review_id, created_at and split the file has.
        compression: "gzip", "zstd" or "".
        encoding: Python's name of the text encoding; "" if the format has none.
        delimiter: Of a CSV file, one character; else "".
        is_quoted: Whether the CSV file's fields may stand in double quotes.
        has_header: Whether the CSV file's first record names the columns.
        has_odd_quotes: Whether some quotes of the CSV file do not match, or that was not looked at.
        preamble: Lines before the header, such as a title, or before the first record of a CSV file.
        sample_labels: The labels of a CSV file's first records, in lower case and sorted.
    """

    format: str
    columns: tuple[str, ...]
    text_column: str
    label_column: str
    optional: tuple[str, ...] = ()
    compression: str = ""
    encoding: str = ""
    delimiter: str = ""
    is_quoted: bool = False
    has_header: bool = False
    has_odd_quotes: bool = False
    preamble: int = 0
    sample_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What was read from a file.

    Attributes:
        name: Of the source file.
        sha256: Of the file's bytes as they are, compressed or not; of a folder, of its files' names and hashes.
        layout: How the file is laid out.
        records: Records read, the rejected ones included. Equal to a count that was made independently.
        labels: Number of accepted reviews by label, as the file writes it, the most frequent first.
        rejected: Number of rejected records by reason.
    """

    name: str
    sha256: str
    layout: Layout
    records: int
    labels: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        return sum(self.labels.values())


def sum_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of several counts, the most frequent first.

    Example:
        >>> sum_counts([{"a": 1, "b": 2}, {"a": 3}])
        {'a': 4, 'b': 2}
    """
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())
