"""What a template reads of an event is found in its syntax tree, wherever and however it is written."""

import pytest

from relay.rendering import compile_content
from relay.rendering.reads import FieldRead

KNOWN = {
    "lead": frozenset(["name", "price", "responsible_user_id", "custom"]),
    "contact": frozenset(["email"]),
    "contacts": frozenset(),
}
TABLES = {"managers": {"7": "+7"}, "towns": {}}


def reads(template: str) -> set[FieldRead]:
    return {read for _, read in compile_content({"a": template}, "body", KNOWN, TABLES).reads}


def lead(field: str, **more: object) -> FieldRead:
    return FieldRead(view="lead", field=field, **more)


@pytest.mark.parametrize(("template", "found"), [
    ("{{ lead.price }}", {lead("price")}),
    ("{{ lead['price'] }}", {lead("price")}),
    ("{{ lead.price | default('') }}", {lead("price", optional=True)}),
    ("{{ lead.price | int | default('') }}", {lead("price", optional=True)}),
    ("{{ lead.name or lead.price }}", {lead("name", optional=True), lead("price")}),
    ("{{ lead.get('name') }}", {lead("name", optional=True)}),
    ("{{ lead.custom['Город'] }}", {lead("Город", custom=True)}),
    ("{{ lead.custom.get('Город') }}", {lead("Город", custom=True, optional=True)}),
    ("{% if lead.custom['Город'] %}{{ lead.custom['Город'] }}{% endif %}",
     {lead("Город", custom=True), lead("Город", custom=True, optional=True)}),
    ("{{ lead.custom['Город'] | lookup('towns') }}", {lead("Город", custom=True, table="towns")}),
    ("{{ lead.responsible_user_id | lookup('managers') | default('') }}",
     {lead("responsible_user_id", table="managers", optional=True)}),
    ("{{ lead.responsible_user_id | string | lookup('managers') }}",
     {lead("responsible_user_id", table="managers")}),
    ("{{ lead.price ~ lead.name }}", {lead("price"), lead("name")}),
    ("{{ lead.name if lead.price else '' }}", {lead("name"), lead("price", optional=True)}),
    ("{% for one in contacts %}{{ one.custom['Должность'] }}{{ one.email }}{% endfor %}",
     {FieldRead(view="contact", field="Должность", custom=True), FieldRead(view="contact", field="email")}),
    ("{{ contacts[0].custom['Должность'] }}", {FieldRead(view="contact", field="Должность", custom=True)}),
    ("no template", set()),
])  # fmt: skip
def test_each_field_is_found_with_how_it_is_read(template, found):
    assert reads(template) == found


def test_each_has_its_path():
    compiled = compile_content({"a": ["x", {"b": "{{ lead.price }}"}]}, "body", KNOWN, TABLES)
    assert compiled.reads == ((("body", "a", 1, "b"), lead("price")),)
