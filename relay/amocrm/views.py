"""What conditions and templates see of an event: `lead.price`, `contact.email`, `lead.custom["Город"]`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from relay.amocrm.contact_details import (
    NESTED_READERS,
    FieldReader,
    all_of,
    first_of,
    read_emails,
    read_phones,
    read_tags,
    texts_of_list,
)
from relay.amocrm.custom_fields import CustomFields
from relay.amocrm.event_names import EVENTS
from relay.amocrm.events import note_of
from relay.model import Event, Value

_Data = Mapping[str, Value]


class View:
    """One side of an event: the fields as they were sent, and friendly ones, which are read when asked for."""

    __slots__ = ("_custom", "_data", "_readers")

    def __init__(self, data: _Data, readers: Mapping[str, FieldReader] = MappingProxyType({})) -> None:
        self._data = data
        self._readers = readers
        self._custom: CustomFields | None = None

    @property
    def custom(self) -> CustomFields:
        """Return the custom fields, empty where the hook carries none."""
        if self._custom is None:
            self._custom = CustomFields(self._data)
        return self._custom

    def get(self, field: str) -> object:
        """Return a field's value, or None where the hook does not carry it; an empty text stays an empty text."""
        if field == "custom":
            return self.custom
        reader = self._readers.get(field)
        return self._data.get(field) if reader is None else reader(self._data)

    def __contains__(self, field: str) -> bool:
        return self.get(field) is not None

    def __getitem__(self, field: str) -> object:
        value = self.get(field)
        if value is None:
            raise KeyError(field)
        return value

    def __getattr__(self, field: str) -> object:
        value = None if field.startswith("__") else self.get(field)
        if value is None:
            raise AttributeError(f"the hook carries no {field!r}")
        return value


class ViewWithOthers:
    """A view with others beside its fields, by name: what was looked up, or what a chain began with."""

    def __init__(self, view: View, others: Mapping[str, object]) -> None:
        self._view = view
        self._others = others

    @property
    def custom(self) -> CustomFields:
        """Return the custom fields of the view itself."""
        return self._view.custom

    def get(self, field: str) -> object:
        """Return another view under its name, or else a field of the view itself."""
        return self._others[field] if field in self._others else self._view.get(field)


def event_views(event: Event) -> dict[str, View]:
    """Return the views of an event by name: its main view, `event` and `account`."""
    name = main_view(event.name)
    data = _note_fields(event) if name == "note" else event.data
    return {
        name: View(data, FRIENDLY_FIELDS[name]),
        "event": View(_event_fields(event)),
        "account": View(_account_fields(event)),
    }


def fetched_view(kind: str, data: _Data) -> View:
    """Return the view of a contact, company or responsible user that was looked up, shaped as a hook would carry it."""
    return View(data, FRIENDLY_FIELDS.get(kind, {}))


def main_view(event_name: str) -> str:
    """Return the name of the view that conditions look at: "lead" for status_lead, "note" for note_lead.

    It is "entity" for anything but a lead, contact, company, customer, task or note.
    """
    if event_name.startswith("note_"):
        return "note"
    kind = EVENTS.get(event_name)
    entity = kind.entity if kind else event_name.rpartition("_")[2]
    return entity if entity in _ENTITIES_WITH_VIEWS else "entity"


def _event_fields(event: Event) -> dict[str, Value]:
    return {
        "name": event.name,
        "id": event.id,
        "source": event.source,
        "entity": event.entity,
        "action": event.action,
        "entity_id": event.entity_id,
        "receipt_id": event.receipt_id,
        "received_at": str(event.received_at),
    }


def _account_fields(event: Event) -> dict[str, Value]:
    return {"id": event.account.id, "subdomain": event.account.subdomain}


def _note_fields(event: Event) -> dict[str, Value]:
    return {**note_of(event.data), "entity": event.entity, "entity_id": event.entity_id}


def _first_text_of(*fields: str) -> FieldReader:
    """Make a reader of the first field that is a text: amoCRM has several names for one thing."""
    return lambda data: next((text for field in fields if isinstance(text := data.get(field), str)), None)


class _ResultText(str):
    """The text of a task's result: `task.result`, and as amoCRM writes it `task.result.text`."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> str:
        return str(self) if key == "text" else super().__getitem__(key)


def _result_text(data: _Data) -> object:
    result = data.get("result")
    text = result.get("text") if isinstance(result, dict) else result
    return _ResultText(text) if isinstance(text, str) else text


_ELEMENTS = {"1": "contact", "2": "lead", "3": "company"}


def _element_entity(data: _Data) -> str | None:
    element_type = data.get("element_type")
    return _ELEMENTS.get(element_type) if isinstance(element_type, str) else None


_PERSON: dict[str, FieldReader] = {
    "email": first_of(read_emails),
    "emails": all_of(read_emails),
    "phone": first_of(read_phones),
    "phones": all_of(read_phones),
    "tags": read_tags,
    "linked_leads": texts_of_list("linked_leads_id", "ID"),
}
FRIENDLY_FIELDS: dict[str, Mapping[str, FieldReader]] = {
    "lead": {"tags": read_tags},
    "contact": _PERSON,
    "company": _PERSON,
    "customer": {"tags": read_tags},
    "task": {
        "type": _first_text_of("task_type", "type"),
        "result": _result_text,
        "entity": _element_entity,
        "entity_id": _first_text_of("element_id"),
    },
    "note": {"type": _first_text_of("note_type", "type"), "attachment": _first_text_of("attachment", "attachement")},
    "entity": NESTED_READERS,
}
_ENTITIES_WITH_VIEWS = frozenset(FRIENDLY_FIELDS) - {"entity"}
