"""`retrain predict`: ask the champion about texts at the terminal, from standard input, or in files."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flows.cli.exit_codes import ALL_WELL, INTERRUPTED, SOME_FAILED
from storage.store_address import choose_store
from storage.text import on_one_line
from tasks.data.reading.readings import ReadingOptions
from tasks.prediction import Predictor, load_champion, load_model

# A longer text is no review, as for training.
MAXIMUM_CHARACTERS = 1_000_000
SHOWN_CHARACTERS, EXPLAINED_WORDS = 60, 5
READ_BYTES, ROWS_AT_ONCE = 1 << 16, 512
RED, GREEN, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"


def run_predict_command(options: argparse.Namespace) -> int:
    """Score texts or files, and print what came out.

    Returns:
        The exit code: 1 if a row could not be scored.

    Raises:
        ValueError: The options do not fit together, there is no champion, it is damaged, or a file cannot be read.
        OSError: The store or a file cannot be reached.
    """
    _check_options(options)
    predictor = _load(options)
    if options.file:
        return _score_file(predictor, options)
    return _score_texts(predictor, options)


def _check_options(options: argparse.Namespace) -> None:
    if bool(options.texts) == bool(options.file):
        raise ValueError("Give texts, - for standard input, or --file with --out.")
    if bool(options.file) != bool(options.out):
        raise ValueError("--file and --out go together.")
    if bool(options.run) != bool(options.training):
        raise ValueError("--run and --training go together.")
    if "-" in options.texts and len(options.texts) > 1:
        raise ValueError("- stands for all texts, one a line of standard input, and goes alone.")
    if options.jsonl and options.texts != ["-"]:
        raise ValueError("--jsonl goes with -, whose lines are then objects with a text.")


def _load(options: argparse.Namespace) -> Predictor:
    store = choose_store(options.store)
    if options.run:
        return load_model(options.run, options.training, store)
    return load_champion(store, options.champion)


def describe_predictor(predictor: Predictor) -> str:
    """Return who answers, as one line."""
    who = f"champion {predictor.name}, record {predictor.number}: " if predictor.name else ""
    return f"{who}{predictor.training} of {predictor.run_id}, identity {predictor.identity[:12]}"


Row = tuple[dict[str, object], str | None]


def _read_lines(*, are_objects: bool) -> Iterator[list[Row]]:
    """Yield the lines of standard input that have come so far: each as an object, and why it cannot be scored."""
    rest = b""
    # As many as are there: whoever writes one line and waits for its answer gets it.
    while chunk := sys.stdin.buffer.read1(READ_BYTES):  # type: ignore[union-attr]  # of a buffered reader
        *lines, rest = (rest + chunk).split(b"\n")
        for first in range(0, len(lines), ROWS_AT_ONCE):
            yield [_read_line(line, are_objects=are_objects) for line in lines[first : first + ROWS_AT_ONCE]]
    if rest:
        yield [_read_line(rest, are_objects=are_objects)]


def _read_line(line: bytes, *, are_objects: bool) -> Row:
    try:
        text = line.decode().rstrip("\r").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return {"text": ""}, "not decodable as utf-8"
    if not are_objects:
        return {"text": text}, None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        return {"text": ""}, "not a JSON object with a text"
    return found, None


def _score_texts(predictor: Predictor, options: argparse.Namespace) -> int:
    has_failed = False
    batches: Iterator[list[Row]] = iter([[({"text": text}, None) for text in options.texts]])
    if options.texts == ["-"]:
        batches = _read_lines(are_objects=options.jsonl)
    for batch in batches:
        answers = _answer_batch(predictor, batch)
        has_failed |= any(answer["error"] is not None for answer in answers)
        for (given, _), answer in zip(batch, answers, strict=True):
            _print_answer(predictor, given, answer, options)
    if not options.json:
        print(describe_predictor(predictor))
    return SOME_FAILED if has_failed else ALL_WELL


def _print_answer(
    predictor: Predictor, given: dict[str, object], answer: dict[str, object], options: argparse.Namespace
) -> None:
    text = str(given["text"])
    moves = predictor.leave_one_out(text) if options.explain and answer["error"] is None else None
    if options.json:
        others = {name: value for name, value in given.items() if name != "text" or options.with_text}
        explained = {"words": [list(pair) for pair in zip(*moves, strict=True)]} if moves else {}
        print(json.dumps({**others, **answer, **explained, **_name_model(predictor)}, ensure_ascii=False))
        return
    print(_write_line(answer, text))
    if moves:
        print(_explain(*moves))


def _find_error(text: str) -> str | None:
    if not text.strip():
        return "empty"
    if len(text) > MAXIMUM_CHARACTERS:
        return f"longer than {MAXIMUM_CHARACTERS:,} characters"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "not decodable as utf-8"
    return "NUL character" if "\x00" in text else None


def _answer_batch(predictor: Predictor, batch: list[Row]) -> list[dict[str, object]]:
    """Return what the model says of each text, or why it says nothing."""
    errors = [wrong or _find_error(str(given["text"])) for given, wrong in batch]
    answers = predictor.answer(
        [str(given["text"]) for (given, _), error in zip(batch, errors, strict=True) if not error]
    )
    found = zip(answers.probabilities.tolist(), answers.unknown.tolist(), answers.is_cut.tolist(), strict=True)
    rows: list[dict[str, object]] = []
    for error in errors:
        if error:
            rows.append({"predicted": None, "probability": None, "unknown_words": None, "is_cut": None, "error": error})
            continue
        probability, unknown, is_cut = next(found)
        rows.append(
            {
                "predicted": "positive" if probability > 0.5 else "negative",
                # Float32 as the shortest number that gives it back.
                "probability": float(f"{probability:.9g}"),
                "unknown_words": round(unknown, 4),
                "is_cut": is_cut,
                "error": None,
            }
        )
    return rows


def _name_model(predictor: Predictor) -> dict[str, object]:
    return {
        "champion": predictor.name,
        "champion_number": predictor.number,
        "model_identity": predictor.identity,
        "run_id": predictor.run_id,
        "training": predictor.training,
    }


def _write_line(answer: dict[str, object], text: str) -> str:
    shown = on_one_line(text[:SHOWN_CHARACTERS]) + ("…" if len(text) > SHOWN_CHARACTERS else "")
    if answer["error"] is not None:
        return f"error     {answer['error']}: {shown}"
    notes = f"{answer['unknown_words']:.0%} unknown"
    notes += ", all of its words" if answer["unknown_words"] == 1 else ""
    notes += ", cut" if answer["is_cut"] else ""
    return f"{answer['predicted']}  {answer['probability']:.1%}  ({notes})  {shown}"


def _explain(words: tuple[str, ...], moves: list[float]) -> str:
    """Return a text's words, with those in brackets that moved the probability most, if they are left out."""
    strongest = sorted(range(len(words)), key=lambda place: -abs(moves[place]))[:EXPLAINED_WORDS]
    has_colour = sys.stdout.isatty()
    shown = []
    for place, word in enumerate(words):
        if place not in strongest or not moves[place]:
            shown.append(word)
            continue
        mark = f"[{word} {100 * moves[place]:+.1f}]"
        colour = GREEN if moves[place] > 0 else RED
        shown.append(f"{colour}{mark}{PLAIN}" if has_colour else mark)
    return f"  {' '.join(shown)}"


