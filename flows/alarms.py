"""Put the alarms of `automations.yaml` on the server: `python -m flows.alarms automations.yaml`, as `make deploy` does.

`prefect automation create` would make a second one each time. Here an alarm is known by its name, is left alone where
nothing changed (an update would restart the time that it waits), and is deleted where the file no longer has it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.types import SecretDict
from pydantic import SecretStr

BLOCK = "retraining-alarm"
REFERENCE = f"webhook/{BLOCK}"
ADDRESS = "RETRAIN_ALARM_WEBHOOK"
TAG = "nightly-retraining"
BAD_INPUT = 2


def main(path: str) -> int:
    """Create, update and delete; print one line of what stands, and never the address."""
    try:
        address = read_address()
    except ValueError as error:
        print(f"make deploy: {error}", file=sys.stderr)
        return BAD_INPUT
    if address:
        headers = SecretDict({"Content-Type": "application/json"})
        Webhook(url=SecretStr(address), headers=headers).save(BLOCK, overwrite=True)
    with get_client(sync_client=True) as client:
        block = find_block(client)
        wanted = read_alarms(Path(path), block)
        changed = synchronise(wanted, client)
    print(f"Alarms: {len(wanted)} on the server, {changed} of them new or changed.")
    if block is None:
        print(f"No alarm calls anyone: {ADDRESS} is not set, and the server has no block {REFERENCE}.")
    return 0


def read_address() -> str | None:
    """Return the webhook's address, None where none is given.

    Raises:
        ValueError: It is no http(s) address. The message does not show it, for it is a secret.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{ADDRESS} must be an http or https address. What it is is not shown here.")
    return address


def find_block(client: SyncPrefectClient) -> str | None:
    """Return the id of the webhook's block, None where there is none."""
    blocks = client.read_block_documents_by_type("webhook", include_secrets=False)
    return next((str(block.id) for block in blocks if block.name == BLOCK), None)


def read_alarms(path: Path, block: str | None) -> list[AutomationCore]:
    """Return the file's automations, with the id of the webhook's block; without a block, those that need none."""
    alarms = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["automations"]:
        actions = [
            action | {"block_document_id": block} if needs_block(action) else action for action in entry["actions"]
        ]
        if block or not any(map(needs_block, actions)):
            alarms.append(AutomationCore.model_validate(entry | {"actions": actions, "tags": [TAG]}))
    return alarms


def needs_block(action: dict[str, Any]) -> bool:
    return "block_document_id" in action


def synchronise(wanted: list[AutomationCore], client: SyncPrefectClient) -> int:
    """Make the server's automations those that are wanted; return how many were not there as they are."""
    standing: dict[str, Automation] = {}
    for automation in client.read_automations():
        if TAG not in automation.tags:
            continue
        if automation.name in standing or automation.name not in {one.name for one in wanted}:
            client.delete_automation(automation.id)
        else:
            standing[automation.name] = automation
    changed = 0
    for alarm in wanted:
        there = standing.get(alarm.name)
        if there is None:
            client.create_automation(alarm)
        elif AutomationCore.model_validate(there.model_dump()) != alarm:
            client.update_automation(there.id, alarm)
        else:
            continue
        changed += 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
