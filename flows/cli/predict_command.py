"""`retrain predict`: ask the champion about texts at the terminal, from standard input, or in files."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

from flows.cli.exit_codes import ALL_WELL, INTERRUPTED, SOME_FAILED
from flows.parameters import choose_store
from storage.text import on_one_line
from tasks.data.reading.readings import ReadingOptions
from tasks.prediction import Predictor, load_champion, load_model

# A longer text is no review, as for training.
MAXIMUM_CHARACTERS = 1_000_000
SHOWN_CHARACTERS, EXPLAINED_WORDS = 60, 5
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


def _read_lines(*, are_objects: bool) -> Iterator[tuple[dict[str, object], str | None]]:
    """Yield for each line of standard input its object, and why it cannot be scored, or None."""
    for line in sys.stdin.buffer:
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            yield {"text": ""}, "not decodable as utf-8"
            continue
        if not are_objects:
            yield {"text": text}, None
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("text"), str):
            yield {"text": ""}, "not a JSON object with a text"
        else:
            yield found, None


def _score_texts(predictor: Predictor, options: argparse.Namespace) -> int:
    has_failed = False
    if options.texts == ["-"]:
        rows = _read_lines(are_objects=options.jsonl)
    else:
        rows = iter([({"text": text}, None) for text in options.texts])
    for given, wrong in rows:
        text = str(given["text"])
        error = wrong or _find_error(text)
        has_failed |= error is not None
        answer: dict[str, object] = _answer(predictor, text) if error is None else {"error": error}
        if options.json:
            others = {name: value for name, value in given.items() if name != "text" or options.with_text}
            print(json.dumps({**others, **answer, **_name_model(predictor)}, ensure_ascii=False))
        else:
            print(_write_line(answer, text))
        if options.explain and error is None:
            print(_explain(predictor, text))
    if not options.json:
        print(describe_predictor(predictor))
    return SOME_FAILED if has_failed else ALL_WELL


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


def _answer(predictor: Predictor, text: str) -> dict[str, object]:
    answers = predictor.answer([text])
    probability = float(answers.probabilities[0])
    return {
        "predicted": "positive" if probability > 0.5 else "negative",
        "probability": float(f"{probability:.9g}"),
        "unknown_words": round(float(answers.unknown[0]), 4),
        "is_cut": bool(answers.is_cut[0]),
        "error": None,
    }


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


def _explain(predictor: Predictor, text: str) -> str:
    """Return the text's words, with those in brackets that moved the probability most, if they are left out."""
    words, moves = predictor.leave_one_out(text)
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

        def show(rows: int) -> None:
            done[0] = rows
            rate = rows / max(time.monotonic() - began, 1e-3)
            progress.update(task, description=f"{rows:,} reviews, {rate:,.0f} a second")

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
