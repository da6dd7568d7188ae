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
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

BLOCK = "retraining-alarm"
REFERENCE = f"webhook/{BLOCK}"
ADDRESS = "RETRAIN_ALARM_WEBHOOK"
NOTIFICATION = "RETRAIN_ALARM_BLOCK"
TAG = "nightly-retraining"
BAD_INPUT = 2


def main(path: str) -> int:
    """Make the server's alarms those of the file at `path`, and print how many changed, never the webhook's address.

    Returns:
        The exit code: 2 if the webhook's address is not one, or the notification block cannot be used.
    """
    try:
        address = read_address()
        if address:
            headers = SecretDict({"Content-Type": "application/json"})
            Webhook(url=SecretStr(address), headers=headers).save(BLOCK, overwrite=True)
        with get_client(sync_client=True) as client:
            blocks = {"call-webhook": find_webhook(client), "send-notification": find_notification_block(client)}
            wanted = read_alarms(Path(path), blocks)
            changed = synchronise_alarms(wanted, client)
    except ValueError as error:
        print(f"make deploy: {error}", file=sys.stderr)
        return BAD_INPUT
    print(f"Alarms: {len(wanted)} on the server, {changed} of them new or changed.")
    if not any(blocks.values()):
        print(
            f"No alarm calls anyone: {ADDRESS} is not set, and the server has no block {REFERENCE}; "
            f"{NOTIFICATION} is not set either."
        )
    return 0


def read_address() -> str | None:
    """Return the webhook's address from the environment, or None if it is not set.

    Raises:
        ValueError: It is not an http(s) address. The message does not show it, because it is a secret.
    """
    address = os.environ.get(ADDRESS, "").strip()
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{ADDRESS} must be an http or https address. The value is a secret and is not shown.")
    return address


def find_webhook(client: SyncPrefectClient) -> str | None:
    """Return the id of the webhook's block, or None if the server has none."""
    blocks = client.read_block_documents_by_type("webhook", include_secrets=False)
    return next((str(block.id) for block in blocks if block.name == BLOCK), None)


def find_notification_block(client: SyncPrefectClient) -> str | None:
    """Return the id of the block that sends notifications: the one that the environment names, else the one in use.

    Raises:
        ValueError: The server has no such block, or it cannot notify.
    """
    name = os.environ.get(NOTIFICATION, "").strip().strip("'\"")
    if not name:
        return _find_block_in_use(client)
    kind, _, block_name = name.partition("/")
    must = f"{NOTIFICATION} must be the type and the name of a notification block, such as slack-webhook/team."
    if not kind or not block_name or "/" in block_name:
        raise ValueError(f"{must} Received: {name}.")
    try:
        block = client.read_block_document_by_name(block_name, kind, include_secrets=False)
    except ObjectNotFound as error:
        raise ValueError(f"{must} The server has no block {name}; make it in Prefect first.") from error
    if not block.block_schema or "notify" not in block.block_schema.capabilities:
        raise ValueError(f"{must} The block {name} cannot send notifications.")
    return str(block.id)


def _find_block_in_use(client: SyncPrefectClient) -> str | None:
    for automation in client.read_automations():
        for action in automation.actions if TAG in automation.tags else []:
            if action.type == "send-notification":
                return str(action.block_document_id)
    return None


def read_alarms(path: Path, blocks: Mapping[str, str | None]) -> list[AutomationCore]:
    """Return the automations of a file. Actions without a block are left out, and so are alarms without an action.

    Args:
        path: The file.
        blocks: By the type of an action, the id of the block that it gets; None if there is none.
    """
    alarms = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["automations"]:
        actions = []
        for action in entry["actions"]:
            if not needs_block(action):
                actions.append(action)
            elif block := blocks.get(action["type"]):
                actions.append(action | {"block_document_id": block})
        if actions:
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
