"""Views: what a person who writes a route sees of an event."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import StrictUndefined
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from relay.amocrm.event_names import EVENTS
from relay.amocrm.events import decode_receipt
from relay.amocrm.view_fields import VIEW_FIELDS
from relay.amocrm.views import View, event_views, main_view
from relay.model import Event, Receipt

HOOKS = Path(__file__).parents[2] / "fixtures" / "amocrm"
WHOLE = sorted(path.stem for path in HOOKS.glob("*.form") if path.stem != "contact_cut")

LoadEvent = Callable[[str], Event]


@pytest.fixture
def view(event: LoadEvent) -> Callable[[str], View]:
    """Return the view that conditions look at, of a fixture's only event."""

    def load(name: str) -> View:
        only = event(name)
        return event_views(only)[main_view(only.name)]

    return load


Load = Callable[[str], View]


def view_of(body: str) -> View:
    (only,) = decode_receipt(Receipt(id="r1", source="acme", received_at=5, body=body.encode()))[1]
    return event_views(only)[main_view(only.name)]


class TestWhichViews:
    @pytest.mark.parametrize(
        ("event_name", "expected"),
        [
            ("status_lead", "lead"),
            ("call_in_lead", "lead"),
            ("responsible_contact", "contact"),
            ("add_company", "company"),
            ("restore_company", "company"),
            ("delete_customer", "customer"),
            ("update_task", "task"),
            ("note_lead", "note"),
            ("note_customer", "note"),
            ("note_tickets", "note"),
            ("frozen_lead", "lead"),
            ("add_talk", "entity"),
            ("add_message", "entity"),
            ("add_outgoing_message", "entity"),
            ("delete_unsorted", "entity"),
            ("update_catalog", "entity"),
            ("close_tickets", "entity"),
        ],
    )
    def test_conditions_look_at_the_view_of_what_the_event_is_about(self, event_name: str, expected: str) -> None:
        assert main_view(event_name) == expected

    @pytest.mark.parametrize("hook_name", WHOLE)
    def test_an_event_gives_its_own_view_itself_and_its_account(
        self, hook: Callable[[str], Receipt], hook_name: str
    ) -> None:
        for event in decode_receipt(hook(hook_name))[1]:
            assert set(event_views(event)) == {main_view(event.name), "event", "account"}

    @pytest.mark.parametrize("event_name", EVENTS)
    def test_every_view_has_its_known_fields(self, event_name: str) -> None:
        assert VIEW_FIELDS[main_view(event_name)]

    @pytest.mark.parametrize("hook_name", WHOLE)
    def test_whatever_a_hook_carries_is_known(self, hook: Callable[[str], Receipt], hook_name: str) -> None:
        raw = {"custom_fields", "linked_leads_id"}  # shown as custom and linked_leads
        for event in decode_receipt(hook(hook_name))[1]:
            data = event.data.get("note", event.data)
            assert set(data) - raw <= VIEW_FIELDS[main_view(event.name)]

    def test_the_event_and_its_account_have_views_of_their_own(self, event: LoadEvent) -> None:
        found = event_views(event("lead_note"))
        assert {field: found["event"].get(field) for field in VIEW_FIELDS["event"]} == {
            "name": "note_lead",
            "id": "r1.0",
            "source": "acme",
            "entity": "lead",
            "action": "note",
            "entity_id": "31926521",
            "receipt_id": "r1",
            "received_at": "1763049620123",
        }
        assert {field: found["account"].get(field) for field in VIEW_FIELDS["account"]} == {
            "id": "7039099",
            "subdomain": "acme",
        }


