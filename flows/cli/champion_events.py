"""Tell Prefect's server of a champion that was changed at the terminal."""

from __future__ import annotations

from flows.cli.prefect_server import check_server
from storage.champion_log import ChampionLog
from storage.champion_records import ChampionRecord

# How long the command waits for the server.
TELL_SECONDS = 10.0


def announce_change(log: ChampionLog, record: ChampionRecord) -> None:
    """Emit the event of a promotion or of going back, if Prefect's settings name a server; else do nothing."""
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if not url:
        return
    # Prefect's own thread would try for long, and say much, if nothing answers there.
    check_server(url)
    # Imported late: the commands that change nothing do not need them, nor does a terminal without a server.
    from prefect.events.worker import EventsWorker

    from storage.runs import report_path
    from tasks.artifacts import brief_requests
    from tasks.evaluation.page_address import address_page
    from tasks.gate import PROMOTED, ROLLED_BACK, announce

    event = PROMOTED if record.action == "promote" else ROLLED_BACK
    has_page = log.store.exists(report_path(record.run_id))
    champion = record.champion
    payload: dict[str, object] = {
        "text": f"champion {log.name}: {record.action} {record.training} of {record.run_id}: {record.why}",
        "run_id": record.run_id,
        "training": record.training,
        "champion_run_id": champion.run_id if champion else None,
        "champion_training": champion.training if champion else None,
        "record": record.number,
        "why": record.why,
    }
    with brief_requests():
        announce(event, log.name, address_page(log.store, record.run_id) if has_page else "", payload)
        EventsWorker.drain_all(timeout=TELL_SECONDS)
