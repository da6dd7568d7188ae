"""Score the reviews of files: one row out for each record in, in its order, whatever becomes of it."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.location import Location, resolve_location
from storage.publishing import TEMPORARY_SUFFIX, flush_to_disk, publishing
from tasks.data.encoding.in_order import map_in_order
from tasks.data.reading.columns import normalise_name
from tasks.data.reading.layout import find_layout
from tasks.data.reading.read_file import read_records
from tasks.data.reading.readings import Layout, ReadingOptions, SourceFile
from tasks.data.reading.rejects import Records, sift_records
from tasks.data.reading.source_files import check_unchanged, fetch, list_source_files
from tasks.prediction.predictor import Predictor
from tasks.prediction.row_writers import Writer, open_writer

CHUNK_BYTES = 1 << 20
OURS = pa.schema(
    [
        ("predicted", pa.string()),
        ("probability", pa.float32()),
        ("unknown_words", pa.float32()),
        ("is_cut", pa.bool_()),
        ("champion", pa.string()),
        ("champion_number", pa.int64()),
        ("model_identity", pa.string()),
        ("error", pa.string()),
    ]
)
TEXT, FILE = "text", "file"


@dataclass(frozen=True)
class Scored:
    """What came out.

    Attributes:
        rows: Records, each of which has a row.
        positive: Of them, how many were found positive.
        errors: Of them, how many could not be scored, by reason.
    """

    rows: int
    positive: int
    errors: dict[str, int]


@dataclass(frozen=True)
class Scoring:
    """How to score.

    Attributes:
        options: What the user said of the files.
        with_text: Whether the rows repeat the texts.
        overwrite: Whether the output may exist.
        threads: How many batches to work on at once.
    """

    options: ReadingOptions
    with_text: bool = False
    overwrite: bool = False
    threads: int = 1


def score_source(
    predictor: Predictor,
    source: str,
    out: str,
    scoring: Scoring,
    on_rows: Callable[[int, int], None] = lambda _rows, _bytes: None,
    on_unknown: Callable[[float], None] = lambda _sum: None,
) -> Scored:
    """Score all reviews of a source. The output appears whole, or not at all.

    Args:
        predictor: The model.
        source: A file, a folder, or an object-store URI.
        out: A .csv, .jsonl or .parquet file, or an object-store URI of one.
        scoring: How.
        on_rows: Called with the number of rows so far, and the bytes of their texts.
        on_unknown: Called with the sum of the shares of unknown words of some rows.

    Raises:
        ValueError: A file cannot be read without the user's help, or the output cannot be written.
        OSError: The source or the output cannot be reached.
    """
    check_output(source, out, overwrite=scoring.overwrite)
    with tempfile.TemporaryDirectory() as temporary:
        files = list_source_files(source, None, Path(temporary))
        opened = [(file, path, _lay_out(path, file, scoring.options)) for file in files for path in [fetch(file)]]
        columns = _name_columns(opened, scoring)
        target = Path(out) if _is_local(out) else Path(temporary) / f"scored{Path(out).suffix}"
        partial_file = target.with_name(f".{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
        try:
            with open_writer(partial_file, Path(out).suffix, _schema_of(columns, scoring, len(files) > 1)) as writer:
                found = _write_all(predictor, opened, columns, scoring, writer, on_rows, on_unknown)
            _publish(partial_file, target, out, overwrite=scoring.overwrite)
        finally:
            with suppress(FileNotFoundError):
                partial_file.unlink()
    return found


def check_output(source: str, out: str, *, overwrite: bool) -> None:
    """Raise a ValueError for an output that is of no known kind, is the input, exists, or is in no folder."""
    if Path(out).suffix not in (".csv", ".jsonl", ".parquet"):
        raise ValueError(f"--out must end in .csv, .jsonl or .parquet. Received: {out}.")
    if not _is_local(out):
        if not overwrite and _exists(resolve_location(out)):
            raise ValueError(f"--out must not exist yet, or give --overwrite. Received: {out}.")
        return
    path = Path(out)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"--out must be in a folder that can be written. Received: {out}.")
    if _is_local(source) and path.exists() and Path(source).exists() and path.samefile(source):
        raise ValueError(f"--out must be another file than the one that is read. Received: {out}.")
    if path.is_dir() or (path.exists() and not overwrite):
        raise ValueError(f"--out must not exist yet, or give --overwrite. Received: {out}.")


def _is_local(address: str) -> bool:
    return "://" not in address


def _exists(location: Location) -> bool:
    with location.open_filesystem() as filesystem:
        return bool(filesystem.get_file_info(location.root).is_file)


def _lay_out(path: Path, file: SourceFile, options: ReadingOptions) -> Layout:
    """Return the layout of a file whose records need no label, with all its columns."""
    # A label that the folder says is one that need not be looked for.
    layout = find_layout(path, file.name, options, label="none")
    others = [column for column in layout.columns if column != layout.text_column]
    named = {normalise_name(column): column for column in others}
    if len(named) < len(others) or "text" in named:
        raise ValueError(
            f"{file.name} must have columns with different names, and none beside the texts that is called text. "
            f"Received: {', '.join(layout.columns)}."
        )
    # The readers have a place of their own for labels.
    label = named.pop("label", "")
    return replace(layout, label_column=label, optional=tuple(named))


def _name_columns(opened: list[tuple[SourceFile, Path, Layout]], scoring: Scoring) -> dict[str, str]:
    """Return the other columns of the files, by the name that the readers give them.

    Raises:
        ValueError: The files have different columns, or one that is called as ours are.
    """
    first_file, _, first = opened[0]
    for file, _, layout in opened:
        if (layout.columns, layout.text_column) != (first.columns, first.text_column):
            raise ValueError(
                f"All files of a source must have the same columns. {first_file.name} has {', '.join(first.columns)}, "
                f"and {file.name} has {', '.join(layout.columns)}."
            )
    named = {normalise_name(column): column for column in first.columns if column != first.text_column}
    taken = {*OURS.names, *([TEXT] if scoring.with_text else []), *([FILE] if len(opened) > 1 else [])}
    if clashes := sorted(taken & set(named.values())):
        raise ValueError(
            f"{first_file.name} must have no column that is called as one of the output's. Received: "
            f"{', '.join(clashes)}. Rename it."
        )
    return named


def _schema_of(columns: dict[str, str], scoring: Scoring, has_file: bool) -> pa.Schema:
    others = [(column, pa.string()) for column in columns.values()]
    texts = [(TEXT, pa.string())] if scoring.with_text else []
    return pa.schema([*([(FILE, pa.string())] if has_file else []), *others, *texts, *OURS])


def _write_all(
    predictor: Predictor,
    opened: list[tuple[SourceFile, Path, Layout]],
    columns: dict[str, str],
    scoring: Scoring,
    writer: Writer,
    on_rows: Callable[[int, int], None],
    on_unknown: Callable[[float], None],
) -> Scored:
    errors: Counter[str] = Counter()
    rows = positive = size = 0

    def score(records: Records, *, file: SourceFile, layout: Layout) -> tuple[pa.Table, int]:
        table = score_records(predictor, records, file=file, layout=layout, columns=columns, schema=writer.schema)
        return table, records.text.nbytes

    for file, path, layout in opened:
        score_one = partial(score, file=file, layout=layout)
        for table, taken in map_in_order(score_one, read_records(path, layout, file.name), scoring.threads):
            writer.write(table)
            size += taken
            rows += len(table)
            positive += pc.sum(pc.equal(table["predicted"], "positive")).as_py() or 0
            errors.update(table["error"].drop_null().to_pylist())
            on_rows(rows, size)
            on_unknown(pc.sum(table["unknown_words"]).as_py() or 0.0)
        check_unchanged(file)
    return Scored(rows, positive, dict(errors.most_common()))


def score_records(
    predictor: Predictor,
    records: Records,
    *,
    file: SourceFile,
    layout: Layout,
    columns: dict[str, str],
    schema: pa.Schema,
) -> pa.Table:
    """Return a row for each record, in order: its other columns, what the model says, or why it says nothing."""
    sifted = sift_records(
        Records(records.rows, records.text, pa.repeat("none", len(records.text)), {}, records.broken),
        file.name,
        layout.encoding or "text",
    )
    numbers = np.sort(np.concatenate([records.rows.to_numpy(), [row for row, _, _ in records.broken]]).astype(np.int64))
    count = len(numbers)
    texts = sifted.accepted["text"].combine_chunks()
    answers = predictor.answer(texts)
    places = np.searchsorted(numbers, sifted.accepted["row"].to_numpy())
    wrong = np.searchsorted(numbers, sifted.rejected["row"].to_numpy())
    values = {
        FILE: pa.repeat(file.name, count),
        "predicted": _spread(pa.array(np.where(answers.probabilities > 0.5, "positive", "negative")), places, count),
        "probability": _spread(pa.array(answers.probabilities), places, count),
        "unknown_words": _spread(pa.array(answers.unknown), places, count),
        "is_cut": _spread(pa.array(answers.is_cut), places, count),
        "champion": pa.array([predictor.name or f"{predictor.run_id}/{predictor.training}"] * count, pa.string()),
        "champion_number": pa.array([predictor.number] * count, pa.int64()),
        "model_identity": pa.repeat(predictor.identity, count),
        "error": _spread(sifted.rejected["reason"].combine_chunks(), wrong, count),
        TEXT: _spread(texts, places, count),
    }
    known = np.searchsorted(numbers, records.rows.to_numpy())
    given = {**records.optional, "label": records.label}
    values |= {column: _spread(given[name], known, count) for name, column in columns.items() if name in given}
    return pa.table(
        [values[name].cast(kind) for name, kind in zip(schema.names, schema.types, strict=True)], schema=schema
    )


def _spread(values: pa.Array, places: np.ndarray, count: int) -> pa.Array:  # type: ignore[type-arg]
    """Return values at their places among `count` rows, and null elsewhere."""
    indices = np.full(count, -1, np.int64)
    indices[places] = np.arange(len(places))
    return values.take(pa.array(indices, mask=indices < 0))


def _publish(partial_file: Path, target: Path, out: str, *, overwrite: bool) -> None:
    flush_to_disk(str(partial_file))
    if not _is_local(out):
        location = resolve_location(out)
        with publishing(location, location.root) as write, partial_file.open("rb") as content:
            for chunk in iter(lambda: content.read(CHUNK_BYTES), b""):
                write(chunk)
        return
    if overwrite:
        partial_file.replace(target)
    else:
        try:
            os.link(partial_file, target)
        except FileExistsError:
            raise ValueError(f"--out must not exist yet, or give --overwrite. Received: {out}.") from None
        except OSError:
            # A file system without links.
            partial_file.replace(target)
    flush_to_disk(str(target.parent))
