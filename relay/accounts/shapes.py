"""API v4's shapes -> the shapes of hooks, so that conditions and templates know both under the same names. Pure.

Two names of one thing: `custom_fields_values[].field_code` there, `custom_fields[].code` in a hook.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from relay.accounts.answers import JsonObject
from relay.model import Value

HookData: TypeAlias = Mapping[str, Value]
"""What an event of a hook holds: every scalar is a text."""

_RENAMED = {
    "created_by": "created_user_id",
    "updated_by": "modified_user_id",
    "phone_number": "phone",  # of a user
}
_LEFT_OUT = frozenset({"_links", "_embedded", "custom_fields_values", "rights"})


def to_hook_shape(entity: str, item: JsonObject) -> dict[str, Value]:
    """Return a lead, contact, company or user of API v4 as a hook would carry it. What is null is left out."""
    data = {_RENAMED.get(key, key): to_form_value(value) for key, value in item.items() if _told(key, value)}
    if entity == "user":
        return data
    embedded = item.get("_embedded") or {}
    data |= _times(item)
    if fields := list(_fields(item.get("custom_fields_values"))):
        data["custom_fields"] = fields
    if tags := _pick(embedded.get("tags"), "id", "name"):
        data["tags"] = tags
    if entity in ("contact", "company"):
        data["type"] = entity
        data |= _linked(embedded)
    return data


def to_form_value(value: Any) -> Value:
    """Write a value as a form does: true is 1, and a map keeps its keys."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Mapping):
        return {str(key): to_form_value(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [to_form_value(item) for item in value if item is not None]
    return str(value)


def _told(key: str, value: object) -> bool:
    return value is not None and key not in _LEFT_OUT


def _times(item: JsonObject) -> dict[str, Value]:
    """Return the times under their older names too: hooks have both."""
    older = {"date_create": item.get("created_at"), "last_modified": item.get("updated_at")}
    return {name: str(value) for name, value in older.items() if value is not None}


def _linked(embedded: JsonObject) -> dict[str, Value]:
    data: dict[str, Value] = {}
    if leads := _pick(embedded.get("leads"), "id"):
        data["linked_leads_id"] = {str(lead["id"]): {"ID": lead["id"]} for lead in leads if isinstance(lead, dict)}
    for company in _pick(embedded.get("companies"), "id", "name")[:1]:
        if isinstance(company, dict):
            data |= {"linked_company_id": company["id"]} | (
                {"company_name": company["name"]} if "name" in company else {}
            )
    return data


def _fields(values: object) -> Iterator[Value]:
    for field in values if isinstance(values, list) else []:
        told = {"id": field.get("field_id"), "name": field.get("field_name"), "code": field.get("field_code")}
        own: dict[str, Value] = {key: str(value) for key, value in told.items() if value is not None}
        yield {**own, "values": [_value(value) for value in field.get("values") or []]}


def _value(value: JsonObject) -> Value:
    own: dict[str, Value] = {"value": to_form_value(value.get("value", ""))}
    if value.get("enum_id") is not None:
        own["enum"] = str(value["enum_id"])
    return own


def _pick(items: object, *keys: str) -> list[Value]:
    """Return these fields of each item that has the first of them."""
    found = items if isinstance(items, list) else []
    return [
        {key: str(item[key]) for key in keys if item.get(key) is not None}
        for item in found
        if item.get(keys[0]) is not None
    ]
