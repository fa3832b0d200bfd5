"""The fake account: its leads, contacts and companies as API v4 has them, its events, and its webhooks."""

import copy
import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from relay.sandbox.amocrm import shapes
from relay.sandbox.amocrm.shapes import HookEvent, Item

ID: Final = 7039099
SUBDOMAIN: Final = "acme"
WON, LOST = 142, 143
SINGULAR: Final = {"leads": "lead", "contacts": "contact", "companies": "company"}
Records: TypeAlias = dict[int, dict[str, Any]]

_ENDS: Final = {str(WON): "Успешно реализовано", str(LOST): "Закрыто и не реализовано"}
_PHONE: Final = {"name": "Телефон", "code": "PHONE", "type": "multitext"}
SETTINGS: Final[Mapping[str, Any]] = {
    "pipelines": {
        "2116": {"name": "Продажи", "statuses": {"10216995": "Новый", "10216998": "Переговоры", **_ENDS}},
        "3340": {"name": "Опт", "statuses": {"20030001": "Новый", "20030002": "Отгрузка", **_ENDS}},
    },
    "users": {
        "102525": {"name": "Анна Смирнова", "email": "anna@acme.example", "phone_number": "+79161234567"},
        "504141": {"name": "Интеграция", "email": "robot@acme.example"},
        "938348": {"name": "Пётр Иванов", "email": "petr@acme.example"},
    },
    "fields": {
        "leads": {
            "427183": {"name": "Город", "type": "select", "enums": ["Москва", "Казань", "Тула"]},
            "427271": {"name": "Дата отгрузки", "type": "date"},
        },
        "contacts": {
            "159945": _PHONE,
            "159947": {"name": "Email", "code": "EMAIL", "type": "multitext"},
            "427185": {"name": "Город", "type": "text"},
        },
        "companies": {"159945": _PHONE, "159951": {"name": "Адрес", "code": "ADDRESS", "type": "textarea"}},
    },
}
"""What a new account has been set up with. All ids are texts, so that a JSON document can change it."""

_EVENT_KINDS: Final = {  # changed field -> the kind of the account's event
    "status_id": "lead_status_changed",
    "responsible_user_id": "entity_responsible_changed",
    "price": "sale_field_changed",
    "name": "name_field_changed",
}


@dataclass
class Webhook:
    """A webhook of the account."""

    id: int
    destination: str
    settings: list[str]
    created_at: int
    updated_at: int
    disabled: bool = False

    def to_json(self) -> Item:
        """Return it as API v4 does."""
        return {**self.__dict__, "account_id": ID, "created_by": 504141, "sort": 1}


@dataclass
class FakeAccount:
    """What the account contains. Every change becomes an event, whether or not a hook is sent.

    `settings`: its pipelines, users and custom fields, which a person may rename, remove and add.
    """

    settings: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(dict(SETTINGS)))
    records: dict[str, Records] = field(default_factory=lambda: {entities: {} for entities in SINGULAR})
    hooks: dict[str, Webhook] = field(default_factory=dict)
    events: list[Item] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(31926521))

    def create(self, entities: str, given: Mapping[str, Any]) -> tuple[int, list[HookEvent]]:
        """Create a lead, contact or company. `contacts` and `company` of a lead are created, or linked by their id."""
        hook_events: list[HookEvent] = []
        given = dict(given)
        embedded: dict[str, list[dict[str, Any]]] = {"tags": given.pop("tags", [])}
        if entities != "companies" and "company" in given:
            embedded["companies"] = [{"id": self._link("companies", given.pop("company"), hook_events)}]
        people = [self._link("contacts", contact, hook_events) for contact in given.pop("contacts", [])]
        if entities == "leads":
            embedded["contacts"] = [{"id": id, "is_main": at == 0} for at, id in enumerate(people)]
        id, now = next(self._ids), int(time.time())
        fields = shapes.fields(self.settings["fields"][entities], given)
        item = {**shapes.blank(entities, id, now, ID), **given, "custom_fields_values": fields, "_embedded": embedded}
        self.records[entities][id] = item
        for person in people:
            self.records["contacts"][person]["_embedded"].setdefault("leads", []).append({"id": id})
        self._add_event(f"{SINGULAR[entities]}_added", entities, item, [], [])
        return id, [*hook_events, *shapes.created(entities, item)]

    def change(self, entities: str, id: int, given: Mapping[str, Any]) -> list[HookEvent]:
        """Change fields of a record. Raises KeyError where there is none."""
        item = self.records[entities][id]
        before, given = dict(item), dict(given)
        fields = shapes.fields(self.settings["fields"][entities], given)
        unchanged = [own for own in item["custom_fields_values"] or [] if own["field_id"] not in _ids_of(fields)]
        item.update(given, updated_at=max(int(time.time()), item["updated_at"] + 1))
        item["custom_fields_values"] = [*unchanged, *(fields or [])] or None
        for name in given:
            kind = _EVENT_KINDS.get(name)
            if kind and before.get(name) != item[name]:
                self._add_event(kind, entities, item, shapes.event_value(name, before), shapes.event_value(name, item))
        for own in fields or []:
            kind = f"custom_field_{own['field_id']}_value_changed"
            self._add_event(kind, entities, item, [], [{"custom_field_value": {"text": own["values"][0]["value"]}}])
        return shapes.changed(entities, before, item)

    def set_up(self, change: Mapping[str, Any]) -> None:
        """Change pipelines, users and custom fields, as a person does; null removes one (a JSON merge patch)."""
        _merge(self.settings, change)

    def delete(self, entities: str, id: int) -> list[HookEvent]:
        """Remove a record. Raises KeyError where there is none."""
        item = self.records[entities].pop(id)
        self._add_event(f"{SINGULAR[entities]}_deleted", entities, item, [], [])
        return shapes.deleted(entities, item)

    def subscribe(self, destination: str, settings: list[str]) -> Webhook:
        """Create a webhook, or set the events of an existing one, which stays disabled where it was."""
        now = int(time.time())
        hook = self.hooks.setdefault(destination, Webhook(next(self._ids), destination, [], now, now))
        hook.settings, hook.updated_at = settings, now
        return hook

    def listeners(self, event: str) -> list[str]:
        """Return the addresses that an event is sent to."""
        return [hook.destination for hook in self.hooks.values() if event in hook.settings and not hook.disabled]

    def _link(self, entities: str, given: int | Mapping[str, Any], hook_events: list[HookEvent]) -> int:
        if isinstance(given, int):
            return given
        id, created = self.create(entities, given)
        hook_events += created
        return id

    def _add_event(self, kind: str, entities: str, item: Item, before: list[Item], after: list[Item]) -> None:
        self.events.append(
            {
                "id": f"01{len(self.events):024}",
                "type": kind,
                "entity_id": item["id"],
                "entity_type": SINGULAR[entities],
                "created_by": item["updated_by"],
                "created_at": int(time.time()),
                "value_before": before,
                "value_after": after,
                "account_id": ID,
                "_embedded": {"entity": {"id": item["id"]}},
            }
        )


def _merge(known: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if value is None:
            known.pop(key, None)
        elif isinstance(value, dict):
            _merge(known.setdefault(key, {}), value)
        else:
            known[key] = value


def _ids_of(fields: list[dict[str, Any]] | None) -> set[int]:
    return {own["field_id"] for own in fields or []}
