"""What conditions and templates see of an event: `lead.price`, `contact.email`, `lead.custom["Город"]`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from relay.amocrm.custom_fields import CustomFields, list_items, values_by_code
from relay.amocrm.events import EVENTS, note_of
from relay.model import Event, Value

_Data = Mapping[str, Value]
_FieldReader = Callable[[_Data], object]  # a friendly field from the data; None where the hook did not carry it


class View:
    """One side of an event: the fields as they were sent, and friendly ones, read when they are asked for."""

    __slots__ = ("_custom", "_data", "_readings")

    def __init__(self, data: _Data, readings: Mapping[str, _FieldReader] = MappingProxyType({})) -> None:
        self._data = data
        self._readings = readings
        self._custom: CustomFields | None = None

    @property
    def custom(self) -> CustomFields:
        """Return the custom fields; none of them where the hook carries none."""
        if self._custom is None:
            self._custom = CustomFields(self._data.get("custom_fields"))
        return self._custom

    def get(self, field: str) -> object:
        """Return a field's value, None where the hook did not carry it; an empty text stays an empty text."""
        if field == "custom":
            return self.custom
        reading = self._readings.get(field)
        return self._data.get(field) if reading is None else reading(self._data)

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


def event_views(event: Event) -> dict[str, View]:
    """Return the views of an event by name: its entity's (see primary), `event` and `account`."""
    name = main_view(event.name)
    data = _note_fields(event) if name == "note" else event.data
    return {
        name: View(data, _FRIENDLY_FIELDS[name]),
        "event": View(_event_fields(event)),
        "account": View(_account_fields(event)),
    }


def fetched_view(kind: str, data: _Data) -> View:
    """Return the view of a contact, company or responsible user that was looked up, shaped as a hook would carry it."""
    return View(data, _FRIENDLY_FIELDS.get(kind, {}))


def main_view(event_name: str) -> str:
    """Name the view that conditions on an event look at: "lead" for status_lead, "note" for note_lead.

    Anything but a lead, contact, company, customer, task or note is an `entity`.
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


def _emails(data: _Data) -> list[str] | None:
    return values_by_code(data.get("custom_fields"), "EMAIL")


def _phones(data: _Data) -> list[str] | None:
    return values_by_code(data.get("custom_fields"), "PHONE")


def _first_value(reading: Callable[[_Data], list[str] | None]) -> _FieldReader:
    return lambda data: next(iter(reading(data) or ()), None)


def _texts_of_list(field: str, key: str) -> _FieldReader:
    """Read the texts of a list like tags[i][name]."""

    def read(data: _Data) -> list[str] | None:
        if field not in data:
            return None
        found = (item.get(key) if isinstance(item, dict) else item for item in list_items(data[field]))
        return [text for text in found if isinstance(text, str) and text]

    return read


def _first_text_of(*fields: str) -> _FieldReader:
    """Read the first of these fields that is a text: one meaning under several names."""
    return lambda data: next((text for field in fields if isinstance(text := data.get(field), str)), None)


def _result_text(data: _Data) -> object:
    result = data.get("result")
    return result.get("text") if isinstance(result, dict) else result


_ELEMENTS = {"1": "contact", "2": "lead", "3": "company"}


def _element_entity(data: _Data) -> str | None:
    element_type = data.get("element_type")
    return _ELEMENTS.get(element_type) if isinstance(element_type, str) else None


_TAGS = _texts_of_list("tags", "name")
_PERSON: dict[str, _FieldReader] = {
    "email": _first_value(_emails),
    "emails": _emails,
    "phone": _first_value(_phones),
    "phones": _phones,
    "tags": _TAGS,
    "linked_leads": _texts_of_list("linked_leads_id", "ID"),
}
_FRIENDLY_FIELDS: dict[str, dict[str, _FieldReader]] = {
    "lead": {"tags": _TAGS},
    "contact": _PERSON,
    "company": _PERSON,
    "customer": {"tags": _TAGS},
    "task": {
        "type": _first_text_of("task_type", "type"),
        "result": _result_text,
        "entity": _element_entity,
        "entity_id": _first_text_of("element_id"),
    },
    "note": {"type": _first_text_of("note_type", "type"), "attachment": _first_text_of("attachment", "attachement")},
    "entity": {},
}
_ENTITIES_WITH_VIEWS = frozenset(_FRIENDLY_FIELDS) - {"entity"}

# The fields that amoCRM is known to send, beside the friendly ones.
_SENT_FIELDS = {
    "lead": """id name status_id old_status_id price responsible_user_id old_responsible_user_id last_modified
        modified_user_id created_user_id date_create pipeline_id old_pipeline_id account_id created_at updated_at""",
    "contact": """id name responsible_user_id old_responsible_user_id date_create last_modified created_user_id
        modified_user_id account_id company_name linked_company_id created_at updated_at type""",
    "company": """id name responsible_user_id old_responsible_user_id date_create last_modified created_user_id
        modified_user_id account_id created_at updated_at type""",
    "customer": """id name responsible_user_id old_responsible_user_id main_user_id date_create date_modify
        last_modified created_by modified_by created_user_id modified_user_id account_id deleted status_id next_price
        next_date periodicity period_id task_last_date created_at updated_at""",
    "task": """id element_id element_type task_type date_create text old_text status account_id created_user_id
        last_modified responsible_user_id old_responsible_user_id main_user modified_by complete_till complete_before
        action_close created_at updated_at""",
    "note": """id text date_create note_type element_type element_id entity entity_id catalog_id group_id timestamp_x
        account_id metadata created_by modified_by main_user_id attachement created_at updated_at""",
    "entity": """id uid talk_id chat_id contact_id lead_id catalog_id pipeline_id source_id account_id entity_id
        entity_type element_id element_type name text type category action source source_uid source_data data
        message_type attachment author origin rate is_in_work is_read accept_result decline_result date_create
        date_modify created_by modified_by modified_user_id deleted created_at updated_at""",
    "responsible": "id name email phone lang",
    "event": "name id source entity action entity_id receipt_id received_at",
    "account": "id subdomain",
}
_WITH_CUSTOM = frozenset({"lead", "contact", "company", "customer", "entity"})


def _fields_of_view(view: str) -> frozenset[str]:
    custom = {"custom"} if view in _WITH_CUSTOM else frozenset()
    return frozenset({*_SENT_FIELDS[view].split(), *_FRIENDLY_FIELDS.get(view, ()), *custom})


VIEW_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType({view: _fields_of_view(view) for view in _SENT_FIELDS})
"""The fields each view knows. `entity` is open: it shows any field of the data, and lists those that are known."""

FETCHABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"contacts": ("contact", "contacts"), "company": ("company",), "responsible": ("responsible",)}
)
"""What a route may fetch of a lead -> the views that gives it. `contacts` is a list, the main one first."""
