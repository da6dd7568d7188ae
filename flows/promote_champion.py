"""The flow that approves a proposal of the gate: it promotes a model, with the same record as at the terminal."""

from __future__ import annotations

from typing import Annotated

import prefect.runtime.flow_run
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.parameters import DEFAULTS
from flows.provenance import read_code_version
from storage.champion_log import ChampionLog
from storage.runs import report_path
from storage.store import Store
from storage.store_address import choose_store
from tasks.champion.promotion import Reason, name_author, promote
from tasks.evaluation.page_address import address_page
from tasks.gate import PROMOTED, announce


@flow(name="promote-champion", flow_run_name="{training} of {run_id}", persist_result=False)
def promote_champion(
    run_id: Annotated[str, Field(description="the run, as `retrain history` lists it")],
    training: Annotated[str, Field(description="the training, such as gru-seed42")],
    why: Annotated[str, Field(description="the reason, which is kept in the log")],
    expect: Annotated[int | None, Field(description="refuse if the log ends with another record", ge=0)] = None,
    champion: Annotated[str, Field(description="name of the log of champions")] = DEFAULTS.champion,
    store: Annotated[str | None, Field(description="as of the deployment nightly")] = None,
    single_writer: Annotated[bool, Field(description="nobody else writes to the store")] = False,
) -> State[int]:
    """Make a model the champion.

    Returns:
        The number of the record, in a Completed state that says what was done.

    Raises:
        ValueError: There is no such model, it is damaged, blocked or the champion already, or the champion has changed.
        OSError: There is no such run, or the store cannot be used.
    """
    opened = Store(choose_store(store))
    author = name_author(str(prefect.runtime.flow_run.id))
    reason = Reason(why, author, expect, read_code_version().commit, single_writer=single_writer)
    entry = promote(ChampionLog(opened, champion), run_id, training, reason)
    text = f"{training} of {run_id} is the champion {champion} now, by record {entry.record.number}."
    get_run_logger().info(text)
    page = address_page(opened, run_id) if opened.exists(report_path(run_id)) else ""
    announce(PROMOTED, champion, page, {"text": text, "run_id": run_id, "training": training, "why": why})
    return Completed(message=text, data=entry.record.number)
