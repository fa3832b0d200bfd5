"""API v4's shape of entities -> the shape in hooks, so that conditions and templates know one. Pure.

The two name the same things differently: `custom_fields_values[].field_code` in API v4 is `custom_fields[].code` in a
hook.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from relay.model import Value

if TYPE_CHECKING:  # calls the account
    from relay.accounts.answers import JsonObject

HookData: TypeAlias = Mapping[str, Value]
"""The data of an event in a hook: every scalar is a text."""

API_NAMES: Final[Mapping[str, str]] = {"lead": "leads", "contact": "contacts", "company": "companies"}
"""The entities that have changes and custom fields, and what API v4 calls them."""

_RENAMED = {
    "created_by": "created_user_id",
    "updated_by": "modified_user_id",
    "phone_number": "phone",  # of a user
}
_LEFT_OUT = frozenset({"_links", "_embedded", "custom_fields_values", "rights"})


def to_hook_shape(entity: str, item: "JsonObject") -> dict[str, Value]:
    """Return a lead, contact, company or user of API v4 as a hook would carry it. What is null is left out."""
    data = {
        _RENAMED.get(key, key): form_value(value)
        for key, value in item.items()
        if value is not None and key not in _LEFT_OUT
    }
    if entity == "user":
        return data
    embedded = item.get("_embedded") or {}
    data |= _times(item)
    if fields := list(_custom_fields(item.get("custom_fields_values"))):
        data["custom_fields"] = fields
    if tags := _pick_keys(embedded.get("tags"), "id", "name"):
        data["tags"] = [*tags]
    if entity in ("contact", "company"):
        data["type"] = entity
        data |= _linked_entities(embedded)
    return data


def form_value(value: Any) -> Value:
    """Return a value as a form carries it: true is 1, and a mapping keeps its keys."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Mapping):
        return {str(key): form_value(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [form_value(item) for item in value if item is not None]
    return str(value)


def _times(item: "JsonObject") -> dict[str, Value]:
    """Return the times under their older names too: hooks have both."""
    times = {"date_create": item.get("created_at"), "last_modified": item.get("updated_at")}
    return {name: str(value) for name, value in times.items() if value is not None}


def _linked_entities(embedded: "JsonObject") -> dict[str, Value]:
    data: dict[str, Value] = {}
    if leads := _pick_keys(embedded.get("leads"), "id"):
        data["linked_leads_id"] = {str(lead["id"]): {"ID": lead["id"]} for lead in leads}
    for company in _pick_keys(embedded.get("companies"), "id", "name")[:1]:
        data["linked_company_id"] = company["id"]
        if "name" in company:
            data["company_name"] = company["name"]
    return data


def _custom_fields(values: object) -> Iterator[Value]:
    for field in values if isinstance(values, list) else []:
        names = {"id": field.get("field_id"), "name": field.get("field_name"), "code": field.get("field_code")}
        own: dict[str, Value] = {key: str(value) for key, value in names.items() if value is not None}
        yield {**own, "values": [_custom_value(value) for value in field.get("values") or []]}


def _custom_value(value: "JsonObject") -> Value:
    own: dict[str, Value] = {"value": form_value(value.get("value", ""))}
    if value.get("enum_id") is not None:
        own["enum"] = str(value["enum_id"])
    return own


def _pick_keys(items: object, *keys: str) -> list[dict[str, Value]]:
    """Return these keys of each item that has the first of them, as texts."""
    return [
        {key: str(item[key]) for key in keys if item.get(key) is not None}
        for item in (items if isinstance(items, list) else [])
        if item.get(keys[0]) is not None
    ]