def _score_file(predictor: Predictor, options: argparse.Namespace) -> int:
    # Imported late: a text at the terminal needs neither the readers nor Rich.
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from flows.capacity import count_cpus
    from tasks.prediction.score_file import Scoring, score_source

    began, done = time.monotonic(), [0]
    scoring = Scoring(ReadingOptions.take_from(options), options.with_text, options.overwrite, count_cpus())
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading ...")

        size = measure_plain(options.file)

        def show(rows: int, taken: int) -> None:
            done[0] = rows
            elapsed = max(time.monotonic() - began, 1e-3)
            # The texts are nearly all of a plain file.
            left = elapsed * (size - taken) / taken if size and taken else None
            note = "" if left is None else f", about {max(left, 0):.0f} s left"
            progress.update(task, description=f"{rows:,} reviews, {rows / elapsed:,.0f} a second{note}")

        try:
            found = score_source(predictor, options.file, options.out, scoring, show)
        except KeyboardInterrupt:
            print(
                f"retrain predict: interrupted after {done[0]:,} reviews; {options.out} was not written",
                file=sys.stderr,
            )
            return INTERRUPTED
    errors = sum(found.errors.values())
    summary = {
        "rows": found.rows,
        "positive": found.positive,
        "errors": found.errors,
        "out": options.out,
        "seconds": round(time.monotonic() - began, 2),
        **_name_model(predictor),
    }
    if options.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        share = found.positive / max(1, found.rows - errors)
        print(f"{found.rows:,} reviews, {share:.1%} positive, {errors:,} not scored: {options.out}")
        for reason, count in found.errors.items():
            print(f"  {count:,} {reason}")
        print(describe_predictor(predictor))
    return SOME_FAILED if errors else ALL_WELL


def measure_plain(source: str) -> int | None:
    """Return the size of a local file of plain text in bytes; None for anything else."""
    path = Path(source)
    is_plain = path.suffix.lower() in (".csv", ".tsv", ".jsonl", ".json", ".txt")
    return path.stat().st_size if is_plain and path.is_file() else None
