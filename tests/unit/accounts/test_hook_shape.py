"""API v4's records are seen by conditions and templates under the names that hooks have."""

from typing import Any

import pytest

from relay.accounts.hook_shape import to_hook_shape
from relay.amocrm.custom_fields import CustomFields
from relay.amocrm.views import event_views
from relay.model import Account, Event


def field(id: int, name: str, code: str | None, *values: Any) -> dict[str, Any]:
    return {"field_id": id, "field_name": name, "field_code": code, "field_type": "text", "values": list(values)}


CONTACT = {
    "id": 11,
    "name": "Вера",
    "first_name": None,
    "responsible_user_id": 7,
    "created_by": 7,
    "updated_by": 8,
    "created_at": 1_790_000_000,
    "updated_at": 1_790_000_009,
    "is_deleted": False,
    "custom_fields_values": [
        field(1, "Телефон", "PHONE", {"value": "+7 916 555-01-87", "enum_id": 75965, "enum_code": "WORK"}),
        field(2, "Email", "EMAIL", {"value": "a@example.com"}, {"value": "b@example.com"}),
        field(3, "Город", None, {"value": "Москва"}),
        field(4, "Дата", None, {"value": 1_763_424_000}),
        field(5, "Согласен", None, {"value": True}),
        field(6, "Адрес", None, {"value": {"city": "Тула", "zip": None}}),
    ],
    "_embedded": {
        "tags": [{"id": 88, "name": "VIP", "color": None}],
        "companies": [{"id": 31, "_links": {}}],
        "leads": [{"id": 21}],
    },
    "_links": {"self": {"href": "https://evil.example"}},
}


def view(entity: str, item: dict[str, Any]) -> Any:
    data = to_hook_shape(entity, item)
    event = Event(
        id="r.0", receipt_id="r", index=0, source="acme", name=f"add_{entity}", entity=entity, action="add",
        entity_id="1", account=Account(), data=data, received_at=0,
    )  # fmt: skip
    return event_views(event)[entity]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "11"),
        ("name", "Вера"),
        ("email", "a@example.com"),
        ("emails", ["a@example.com", "b@example.com"]),
        ("phone", "+7 916 555-01-87"),
        ("tags", ["VIP"]),
        ("linked_leads", ["21"]),
        ("linked_company_id", "31"),
        ("responsible_user_id", "7"),
        ("created_user_id", "7"),
        ("modified_user_id", "8"),
        ("date_create", "1790000000"),
        ("last_modified", "1790000009"),
        ("updated_at", "1790000009"),
        ("type", "contact"),
        ("first_name", None),
        ("_links", None),
    ],
)
def test_a_contact(name: str, value: object) -> None:
    assert view("contact", CONTACT).get(name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Город", "Москва"),
        ("EMAIL", ["a@example.com", "b@example.com"]),
        ("4", "1763424000"),
        ("Согласен", "1"),
        ("Адрес", '{"city":"Тула"}'),
    ],
)
def test_its_custom_fields(name: str, value: object) -> None:
    assert CustomFields(to_hook_shape("contact", CONTACT))[name] == value


def test_a_lead() -> None:
    lead = view("lead", {"id": 21, "price": 1500, "status_id": 142, "pipeline_id": 5, "custom_fields_values": None})
    assert (lead.price, lead.status_id, lead.pipeline_id) == ("1500", "142", "5")
    assert "email" not in lead
    assert dict(lead.custom) == {}


def test_a_user() -> None:
    user = {"id": 7, "name": "Анна", "email": "a@x.example", "phone_number": "+7916", "rights": {}}
    assert to_hook_shape("user", user) == {"id": "7", "name": "Анна", "email": "a@x.example", "phone": "+7916"}


@pytest.mark.parametrize(
    "item", [{}, {"_embedded": None}, {"_embedded": {"tags": None, "companies": [{}]}, "custom_fields_values": []}]
)
def test_what_is_not_there_is_left_out(item: dict[str, Any]) -> None:
    assert to_hook_shape("contact", item) == {"type": "contact"}