class TestFields:
    @pytest.mark.parametrize(
        ("hook_name", "field", "value"),
        [
            ("lead_won", "name", "Поставка кофемашин"),
            ("lead_won", "price", "184500"),
            ("lead_won", "tags", ["Опт"]),
            ("lead_add_2016", "price", ""),
            ("lead_add_2016", "responsible_user_id", "0"),
            ("lead_add_2016", "name", "First & only = 100%+"),
            ("lead_update", "old_status_id", ""),
            ("lead_update", "name", "שולחן כתיבה\r\nשורה שנייה"),
            ("dp_status", "old_pipeline_id", "2116"),
            ("contact_new", "email", "anna.kovaleva@example.com"),
            ("contact_new", "emails", ["anna.kovaleva@example.com"]),
            ("contact_new", "phone", "+7 916 555-01-42"),
            ("contact_new", "tags", ["VIP"]),
            ("contact_new", "linked_leads", ["31926521"]),
            ("contact_shapes", "phone", "+77010000001"),
            ("contact_shapes", "phones", ["+77010000001", "+77010000002"]),
            ("contact_shapes", "linked_leads", ["9982719", "4294967296000"]),
            ("company_add", "linked_leads", ["31926521"]),
            ("company_add", "type", "company"),
            ("customer_add", "next_price", "5000"),
            ("task_result", "text", "Связаться"),
            ("task_result", "result", "Дозвонились"),
            ("task_result", "type", "1"),
            ("task_result", "entity", "lead"),
            ("task_result", "entity_id", "31926521"),
            ("task_double_nested", "entity", "contact"),
            ("lead_note", "text", "Позвонить завтра"),
            ("lead_note", "type", "4"),
            ("lead_note", "id", "4600701"),
            ("lead_note", "attachment", "offer.pdf"),
            ("lead_note", "attachement", "offer.pdf"),
            ("lead_note", "entity", "lead"),
            ("lead_note", "entity_id", "31926521"),
            ("company_note", "entity", "company"),
            ("customer_note", "entity", "customer"),
            (
                "message_add",
                "author",
                {
                    "id": "1db2f5cc-aea4-4f96-8d4f-a256ead5b001",
                    "type": "external",
                    "name": "Olga",
                    "avatar_url": "https://amojo.example.com/a.jpg?w=128&h=128",
                },
            ),
            ("unsorted_accept", "accept_result", {"leads": ["31926522"]}),
            ("catalog_add", "catalog_id", "32909"),
        ],
    )
    def test_a_field_has_the_value_that_was_sent(self, view: Load, hook_name: str, field: str, value: object) -> None:
        found = view(hook_name)
        assert found.get(field) == found[field] == getattr(found, field) == value
        assert field in found

    @pytest.mark.parametrize(
        ("hook_name", "field"),
        [
            ("lead_won", "email"),
            ("lead_won", "nonsense"),
            ("lead_won", "__nonsense__"),
            ("lead_delete", "tags"),
            ("lead_restore", "old_status_id"),
            ("contact_shapes", "email"),
            ("contact_shapes", "emails"),
            ("contact_delete", "linked_leads"),
            ("task_add", "result"),
            ("task_delete", "entity"),
            ("contact_note", "type"),  # a map that some integration put there
            ("customer_note", "attachment"),
        ],
    )
    def test_a_field_that_the_hook_did_not_carry_is_absent(self, view: Load, hook_name: str, field: str) -> None:
        found = view(hook_name)
        assert found.get(field) is None
        assert field not in found
        assert not hasattr(found, field)
        with pytest.raises(KeyError, match=field):
            found[field]

    @pytest.mark.parametrize(
        ("body", "field", "value"),
        [
            (
                "contacts[add][0][custom_fields][0][code]=EMAIL&contacts[add][0][custom_fields][0][values][0][value]=",
                "email",
                "",
            ),
            ("contacts[add][0][custom_fields][0][code]=EMAIL", "email", None),
            ("contacts[add][0][custom_fields][0][code]=EMAIL", "emails", []),
            ("contacts[add][0][custom_fields]=", "email", None),
            ("leads[add][0][tags]=", "tags", []),
            ("leads[add][0][tags][0]=VIP", "tags", ["VIP"]),
            ("leads[add][0][tags][3][name]=VIP&leads[add][0][tags][7][name]=Gold", "tags", ["VIP", "Gold"]),
            ("leads[add][0][tags][0][id]=1", "tags", []),
            ("contacts[add][0][linked_leads_id][0][ID]=5", "linked_leads", ["5"]),
            ("contacts[add][0][linked_leads_id][0]=5", "linked_leads", ["5"]),
            ("task[add][0][result]=Done", "result", "Done"),
            ("task[add][0][element_type][x]=1", "entity", None),
            ("task[add][0][element_type]=9", "entity", None),
            ("leads[note][0][text]=flat", "text", "flat"),
            ("leads[add][0][tags][name]=VIP&leads[add][0][tags][id]=3", "tags", ["VIP"]),
            ("leads[add][0][tags][id]=3&leads[add][0][tags][name]=VIP", "tags", ["VIP"]),
            ("contacts[add][0][linked_leads_id][ID]=5", "linked_leads", ["5"]),
            ("contacts[add][0][_embedded][tags][0][name]=VIP", "tags", ["VIP"]),
        ],
    )
    def test_odd_shapes_mean_what_they_say(self, body: str, field: str, value: object) -> None:
        assert view_of(body).get(field) == value

    @pytest.mark.parametrize("code", ["EMAIL", "email", "Email"])
    @pytest.mark.parametrize(("fields", "prefix"), [("custom_fields", ""), ("custom_fields_values", "field_")])
    @pytest.mark.parametrize("index", ["[0]", "[7]", ""])
    def test_an_address_is_found_in_any_case_in_a_hook_s_shape_and_in_that_of_v4(
        self, code: str, fields: str, prefix: str, index: str
    ) -> None:
        field = f"contacts[add][0][{fields}]{index}"
        sent = f"{field}[{prefix}code]={code}&{field}[{prefix}name]=Почта&{field}[{prefix}id]=9"
        view = view_of(f"{sent}&{field}[values][0][value]=anna@example.com&{field}[values][0][enum_code]=WORK")
        assert (view.get("email"), view.get("emails")) == ("anna@example.com", ["anna@example.com"])
        for key in (code, "EMAIL", "email", "Почта", "9"):
            assert view.custom[key] == "anna@example.com"
        assert list(view.custom) == ["Почта"]

    def test_a_first_phone_that_is_empty_is_passed_over(self) -> None:
        field = "contacts[add][0][custom_fields][0]"
        values = "&".join(
            f"{field}[values][{n}][value]={text}" for n, text in enumerate(["", "%2B7916", "", "%2B7917"])
        )
        view = view_of(f"{field}[code]=PHONE&{values}")
        assert (view.get("phone"), view.get("phones")) == ("+7916", ["+7916", "+7917"])

    def test_an_empty_field_before_a_full_one_is_passed_over(self) -> None:
        fields = "contacts[add][0][custom_fields]"
        view = view_of(f"{fields}[0][code]=PHONE&{fields}[1][code]=phone&{fields}[1][values][0][value]=5")
        assert (view.get("phone"), view.get("phones")) == ("5", ["5"])

    @pytest.mark.parametrize("place", ["[data]", "", "[_embedded]"])
    @pytest.mark.parametrize("kind", ["contacts", "companies"])
    def test_an_unsorted_request_has_the_details_of_what_is_within_it(self, place: str, kind: str) -> None:
        person = f"unsorted[add][0]{place}[{kind}][0]"
        body = (
            f"unsorted[add][0][uid]=u1&{person}[name]=Anna&{person}[custom_fields][0][code]=PHONE"
            f"&{person}[custom_fields][0][values][0][value]=%2B998"
            f"&{person}[custom_fields_values][0][field_code]=EMAIL"
            f"&{person}[custom_fields_values][0][values][0][value]=anna@example.com"
            f"&unsorted[add][0]{place}[leads][0][tags][0][name]=VIP&unsorted[add][0]{place}[leads][0][name]=Deal"
            f"&unsorted[add][0]{place}[leads][1][tags][0][name]=VIP&unsorted[add][0]{place}[leads][1][tags][1][name]=New"
        )
        found = {field: view_of(body).get(field) for field in ("email", "emails", "phone", "phones", "tags")}
        assert found == {
            "email": "anna@example.com", "emails": ["anna@example.com"], "phone": "+998", "phones": ["+998"],
            "tags": ["VIP", "New"],
        }  # fmt: skip

    @pytest.mark.parametrize("field", ["email", "emails", "phone", "phones", "tags"])
    def test_without_them_the_field_of_that_name_is_what_was_sent(self, field: str) -> None:
        assert view_of(f"tickets[close][0][id]=7&tickets[close][0][{field}]=x").get(field) in ("x", ["x"])
        assert view_of("tickets[close][0][id]=7").get(field) is None

    def test_a_view_can_be_copied(self, view: Load) -> None:
        assert copy.copy(view("lead_won")).get("id") == "31926521"


