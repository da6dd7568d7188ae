"""Score the reviews of one prefix in a child process, and keep beside the output what it was made of."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from storage.champion_log import ChampionLog
from storage.decoding import decode_record
from storage.location import resolve_location
from storage.manifests import open_manifest, seal_manifest
from storage.publishing import publishing
from storage.store import DamagedFileError, Store
from tasks.data.reading.source_files import hash_file, list_source_files
from tasks.prediction.predictor import Predictor
from tasks.prediction.score_file import Scoring, score_source
from tasks.prediction.score_request import SCORE, ScoreAnswer, ScoreRequest
from tasks.processes.messages import Event, RecordsRead

JOB = SCORE


def main(request: ScoreRequest, tell: Callable[[Event], None]) -> ScoreAnswer:
    """Score a prefix with the champion of a record, unless the same model scored the same bytes before."""
    log = ChampionLog(Store(request.store), request.champion)
    model = log.read(request.number).record.champion
    if model is None:
        raise ValueError(f"Record {request.number} of {request.champion} must have a champion. It has none.")
    inputs = hash_inputs(request.source)
    before = read_receipt(request.out)
    if (
        before
        and (before.identity, before.inputs) == (model.identity, inputs)
        and hash_output(request.out) == before.sha256
    ):
        return replace(before, is_cached=True)
    if "://" not in request.out:
        Path(request.out).parent.mkdir(parents=True, exist_ok=True)
    predictor = Predictor(model, log.store, request.champion, request.number)
    unknown: list[float] = []

    def on_rows(rows: int, _bytes: int) -> None:
        tell(RecordsRead(request.source, rows))

    scoring = Scoring(request.options, with_text=request.with_text, overwrite=True, threads=request.threads)
    found = score_source(predictor, request.source, request.out, scoring, on_rows, unknown.append)
    answer = ScoreAnswer(
        identity=model.identity,
        inputs=inputs,
        sha256=hash_output(request.out) or "",
        rows=found.rows,
        positive=found.positive,
        errors=found.errors,
        unknown_words=sum(unknown) / max(1, found.rows - sum(found.errors.values())),
    )
    write_receipt(request.out, answer)
    return answer


def hash_inputs(source: str) -> dict[str, str]:
    """Return the SHA-256 of each file of a source, by name."""
    with tempfile.TemporaryDirectory() as temporary:
        return {file.name: hash_file(file) for file in list_source_files(source, None, Path(temporary))}


def hash_output(out: str) -> str | None:
    """Return the SHA-256 of an output; None if there is none."""
    location = resolve_location(out)
    digest = hashlib.sha256()
    try:
        with location.open_filesystem() as filesystem, filesystem.open_input_stream(location.root) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def read_receipt(out: str) -> ScoreAnswer | None:
    """Return what an output was made of; None if that is not known for sure."""
    location = resolve_location(f"{out}.json")
    with suppress(FileNotFoundError, DamagedFileError):
        with location.open_filesystem() as filesystem, filesystem.open_input_file(location.root) as file:
            content = open_manifest(file.read())
        return decode_record(ScoreAnswer, content, out) if content else None
    return None


def write_receipt(out: str, answer: ScoreAnswer) -> None:
    """Write what an output was made of beside it."""
    location = resolve_location(f"{out}.json")
    content = seal_manifest(json.loads(json.dumps(asdict(answer))))
    with publishing(location, location.root) as write:
        write(content)
