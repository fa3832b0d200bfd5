"""The fields that views have -> data as amoCRM sends it: `email`, `phone`, `tags`, `custom`. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from relay.accounts.hook_shape import form_value, to_hook_shape
from relay.amocrm.people import People
from relay.cases.schema import FetchedRecords
from relay.model import Value

_CODES: Final = {"email": "EMAIL", "emails": "EMAIL", "phone": "PHONE", "phones": "PHONE"}
_OF_API = ("custom_fields_values", "_embedded")
_ELEMENT_TYPES: Final = {"contact": "1", "lead": "2", "company": "3"}


def view_data(view: str, fields: Mapping[str, Any]) -> dict[str, Value]:
    """Return the data of which a view has these fields; what has another name there stays as it is."""
    if any(key in fields for key in _OF_API):
        return to_hook_shape(view, fields)
    given = {key: value for key, value in fields.items() if value is not None}
    if view == "task":
        return _task_data(given)
    if view in ("note", "responsible"):
        return _form_data(given)
    written = [*_contact_fields(given), *_custom_fields(given)]
    data = _form_data({key: value for key, value in given.items() if key not in (*_CODES, "custom", "tags")})
    if written:
        own = data.get("custom_fields")
        data["custom_fields"] = [*(own if isinstance(own, list) else []), *written]
    if "tags" in given:
        data["tags"] = _tags(given["tags"])
    if "linked_leads" in data:
        data["linked_leads_id"] = {str(id): {"ID": str(id)} for id in _items(data.pop("linked_leads"))}
    return data


def found_people(fetched: FetchedRecords) -> People:
    """Return what a look-up finds, where the account answers these records."""
    contacts = fetched.contacts if fetched.contact is None else [fetched.contact]
    found = [view_data("contact", contact) for contact in contacts or ()]
    return People(
        contact=next(iter(found), None),
        contacts=found,
        company=None if fetched.company is None else view_data("company", fetched.company),
        responsible=None if fetched.responsible is None else to_hook_shape("user", fetched.responsible),
    )


def _form_data(fields: Mapping[str, Any]) -> dict[str, Value]:
    return {key: form_value(value) for key, value in fields.items()}


def _task_data(fields: Mapping[str, Any]) -> dict[str, Value]:
    """Return a task's data: it names its lead or contact by a number, and nests the text of its result."""
    data = _form_data({key: value for key, value in fields.items() if key not in ("entity", "entity_id")})
    if "entity" in fields:
        data["element_type"] = _ELEMENT_TYPES.get(str(fields["entity"]), str(fields["entity"]))
    if "entity_id" in fields:
        data["element_id"] = str(fields["entity_id"])
    if isinstance(data.get("result"), str):
        data["result"] = {"text": data["result"]}
    return data


def _contact_fields(fields: Mapping[str, Any]) -> Iterator[Value]:
    for key, code in _CODES.items():
        if key in fields:
            yield {"name": code.title(), "code": code, "values": _values(fields[key])}


def _custom_fields(fields: Mapping[str, Any]) -> Iterator[Value]:
    custom = fields.get("custom")
    for name, value in custom.items() if isinstance(custom, Mapping) else ():
        yield {"name": str(name), "values": _values(value)}


def _values(value: object) -> list[Value]:
    return [{"value": form_value(item)} for item in _items(value)]


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _tags(tags: object) -> Value:
    if isinstance(tags, Mapping):  # as amoCRM sends a list that is sparse
        return form_value(tags)
    named = enumerate(_items(tags), 1)
    return [form_value(tag) if isinstance(tag, Mapping) else {"id": str(at), "name": str(tag)} for at, tag in named]
