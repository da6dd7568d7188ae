"""The flow that asks the champion about new reviews: a file or a prefix in, scored files out."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pyarrow import fs
from pydantic import Field

from flows.capacity import count_cpus
from flows.parameters import DEFAULTS
from reports.sections.data_section import PartFacts
from storage.champion_log import ChampionLog
from storage.champion_records import ChampionRecord
from storage.datasets import read_json
from storage.location import resolve_location
from storage.runs import read_run
from storage.store import Store
from storage.store_address import choose_store
from tasks.artifacts import UNREACHABLE, brief_requests
from tasks.data.reading.readings import ReadingOptions
from tasks.prediction.score_request import SCORE, ScoreAnswer, ScoreRequest
from tasks.processes.children import Children, children_of_run

TIMEOUT_SECONDS = 6 * 3600
# A day's prefix, or a day's file, begins with its date.
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@flow(name="score-reviews", flow_run_name="{source}", persist_result=False)
def score_reviews(
    source: Annotated[str, Field(description="a file, a folder or an object-store URI of reviews")],
    out: Annotated[str, Field(description="a .csv, .jsonl or .parquet file; a folder for a source of daily prefixes")],
    since: Annotated[date | None, Field(description="of daily prefixes, only those from this day on")] = None,
    champion: Annotated[str, Field(description="name of the log of champions")] = DEFAULTS.champion,
    encoding: Annotated[str | None, Field(description="text encoding of the files, such as cp949")] = None,
    text_column: Annotated[str | None, Field(description="column of the texts")] = None,
    with_text: Annotated[bool, Field(description="repeat the texts in the output")] = False,
    store: Annotated[str | None, Field(description="as of the deployment nightly")] = None,
) -> State[list[ScoreAnswer]]:
    """Score reviews with the champion, which is chosen once, at the beginning.

    A source of daily prefixes, whose names begin with a date, gives one output for each day. A day that the same
    champion has scored from the same bytes is left alone.

    Returns:
        What came out of each prefix, in a Completed state that says how much that was.

    Raises:
        ValueError: There is no champion, or a file or the output is not as it must be.
        OSError: The store, the source or the output cannot be reached.
    """
    opened = Store(choose_store(store))
    newest = ChampionLog(opened, champion).read_newest()
    if newest is None or newest.record.champion is None:
        raise ValueError(f"There must be a champion {champion} in {opened.locate('')}. There is none yet.")
    record = newest.record
    options = ReadingOptions(encoding=encoding, text_column=text_column)
    planned = plan_prefixes(source, out, since)
    with children_of_run() as children:
        answers = [
            score_prefix(
                ScoreRequest(
                    one, target, opened.absolute_uri, champion, record.number, options, with_text, count_cpus()
                ),
                children,
            )
            for one, target in planned
        ]
    show_scores(planned, answers, record, opened)
    rows, cached = sum(one.rows for one in answers), sum(one.is_cached for one in answers)
    errors = sum(sum(one.errors.values()) for one in answers)
    message = f"{rows:,} reviews by record {record.number} of {champion}, {errors:,} not scored, {cached} left alone"
    return Completed(message=message, data=answers)


@task(name="score", task_run_name="score {request.source}", cache_policy=NO_CACHE, persist_result=False)
def score_prefix(request: ScoreRequest, children: Children) -> ScoreAnswer:
    """Score one file or prefix in a child process.

    Raises:
        ChildFailedError: The process failed.
        BadInputError: It refused a file.
    """
    answer = children.ask(SCORE, request, TIMEOUT_SECONDS)
    get_run_logger().info(
        "%s: %s%d reviews, %d positive",
        request.out,
        "unchanged, " if answer.is_cached else "",
        answer.rows,
        answer.positive,
    )
    return answer


def plan_prefixes(source: str, out: str, since: date | None) -> list[tuple[str, str]]:
    """Return the sources to score, and where each goes.

    Raises:
        ValueError: `since` is given for a source without daily prefixes, or there are none since then.
    """
    location = resolve_location(source)
    with location.open_filesystem() as filesystem:
        is_folder = filesystem.get_file_info(location.root).type == fs.FileType.Directory
        found = filesystem.get_file_info(fs.FileSelector(location.root)) if is_folder else []
    days = sorted(one.base_name for one in found if DAY.match(one.base_name))
    if not days:
        if since is not None:
            raise ValueError(f"`since` needs daily prefixes, whose names begin with a date. {source} has none.")
        return [(source, out)]
    chosen = [name for name in days if since is None or name[:10] >= since.isoformat()]
    if not chosen:
        raise ValueError(f"`since` must leave a day. The last one of {source} is {days[-1][:10]}; since={since}.")
    folder = out.rstrip("/")
    return [(f"{source.rstrip('/')}/{name}", f"{folder}/{name.partition('.')[0]}.parquet") for name in chosen]


def show_scores(
    planned: list[tuple[str, str]], answers: list[ScoreAnswer], record: ChampionRecord, store: Store
) -> None:
    """Show in Prefect what came out, beside what the champion was trained on."""
    model = record.champion
    if model is None:
        return
    trained = describe_training(record, store)
    lines = [
        f"Champion {record.name}, record {record.number}: {model.training} of {model.run_id} ({model.identity[:12]})",
        "",
        "| source | reviews | not scored | positive | unknown words | output |",
        "|---|---|---|---|---|---|",
    ]
    for (source, out), one in zip(planned, answers, strict=True):
        errors = sum(one.errors.values())
        share = one.positive / max(1, one.rows - errors)
        note = " (unchanged)" if one.is_cached else ""
        lines.append(f"| {source}{note} | {one.rows:,} | {errors:,} | {share:.1%} | {one.unknown_words:.1%} | {out} |")
    if trained:
        share, unknown = trained.positive / max(1, trained.reviews), trained.out_of_vocabulary / max(1, trained.words)
        lines.append(f"| *its training reviews* | {trained.reviews:,} | | {share:.1%} | {unknown:.1%} | |")
    try:
        with brief_requests():
            create_markdown_artifact("\n".join(lines), key="scored-reviews", description=f"champion {record.name}")
    except UNREACHABLE as error:
        get_run_logger().warning("Prefect's server could not be told what was scored: %s", error)


def describe_training(record: ChampionRecord, store: Store) -> PartFacts | None:
    """Return the statistics of the reviews that the champion was trained on; None if they are gone."""
    try:
        run = read_run(store, record.champion.run_id) if record.champion else None
        if run is None or "profile" not in run.datasets:
            return None
        facts: dict[str, PartFacts] = read_json(
            store, run.datasets["profile"].files["facts"], dict[str, PartFacts], "counts"
        )
        return facts["train"]
    except (ValueError, OSError, KeyError):
        return None