class TestCustomFields:
    @pytest.mark.parametrize(
        ("hook_name", "key", "value"),
        [
            ("lead_won", "Город", "Москва"),
            ("lead_won", "427183", "Москва"),
            ("lead_won", "Дата отгрузки", "1763424000"),
            ("lead_status_no_index", "Checkbox", "1"),
            ("lead_update", "Языки", ["עברית", "русский"]),
            ("contact_shapes", "Способ связи", "Почта"),
            ("contact_shapes", "День рождения", "644457600"),
            ("contact_shapes", "PHONE", ["+77010000001", "+77010000002"]),
            ("contact_shapes", "Юр. лицо", '{"name":"ООО Ромашка","vat_id":"7700000001"}'),
            ("contact_shapes", "Пусто", ""),
            ("catalog_add", "SKU", "BEAN-1"),
        ],
    )
    def test_a_value_is_found_by_name_code_or_id_whatever_its_shape(
        self, view: Load, hook_name: str, key: str, value: object
    ) -> None:
        custom = view(hook_name).custom
        assert custom[key] == custom.get(key) == value
        assert key in custom

    @pytest.mark.parametrize(
        ("hook_name", "key"), [("lead_won", "город"), ("lead_won", "PHONE"), ("lead_delete", "Город")]
    )
    def test_a_field_that_the_hook_did_not_carry_is_absent(self, view: Load, hook_name: str, key: str) -> None:
        custom = view(hook_name).custom
        assert custom.get(key) is None
        assert key not in custom
        with pytest.raises(KeyError, match=key):
            custom[key]

    def test_they_are_listed_by_name(self, view: Load) -> None:
        custom = view("lead_won").custom
        assert dict(custom.items()) == {"Город": "Москва", "Дата отгрузки": "1763424000", "Источник": "Сайт"}
        assert len(custom) == 3
        assert view("lead_won").get("custom") == custom

    def test_a_name_wins_over_a_code_a_code_over_an_id_and_the_first_over_the_second(self) -> None:
        fields = [
            {"id": "A", "code": "x", "name": "n"},
            {"id": "X", "code": "A", "name": "n"},
            {"id": "n", "name": "A"},
        ]
        body = "&".join(
            [
                f"leads[add][0][custom_fields][{i}][{key}]={value}"
                for i, field in enumerate(fields)
                for key, value in field.items()
            ]
            + [f"leads[add][0][custom_fields][{i}][values][0]={i}" for i in range(3)]
        )
        custom = view_of(body).custom
        assert (custom["n"], custom["X"], custom["A"]) == ("0", "0", "2")

    def test_sparse_values_are_several(self) -> None:
        body = "&".join(f"leads[add][0][custom_fields][7][values][{i}][value]={i}" for i in (2, 5))
        assert view_of(f"{body}&leads[add][0][custom_fields][7][name]=x").custom["x"] == ["2", "5"]

    def test_a_field_without_values_is_there_and_empty(self) -> None:
        custom = view_of("leads[add][0][custom_fields][0][name]=Город").custom
        assert custom["Город"] == ""


