"""The account's events -> the facts that amoCRM's hooks would have told. Pure.

amoCRM remembers every change (`/api/v4/events`), whether or not a hook told of it. One save may be several of its
events and one hook; a lead's new stage or responsible user is one of its events and two hooks.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from relay.accounts.answers import JsonObject
from relay.accounts.shapes import HookData, to_hook_shape
from relay.model import Account, Event, Record, Value

ENTITIES: Final[Mapping[str, str]] = {"lead": "leads", "contact": "contacts", "company": "companies"}
"""Whose past can be told -> as API v4 calls them."""

_LIVES = re.compile(r"(lead|contact|company)_(added|deleted|restored)")
_ACTIONS = {"added": "add", "deleted": "delete", "restored": "restore"}
_CHANGES = re.compile(r"(sale|name|custom)_field(_\d+|_value)?(_value)?_changed|entity_tag_(added|deleted)")


class AccountChange(Record):
    """One thing that a hook should have told."""

    entity: str
    action: str
    entity_id: str
    at: int  # seconds, as amoCRM counts
    by: str  # the user who did it
    own: HookData  # what is known of it beside the record: the new stage, the old user

    @property
    def name(self) -> str:
        """Return the event's name: status_lead."""
        return f"{self.action}_{self.entity}"

    def receipt_id(self, source: str) -> str:
        """Return the id of the receipt that tells it: always the same one, so that it is told once."""
        seed = f"{source}|{self.name}|{self.entity_id}|{self.at}|{sorted(self.own.items())}".encode()
        digest = int.from_bytes(blake2b(seed, digest_size=16, person=b"relay.recovered").digest(), "big")
        # A version 7 UUID of that second, its random part the fact's own.
        value = (self.at * 1000) << 80 | 7 << 76 | (digest >> 52 & 0xFFF) << 64 | 2 << 62 | digest & (1 << 62) - 1
        return str(UUID(int=value))


def changes_from_events(items: Iterable[JsonObject]) -> list[AccountChange]:
    """Return what hooks should have told of these events of the account, each fact once."""
    return list({_identity(fact): fact for item in items for fact in _facts(item)}.values())


def _identity(fact: AccountChange) -> tuple[str, str, int, str]:
    return fact.name, fact.entity_id, fact.at, str(sorted(fact.own.items()))


def _facts(item: JsonObject) -> Iterator[AccountChange]:
    kind, entity = str(item.get("type")), str(item.get("entity_type"))
    if entity not in ENTITIES or "entity_id" not in item or "created_at" not in item:
        return
    if lives := _LIVES.fullmatch(kind):
        yield _fact(item, lives[1], _ACTIONS[lives[2]], {})
    elif kind == "lead_status_changed":
        yield _fact(item, "lead", "status", _stage(item))
        yield _fact(item, "lead", "update", {})
    elif kind == "entity_responsible_changed":
        old = _values(item, "value_before", "responsible_user").get("id")
        own: HookData = {} if old is None else {"old_responsible_user_id": str(old)}
        if entity == "lead":
            yield _fact(item, entity, "responsible", own)
        yield _fact(item, entity, "update", {} if entity == "lead" else own)
    elif _CHANGES.fullmatch(kind):
        yield _fact(item, entity, "update", {})


def _fact(item: JsonObject, entity: str, action: str, own: HookData) -> AccountChange:
    by = str(item.get("created_by") or 0)
    return AccountChange(
        entity=entity, action=action, entity_id=str(item["entity_id"]), at=int(item["created_at"]), by=by, own=own
    )


def _stage(item: JsonObject) -> HookData:
    before, after = (_values(item, side, "lead_status") for side in ("value_before", "value_after"))
    known = {
        "status_id": after.get("id"),
        "pipeline_id": after.get("pipeline_id"),
        "old_status_id": before.get("id"),
        "old_pipeline_id": before.get("pipeline_id"),
    }
    return {key: str(value) for key, value in known.items() if value is not None}


def _values(item: JsonObject, side: str, name: str) -> Mapping[str, Any]:
    found = item.get(side)
    for value in found if isinstance(found, list) else []:
        if isinstance(value, dict) and isinstance(value.get(name), dict):
            inner: Mapping[str, Any] = value[name]
            return inner
    return {}


def event_from_change(fact: AccountChange, source: str, account: Account, record: JsonObject | None) -> Event | None:
    """Make the event of a fact, with the record as it is now; None where that is needed and gone."""
    told: dict[str, Value] = {"id": fact.entity_id, "modified_user_id": fact.by}
    if fact.action != "delete":
        if record is None:
            return None
        told = to_hook_shape(fact.entity, record) | {"modified_user_id": fact.by}
        told |= {"last_modified": str(fact.at), "updated_at": str(fact.at)}
    elif fact.entity != "lead":
        told["type"] = fact.entity
    id = fact.receipt_id(source)
    return Event(
        id=f"{id}.0", receipt_id=id, index=0, source=source, name=fact.name, entity=fact.entity, action=fact.action,
        entity_id=fact.entity_id, account=account, data={**told, **fact.own}, received_at=fact.at * 1000,
    )  # fmt: skip


def event_names(fact: AccountChange) -> frozenset[str]:
    """Return the names a fact may be routed under."""
    if fact.action == "update" and "old_responsible_user_id" in fact.own:
        return frozenset({fact.name, f"responsible_{fact.entity}"})
    return frozenset({fact.name})
