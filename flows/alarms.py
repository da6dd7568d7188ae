"""Put the alarms of `automations.yaml` on the server: `python -m flows.alarms automations.yaml`, as `make deploy` does.

`prefect automation create` would create each alarm again. This command identifies an alarm by its name. It deletes an
alarm that the file no longer has, and does not update one that has not changed, because an update restarts its waiting.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
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
    """Make the server's alarms those of the file at `path`, and print how many changed, never the webhook's address.

    Returns:
        The exit code: 2 if the webhook's address is not one.
    """
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
        changed = synchronise_alarms(wanted, client)
    print(f"Alarms: {len(wanted)} on the server, {changed} of them new or changed.")
    if block is None:
        print(f"No alarm calls anyone: {ADDRESS} is not set, and the server has no block {REFERENCE}.")
    return 0


def read_address() -> str | None:
    """Return the webhook's address from the environment, or None if it is not set.

    Raises:
        ValueError: It is not an http(s) address. The message does not show it, because it is a secret.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{ADDRESS} must be an http or https address. The value is a secret and is not shown.")
    return address


def find_block(client: SyncPrefectClient) -> str | None:
    """Return the id of the webhook's block, or None if the server has none."""
    blocks = client.read_block_documents_by_type("webhook", include_secrets=False)
    return next((str(block.id) for block in blocks if block.name == BLOCK), None)


def read_alarms(path: Path, block: str | None) -> list[AutomationCore]:
    """Return the automations of a file.

    Args:
        path: The file.
        block: Id of the webhook's block, which the automations get. If None, those that need a block are left out.
    """
    alarms = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["automations"]:
        actions = [
            action | {"block_document_id": block} if needs_block(action) else action for action in entry["actions"]
        ]
        if block or not any(map(needs_block, actions)):
            alarms.append(AutomationCore.model_validate(entry | {"actions": actions, "tags": [TAG]}))
    return alarms


def needs_block(action: Mapping[str, object]) -> bool:
    return "block_document_id" in action


def synchronise_alarms(wanted: list[AutomationCore], client: SyncPrefectClient) -> int:
    """Make the server's alarms those that are wanted.

    Args:
        wanted: All alarms; the project's other ones are deleted.
        client: A client of the server.

    Returns:
        How many alarms were created or updated.
    """
    existing = _delete_unwanted({alarm.name for alarm in wanted}, client)
    changed = 0
    for alarm in wanted:
        current = existing.get(alarm.name)
        if current is None:
            client.create_automation(alarm)
        elif AutomationCore.model_validate(current.model_dump()) != alarm:
            client.update_automation(current.id, alarm)
        else:
            continue
        changed += 1
    return changed


def _delete_unwanted(names: set[str], client: SyncPrefectClient) -> dict[str, Automation]:
    """Delete the project's alarms with other names, and second ones with the same name; return the rest by name."""
    kept: dict[str, Automation] = {}
    for automation in client.read_automations():
        if TAG not in automation.tags:
            continue
        if automation.name in kept or automation.name not in names:
            client.delete_automation(automation.id)
        else:
            kept[automation.name] = automation
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
