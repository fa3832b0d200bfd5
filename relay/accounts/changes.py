"""The account's own events -> the changes that amoCRM's hooks should have reported. Pure.

amoCRM remembers every change (`/api/v4/events`), whether or not a hook reported it. One save may be several of its
events and one hook; a lead's new stage or responsible user is one of its events and two hooks.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any
from uuid import UUID

from relay.accounts.answers import JsonObject
from relay.accounts.hook_shape import API_NAMES, HookData, to_hook_shape
from relay.model import Account, Event, Record, Value

_LIFECYCLE = re.compile(r"(lead|contact|company)_(added|deleted|restored)")
_ACTIONS = {"added": "add", "deleted": "delete", "restored": "restore"}
_FIELD_CHANGES = re.compile(r"(sale|name|custom)_field(_\d+|_value)?(_value)?_changed|entity_tag_(added|deleted)")


class AccountChange(Record):
    """One change that a hook should have reported."""

    entity: str
    action: str
    entity_id: str
    at: int  # seconds, as amoCRM counts
    user_id: str  # who made it
    details: HookData  # what the event knows beside the entity: the new stage, the old user

    @property
    def name(self) -> str:
        """Return the name of its event: status_lead."""
        return f"{self.action}_{self.entity}"

    @property
    def identity(self) -> str:
        """Return what makes it a change of its own: two events of the account may be the same change."""
        return f"{self.name}|{self.entity_id}|{self.at}|{sorted(self.details.items())}"

    def receipt_id(self, source: str) -> str:
        """Return the id of the receipt that reports it: always the same, so it is recovered once."""
        seed = f"{source}|{self.identity}".encode()
        digest = int.from_bytes(blake2b(seed, digest_size=16, person=b"relay.recovered").digest(), "big")
        # A version 7 UUID of that second, with the digest as its random part.
        value = (self.at * 1000) << 80 | 7 << 76 | (digest >> 52 & 0xFFF) << 64 | 2 << 62 | digest & (1 << 62) - 1
        return str(UUID(int=value))


def changes_from_events(items: Iterable[JsonObject]) -> list[AccountChange]:
    """Return the changes that hooks should have reported of these events of the account, each once."""
    return list({change.identity: change for item in items for change in _changes(item)}.values())


def _changes(item: JsonObject) -> Iterator[AccountChange]:
    kind, entity = str(item.get("type")), str(item.get("entity_type"))
    if entity not in API_NAMES or "entity_id" not in item or "created_at" not in item:
        return
    if lifecycle := _LIFECYCLE.fullmatch(kind):
        yield _change(item, lifecycle[1], _ACTIONS[lifecycle[2]], {})
    elif kind == "lead_status_changed":
        yield _change(item, "lead", "status", _stages(item))
        yield _change(item, "lead", "update", {})
    elif kind == "entity_responsible_changed":
        old = _value(item, "value_before", "responsible_user").get("id")
        details: HookData = {} if old is None else {"old_responsible_user_id": str(old)}
        if entity == "lead":
            yield _change(item, entity, "responsible", details)
        yield _change(item, entity, "update", {} if entity == "lead" else details)
    elif _FIELD_CHANGES.fullmatch(kind):
        yield _change(item, entity, "update", {})


def _change(item: JsonObject, entity: str, action: str, details: HookData) -> AccountChange:
    return AccountChange(
        entity=entity,
        action=action,
        entity_id=str(item["entity_id"]),
        at=int(item["created_at"]),
        user_id=str(item.get("created_by") or 0),
        details=details,
    )


def _stages(item: JsonObject) -> HookData:
    before, after = (_value(item, side, "lead_status") for side in ("value_before", "value_after"))
    stages = {
        "status_id": after.get("id"),
        "pipeline_id": after.get("pipeline_id"),
        "old_status_id": before.get("id"),
        "old_pipeline_id": before.get("pipeline_id"),
    }
    return {key: str(value) for key, value in stages.items() if value is not None}


def _value(item: JsonObject, side: str, name: str) -> Mapping[str, Any]:
    found = item.get(side)
    for value in found if isinstance(found, list) else []:
        if isinstance(value, dict) and isinstance(value.get(name), dict):
            inner: Mapping[str, Any] = value[name]
            return inner
    return {}


def event_from_change(change: AccountChange, source: str, account: Account, entity: JsonObject | None) -> Event | None:
    """Make the event of a change, with the entity as it is now; None where it is needed and does not exist any more."""
    data: dict[str, Value] = {"id": change.entity_id, "modified_user_id": change.user_id}
    if change.action != "delete":
        if entity is None:
            return None
        data = to_hook_shape(change.entity, entity) | {"modified_user_id": change.user_id}
        data |= {"last_modified": str(change.at), "updated_at": str(change.at)}
    elif change.entity != "lead":
        data["type"] = change.entity
    id = change.receipt_id(source)
    return Event(
        id=f"{id}.0",
        receipt_id=id,
        index=0,
        source=source,
        name=change.name,
        entity=change.entity,
        action=change.action,
        entity_id=change.entity_id,
        account=account,
        data={**data, **change.details},
        received_at=change.at * 1000,
    )


def event_names(change: AccountChange) -> frozenset[str]:
    """Return the names under which the event of a change may be routed."""
    if change.action == "update" and "old_responsible_user_id" in change.details:
        return frozenset({change.name, f"responsible_{change.entity}"})
    return frozenset({change.name})
