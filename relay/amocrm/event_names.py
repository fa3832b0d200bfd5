"""The names of amoCRM's events, such as `status_lead`."""

from collections.abc import Mapping
from types import MappingProxyType

from relay.model import Event, Record


class EventKind(Record):
    """The entity and the action that an event's name stands for."""

    entity: str
    action: str


def _event_kinds(action: str, entities: str) -> dict[str, EventKind]:
    return {f"{action}_{entity}": EventKind(entity=entity, action=action) for entity in entities.split()}


_OFFICIAL = {
    **_event_kinds("responsible", "lead contact company customer task"),
    **_event_kinds("restore", "lead contact company"),
    **_event_kinds("add", "lead contact company customer task"),
    **_event_kinds("update", "lead contact company customer task"),
    **_event_kinds("delete", "lead contact company customer task"),
    **_event_kinds("status", "lead"),
    **_event_kinds("note", "lead contact company customer"),
    **_event_kinds("add", "talk message outgoing_message chat_template_review"),
    **_event_kinds("update", "talk"),
}
_UNDOCUMENTED = {
    **_event_kinds("add", "unsorted catalog"),
    **_event_kinds("update", "unsorted catalog"),
    **_event_kinds("delete", "unsorted catalog"),
    **_event_kinds("call_in", "lead"),  # this and the next three: Digital Pipeline
    **_event_kinds("chat", "lead"),
    **_event_kinds("site_visit", "lead"),
    **_event_kinds("mail_in", "lead"),
}

EVENTS: Mapping[str, EventKind] = MappingProxyType(_OFFICIAL | _UNDOCUMENTED)
"""Every event name that is known. An event with another entity or action is routed all the same."""

ENTITIES: frozenset[str] = frozenset(kind.entity for kind in EVENTS.values())
"""What events are about: lead, contact, task…"""

SUBSCRIBABLE: tuple[str, ...] = tuple(_OFFICIAL)
"""The names that amoCRM's subscription API takes: the 28 of the original documentation, and five for chats."""

_REASSIGNED_BY_UPDATE = frozenset({"contact", "company", "customer", "task"})  # a lead has an event of its own for it


def routable_names(event: Event) -> frozenset[str]:
    """Return the names by which routes find an event: its own, and responsible_… where an update changes that user.

    amoCRM sends a new responsible user of a contact, company, customer or task as an update with
    `old_responsible_user_id`, which may also equal the current one.
    """
    if event.action != "update" or event.entity not in _REASSIGNED_BY_UPDATE:
        return frozenset({event.name})
    old = event.data.get("old_responsible_user_id")
    if not old or old == event.data.get("responsible_user_id"):
        return frozenset({event.name})
    return frozenset({event.name, f"responsible_{event.entity}"})
