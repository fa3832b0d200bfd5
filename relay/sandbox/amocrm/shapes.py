"""The two shapes in which amoCRM writes an entity: API v4's records, and the data of its hooks.

Nothing is shared with `relay.accounts`, so that a mistake there is not repeated here.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from relay.model import Record, Value

Item: TypeAlias = Mapping[str, Any]

_WIRE = {"leads": "leads", "contacts": "contacts", "companies": "contacts"}
_SINGULAR = {"leads": "lead", "contacts": "contact", "companies": "company"}
_ENUMS = {"PHONE": 75965, "EMAIL": 75977}


class HookEvent(Record):
    """One event that a hook reports: entity[action][0][…]."""

    event: str  # status_lead
    entity: str  # leads
    action: str  # status
    data: dict[str, Value]


def blank(entities: str, id: int, now: int, account: int) -> dict[str, Any]:
    """Return the fields that every record has."""
    common = {
        "id": id,
        "name": "",
        "responsible_user_id": 102525,
        "created_by": 102525,
        "updated_by": 102525,
        "created_at": now,
        "updated_at": now,
        "account_id": account,
        "is_deleted": False,
    }
    lead = {"price": 0, "status_id": 10216995, "pipeline_id": 2116, "closed_at": None}
    return {**common, **(lead if entities == "leads" else {})}


def fields(known: Mapping[str, Item], given: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Take the custom fields out of `given`, by name or lower-case code, and return them as API v4 does."""
    found = []
    for id, field in known.items():
        name, code, kind = field["name"], field.get("code", ""), field["type"]
        for key in (name, code.lower()):
            if key and key in given:
                value: dict[str, Any] = {"value": given.pop(key)}
                if code in _ENUMS:
                    value |= {"enum_id": _ENUMS[code], "enum_code": "WORK"}
                own = {"field_id": int(id), "field_name": name, "field_code": code or None, "field_type": kind}
                found.append({**own, "values": [value]})
    return found or None


def created(entities: str, item: Item) -> list[HookEvent]:
    """Return the events of a new record. A contact's first hook has no custom fields: they come as an update."""
    if entities == "leads" or not item["custom_fields_values"]:
        return [_hook_event("add", entities, item)]
    return [_hook_event("add", entities, {**item, "custom_fields_values": None}), _hook_event("update", entities, item)]


def changed(entities: str, before: Item, item: Item) -> list[HookEvent]:
    """Return the events of a change: two for a lead's stage or responsible user, as amoCRM does."""
    update, events = _hook_event("update", entities, item), []
    old_responsible = {"old_responsible_user_id": str(before["responsible_user_id"])}
    handed_over = before["responsible_user_id"] != item["responsible_user_id"]
    if entities != "leads":
        if handed_over:
            update.data.update(old_responsible)
        return [update]
    if before["status_id"] != item["status_id"]:
        events.append(_hook_event("status", entities, item, old_status_id=str(before["status_id"])))
    if handed_over:
        events.append(_hook_event("responsible", entities, item, **old_responsible))
    return [*events, update]


def event_value(name: str, item: Item) -> list[Item]:
    """Return a field's value as it stands in an event of the account."""
    if name == "status_id":
        return [{"lead_status": {"id": item["status_id"], "pipeline_id": item["pipeline_id"]}}]
    if name == "responsible_user_id":
        return [{"responsible_user": {"id": item["responsible_user_id"]}}]
    return [{f"{'sale' if name == 'price' else name}_field_value": {name: item[name]}}]


def deleted(entities: str, item: Item) -> list[HookEvent]:
    """Return the event of a deleted record."""
    data: dict[str, Value] = {"id": str(item["id"])}
    if entities == "leads":
        data |= {"status_id": str(item["status_id"]), "pipeline_id": str(item["pipeline_id"])}
    else:
        data["type"] = _SINGULAR[entities]
    return [HookEvent(event=f"delete_{_SINGULAR[entities]}", entity=_WIRE[entities], action="delete", data=data)]


def _hook_event(action: str, entities: str, item: Item, **old: str) -> HookEvent:
    data = (_lead if entities == "leads" else _person)(item)
    if entities == "companies":
        data["type"] = "company"
    return HookEvent(
        event=f"{action}_{_SINGULAR[entities]}", entity=_WIRE[entities], action=action, data={**data, **old}
    )


def _common(item: Item) -> dict[str, Value]:
    return {
        "id": str(item["id"]),
        "name": item["name"],
        "responsible_user_id": str(item["responsible_user_id"]),
        "date_create": str(item["created_at"]),
        "last_modified": str(item["updated_at"]),
        "created_user_id": str(item["created_by"]),
        "modified_user_id": str(item["updated_by"]),
        "account_id": str(item["account_id"]),
    }


def _lead(item: Item) -> dict[str, Value]:
    own: dict[str, Value] = {key: str(item[key]) for key in ("status_id", "price", "pipeline_id")}
    return {**_common(item), **own, **_rest(item)}


def _person(item: Item) -> dict[str, Value]:
    linked = [str(lead["id"]) for lead in item["_embedded"].get("leads", [])]
    leads: dict[str, Value] = {"linked_leads_id": {id: {"ID": id} for id in linked}} if linked else {}
    companies = [str(company["id"]) for company in item["_embedded"].get("companies", [])]
    company: dict[str, Value] = {"linked_company_id": companies[0]} if companies else {}
    return {**_common(item), **company, **_rest(item), **leads, "type": "contact"}


def _rest(item: Item) -> dict[str, Value]:
    rest: dict[str, Value] = {"created_at": str(item["created_at"]), "updated_at": str(item["updated_at"])}
    tags: list[Value] = [{"id": str(tag["id"]), "name": tag["name"]} for tag in item["_embedded"]["tags"]]
    custom: list[Value] = [_custom(own) for own in item["custom_fields_values"] or []]
    return {**rest, **({"tags": tags} if tags else {}), **({"custom_fields": custom} if custom else {})}


def _custom(own: Item) -> dict[str, Value]:
    if own["field_type"] == "date":
        values: list[Value] = [str(value["value"]) for value in own["values"]]
    else:
        values = [_value(value) for value in own["values"]]
    code: dict[str, Value] = {"code": own["field_code"]} if own["field_code"] else {}
    return {"id": str(own["field_id"]), "name": own["field_name"], "values": values, **code}


def _value(value: Item) -> dict[str, Value]:
    enum: dict[str, Value] = {"enum": str(value["enum_id"])} if "enum_id" in value else {}
    return {"value": str(value["value"]), **enum}