class TestInTemplates:
    env = ImmutableSandboxedEnvironment(undefined=StrictUndefined)

    @pytest.mark.parametrize(
        ("template", "text"),
        [
            ("{{ lead.name }}", "Поставка кофемашин"),
            ("{{ lead['price'] }}", "184500"),
            ("{{ lead.custom['Город'] }} {{ lead.custom.Город }}", "Москва Москва"),
            ("{{ lead.tags | join(', ') }}", "Опт"),
            ("{{ lead.closed_at | default('open') }}", "open"),
            ("{{ lead.custom['Нет'] | default('-') }}", "-"),
            ("{{ event.name }} {{ account.subdomain }}", "status_lead acme"),
            ("{{ 'price' in lead }} {{ 'email' in lead }}", "True False"),
        ],
    )
    def test_a_view_reads_like_the_thing_it_shows(self, event: LoadEvent, template: str, text: str) -> None:
        assert self.env.from_string(template).render(event_views(event("lead_won"))) == text

    def test_what_the_hook_did_not_carry_is_undefined(self, event: LoadEvent) -> None:
        with pytest.raises(UndefinedError):
            self.env.from_string("{{ lead.closed_at }}").render(event_views(event("lead_won")))

    def test_nested_data_of_an_open_entity_can_be_walked(self, event: LoadEvent) -> None:
        template = self.env.from_string("{{ entity.source_data.client.name }}: {{ entity.source_data.data[0].text }}")
        assert template.render(event_views(event("unsorted_add"))) == "Olga: Привет"
