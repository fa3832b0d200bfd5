"""The events that an application can subscribe to, grouped by what they are about, as amoCRM's own form has them."""

from collections.abc import Mapping, Sequence
from typing import Final

from relay.amocrm.event_names import EVENTS, SUBSCRIBABLE
from relay.model import Record
from relay.translation.messages import UiText, message

_ENTITIES: Final[Mapping[str, UiText]] = {
    "lead": message("Leads"),
    "contact": message("Contacts"),
    "company": message("Companies"),
    "customer": message("Customers"),
    "task": message("Tasks"),
    "talk": message("Talks"),
    "message": message("Incoming messages"),
    "outgoing_message": message("Outgoing messages"),
    "chat_template_review": message("Reviews of chat templates"),
}
_ACTIONS: Final[Mapping[str, UiText]] = {
    "add": message("added"),
    "update": message("changed"),
    "delete": message("deleted"),
    "restore": message("restored"),
    "responsible": message("responsible user changed"),
    "status": message("status changed"),
    "note": message("note added"),
}


class EventChoice(Record):
    """An event of the form."""

    name: str
    label: UiText


class EventGroup(Record):
    """The events of an entity."""

    label: UiText
    choices: Sequence[EventChoice]


def event_groups() -> list[EventGroup]:
    """Return all events that can be subscribed to."""
    groups: dict[str, list[EventChoice]] = {}
    for name in SUBSCRIBABLE:
        kind = EVENTS[name]
        groups.setdefault(kind.entity, []).append(EventChoice(name=name, label=_ACTIONS[kind.action]))
    return [EventGroup(label=_ENTITIES[entity], choices=groups[entity]) for entity in _ENTITIES]
