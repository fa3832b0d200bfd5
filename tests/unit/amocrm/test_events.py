"""Events: which facts a body holds, what they are called, whom they are about."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.amocrm.body_format import body_format
from relay.amocrm.change_time import carries_change_time
from relay.amocrm.event_names import EVENTS, SUBSCRIBABLE, EventKind, routable_names
from relay.amocrm.events import decode_receipt, encode_event
from relay.errors import Malformed
from relay.model import Account, Event, Receipt

HOOKS = Path(__file__).parents[2] / "fixtures" / "amocrm"
WHOLE = sorted(path.stem for path in HOOKS.glob("*.form") if path.stem != "contact_cut")

Load = Callable[[str], Receipt]
LoadEvent = Callable[[str], Event]

UID = "0f5b625866db8641999f48766d61d4d0663c12aa38b9bcb4d2866b0c7a01"


def receipt(body: bytes | str, content_type: str = "application/x-www-form-urlencoded") -> Receipt:
    sent = body.encode() if isinstance(body, str) else body
    return Receipt(id="r1", source="acme", received_at=5, body=sent, content_type=content_type)


def facts(body: bytes | str) -> list[tuple[str, str, object]]:
    return [(event.name, event.entity_id, event.data) for event in decode_receipt(receipt(body))[1]]


class TestCatalogue:
    def test_the_subscription_api_knows_28_names_and_five_for_chats(self) -> None:
        assert len(SUBSCRIBABLE) == len(set(SUBSCRIBABLE)) == 33
        assert SUBSCRIBABLE[-5:] == (
            "add_talk",
            "add_message",
            "add_outgoing_message",
            "add_chat_template_review",
            "update_talk",
        )

    @pytest.mark.parametrize(
        ("action", "entities"),
        [
            ("responsible", ["lead", "contact", "company", "customer", "task"]),
            ("restore", ["lead", "contact", "company"]),
            ("add", ["lead", "contact", "company", "customer", "task"]),
            ("update", ["lead", "contact", "company", "customer", "task"]),
            ("delete", ["lead", "contact", "company", "customer", "task"]),
            ("status", ["lead"]),
            ("note", ["lead", "contact", "company", "customer"]),
        ],
    )
    def test_the_original_28_are_subscribable(self, action: str, entities: list[str]) -> None:
        assert {f"{action}_{entity}" for entity in entities} <= set(SUBSCRIBABLE)

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("status_lead", EventKind(entity="lead", action="status")),
            ("note_company", EventKind(entity="company", action="note")),
            ("add_outgoing_message", EventKind(entity="outgoing_message", action="add")),
            ("add_chat_template_review", EventKind(entity="chat_template_review", action="add")),
            ("delete_unsorted", EventKind(entity="unsorted", action="delete")),
            ("update_catalog", EventKind(entity="catalog", action="update")),
            ("call_in_lead", EventKind(entity="lead", action="call_in")),
            ("site_visit_lead", EventKind(entity="lead", action="site_visit")),
            ("mail_in_lead", EventKind(entity="lead", action="mail_in")),
            ("chat_lead", EventKind(entity="lead", action="chat")),
        ],
    )
    def test_a_name_says_what_happened_to_what(self, name: str, kind: EventKind) -> None:
        assert EVENTS[name] == kind

    def test_what_only_arrives_cannot_be_subscribed_to(self) -> None:
        assert set(EVENTS) - set(SUBSCRIBABLE) == {
            *("add_unsorted", "update_unsorted", "delete_unsorted"),
            *("add_catalog", "update_catalog", "delete_catalog"),
            *("call_in_lead", "chat_lead", "site_visit_lead", "mail_in_lead"),
        }


class TestReading:
    @pytest.mark.parametrize(
        ("hook_name", "name", "entity_id"),
        [
            ("lead_add_2016", "add_lead", "501"),
            ("lead_update", "update_lead", "502"),
            ("lead_responsible", "responsible_lead", "503"),
            ("lead_restore", "restore_lead", "504"),
            ("lead_delete", "delete_lead", "505"),
            ("lead_delete_scalar", "delete_lead", "506"),
            ("lead_delete_no_index", "delete_lead", "507"),
            ("lead_status_no_index", "status_lead", "508"),
            ("lead_won", "status_lead", "31926521"),
            ("lead_note", "note_lead", "31926521"),
            ("dp_status", "status_lead", "10754201"),
            ("dp_call_in", "call_in_lead", "10754202"),
            ("contact_new", "add_contact", "37054082"),
            ("contact_shapes", "update_contact", "75"),
            ("contact_restore", "restore_contact", "73"),
            ("contact_delete", "delete_contact", "74"),
            ("contact_note", "note_contact", "37054082"),
            ("company_add", "add_company", "81"),
            ("company_handed_over", "update_company", "82"),
            ("company_restore", "restore_company", "83"),
            ("company_delete", "delete_company", "84"),
            ("company_note", "note_company", "81"),
            ("customer_add", "add_customer", "91"),
            ("customer_handed_over", "update_customer", "92"),
            ("customer_responsible", "responsible_customer", "93"),
            ("customer_delete", "delete_customer", "94"),
            ("customer_note", "note_customer", "91"),
            ("task_add", "add_task", "1564901"),
            ("task_result", "update_task", "1564901"),
            ("task_double_nested", "update_task", "1564902"),
            ("task_delete", "delete_task", "1564904"),
            ("unsorted_add", "add_unsorted", UID),
            ("unsorted_accept", "delete_unsorted", UID),
            ("unsorted_decline", "delete_unsorted", UID),
            ("message_add", "add_message", "c1ce13c7-4825-4ecc-9dc0-b35c49b86d01"),
            ("outgoing_message_add", "add_outgoing_message", "c1ce13c7-4825-4ecc-9dc0-b35c49b86d02"),
            ("talk_add", "add_talk", "191"),
            ("talk_update", "update_talk", "191"),
            ("catalog_add", "add_catalog", "347601"),
            ("catalog_delete", "delete_catalog", "347601"),
        ],
    )
    def test_a_fact_goes_by_amocrms_name_and_is_about_its_entity(
        self, hook: Load, hook_name: str, name: str, entity_id: str
    ) -> None:
        (event,) = decode_receipt(hook(hook_name))[1]
        assert (event.name, event.entity_id) == (name, entity_id)
        assert EventKind(entity=event.entity, action=event.action) == EVENTS[name]

    def test_events_carry_where_they_came_from_and_keep_the_order_of_the_body(self, hook: Load) -> None:
        account, events = decode_receipt(hook("several"))
        assert account == Account(id="7039099", subdomain="acme", link="https://acme.amocrm.ru")
        assert [(event.id, event.name, event.entity_id) for event in events] == [
            ("r1.0", "add_lead", "511"),
            ("r1.1", "add_lead", "514"),
            ("r1.2", "status_lead", "511"),
            ("r1.3", "add_contact", "61"),
            ("r1.4", "add_company", "62"),
        ]
        assert {event.receipt_id for event in events} == {"r1"}
        assert {event.source for event in events} == {"acme"}
        assert {event.received_at for event in events} == {1763049620123}
        assert [event.index for event in events] == [0, 1, 2, 3, 4]
        assert all(event.account is account for event in events)

    @pytest.mark.parametrize(
        ("body", "account"),
        [
            ("leads[delete]=1", Account()),
            ("account=acme&leads[delete]=1", Account()),
            ("leads[delete]=1&account[subdomain]=acme", Account(subdomain="acme")),
            ("account[id]=7&leads[delete]=1", Account(id="7")),
            ("account[id][x]=7&leads[delete]=1", Account()),
        ],
    )
    def test_the_account_is_what_the_body_says_and_no_more(self, body: str, account: Account) -> None:
        assert decode_receipt(receipt(body))[0] == account

    @pytest.mark.parametrize(
        "body",
        [
            "leads[add][0][id]=7",
            "leads[add][id]=7",
            "leads[add]=7",
            "leads[add][]=7",
            "leads[add][0][0][id]=7",
            "leads[add][3][id]=7",
            "leads[add][0][5][0][id]=7",
            "leads[add][9007199254740993][id]=7",
        ],
    )
    def test_however_it_is_nested_it_is_the_same_fact(self, body: str) -> None:
        assert facts(body) == [("add_lead", "7", {"id": "7"})]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("tickets[close][0][id]=7", [("close_tickets", "7", {"id": "7"})]),
            ("leads[frozen][0][id]=7", [("frozen_lead", "7", {"id": "7"})]),
            ("talk[add][0][id]=7", [("add_talk", "", {"id": "7"})]),
            ("leads[add][0][id][x]=7", [("add_lead", "", {"id": {"x": "7"}})]),
            ("leads[note][0][note]=text", [("note_lead", "", {"note": "text"})]),
            ("leads[add][0][type]=company", [("add_lead", "", {"type": "company"})]),
            ("leads[add][0][name]=x&more=1", [("add_lead", "", {"name": "x"})]),
        ],
    )
    def test_what_is_not_known_is_an_event_under_its_own_words(self, body: str, expected: object) -> None:
        assert facts(body) == expected

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", '{"leads": {"add": [{"id": 7}]}}'),
            ("application/hal+JSON; charset=utf-8", '\n {"leads": {"add": {"id": 7}}}'),
            ("", '{"leads": {"add": "7"}}'),
            ("text/plain", '\r\n {"leads": {"add": [[{"id": "7"}]]}}'),
            ("", "leads[add][0][id]=7"),
            ("application/octet-stream", "leads%5Badd%5D%5B0%5D%5Bid%5D=7"),
            ("Application/X-WWW-Form-Urlencoded; charset=UTF-8", "leads[add]=7"),
            ("application/x-www-form-urlencoded", '{"leads": {"add": 7}}'),  # curl's default
            ("application/json", "leads[add]=7"),
            ("multipart/form-data; boundary=x", "leads[add]=7"),
        ],
    )
    def test_form_or_json_is_told_by_the_first_byte_whatever_the_content_type(
        self, content_type: str, body: str
    ) -> None:
        (event,) = decode_receipt(receipt(body, content_type))[1]
        assert (event.name, event.data) == ("add_lead", {"id": "7"})

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ("", "no event in it, only nothing"),
            ("account[subdomain]=acme", "no event in it, only 'account'"),
            ("leads=1", "no event in it, only 'leads'"),
            ("leads[]=1", "no event in it, only 'leads'"),
            ("add[0][id]=m1", "no event in it, only 'add'"),
            ('{"headers": {"host": "x"}}', "no event in it, only 'headers'"),
            ('{"body": {"leads": [{"id": 5}]}}', "no event in it, only 'leads'"),
            ("hello", "not a form"),
        ],
    )
    def test_a_body_without_events_is_malformed(self, body: str, says: str) -> None:
        with pytest.raises(Malformed, match=says):
            decode_receipt(receipt(body))

    @pytest.mark.parametrize(
        ("count", "remarks"), [(1000, []), (1012, ["body: 1,012 events, at most 1,000: the last 12 are left out"])]
    )
    def test_a_thousand_events_are_read(self, count: int, remarks: list[str]) -> None:
        body = "&".join(f"leads[add][{index}][id]={index}" for index in range(count))
        found: list[str] = []
        assert decode_receipt(receipt(body), found.append)[1][-1].id == "r1.999"
        assert found == remarks


class TestNames:
    @pytest.mark.parametrize(
        ("hook_name", "expected"),
        [
            ("contact_handed_over", {"update_contact", "responsible_contact"}),
            ("company_handed_over", {"update_company", "responsible_company"}),
            ("customer_handed_over", {"update_customer", "responsible_customer"}),
            ("task_handed_over", {"update_task", "responsible_task"}),
            ("contact_same_responsible", {"update_contact"}),
            ("contact_shapes", {"update_contact"}),
            ("lead_responsible", {"responsible_lead"}),
            ("customer_responsible", {"responsible_customer"}),
            ("company_note", {"note_company"}),
        ],
    )
    def test_an_update_that_hands_over_is_routed_under_both_names(
        self, event: LoadEvent, hook_name: str, expected: set[str]
    ) -> None:
        assert routable_names(event(hook_name)) == expected

    @pytest.mark.parametrize(
        "body",
        [
            "contacts[update][0][old_responsible_user_id]=&contacts[update][0][responsible_user_id]=5",
            "contacts[add][0][old_responsible_user_id]=4&contacts[add][0][responsible_user_id]=5",
            # a lead's comes as leads[responsible] as well: it must not be routed twice
            "leads[update][0][old_responsible_user_id]=4&leads[update][0][responsible_user_id]=5",
        ],
    )
    def test_nothing_else_is_a_handing_over(self, body: str) -> None:
        (only,) = decode_receipt(receipt(body))[1]
        assert routable_names(only) == {only.name}


class TestToForm:
    @pytest.mark.parametrize("hook_name", WHOLE)
    def test_each_event_can_be_sent_on_alone_and_means_the_same(self, hook: Load, hook_name: str) -> None:
        for event in decode_receipt(hook(hook_name))[1]:
            account, (again,) = decode_receipt(receipt(encode_event(event)))
            assert account == event.account
            assert again == msgspec.structs.replace(event, id="r1.0", index=0, received_at=5)

    def test_it_is_written_with_the_account_first_and_the_fact_under_index_0(self) -> None:
        (event,) = decode_receipt(receipt("task[update][5][0][id]=7&account[subdomain]=acme&account[id]=9"))[1]
        assert encode_event(event) == b"account%5Bsubdomain%5D=acme&account%5Bid%5D=9&task%5Bupdate%5D%5B0%5D%5Bid%5D=7"

    @pytest.mark.parametrize(
        ("body", "sent"),
        [
            ("contacts[add][0][type]=company", b"contacts%5Badd%5D%5B0%5D%5Btype%5D=company"),
            ("company[add][0][id]=7", b"contacts%5Badd%5D%5B0%5D%5Bid%5D=7&contacts%5Badd%5D%5B0%5D%5Btype%5D=company"),
            ("catalogs[add]=7", b"catalogs%5Badd%5D%5B0%5D%5Bid%5D=7"),
            ("tickets[close]=7", b"tickets%5Bclose%5D%5B0%5D%5Bid%5D=7"),
        ],
    )
    def test_it_goes_under_the_key_amocrm_uses(self, body: str, sent: bytes) -> None:
        (event,) = decode_receipt(receipt(body))[1]
        assert encode_event(event) == sent


class TestChangeTime:
    @pytest.mark.parametrize(
        ("hook_name", "carried"),
        [
            ("lead_won", True),
            ("contact_new", True),
            ("lead_note", True),
            ("talk_add", True),
            ("lead_delete", False),
            ("dp_status", False),
            ("message_add", False),
            ("contact_cut", False),
        ],
    )
    def test_a_hook_that_says_when_it_changed_is_told_from_one_that_does_not(
        self, hook: Load, hook_name: str, carried: bool
    ) -> None:
        assert carries_change_time(hook(hook_name).body) is carried

    @pytest.mark.parametrize(
        ("body", "carried"),
        [
            (b"a%5Blast_modified%5D=1", True),
            (b"a%5bupdated_at%5d=1", True),
            (b"a[0][note][timestamp_x]=1", True),
            (b"x=1&y=2&a[updated_at]=1", True),
            (b"x=updated_at&a[updated_at]=1", True),
            (b"x=a[updated_at]=1&a[updated_at]=1", True),
            (b'{"a": {"updated_at": 1}}', True),
            (b' {"a": {"updated_at" : 1}}', True),
            (b"", False),
            (b"updated_at", False),
            (b"updated_at=1", False),
            (b"a=updated_at", False),
            (b"a=b[updated_at]=1", False),
            (b"a=%5Bupdated_at%5D%3D", False),
            (b"a[not_updated_at]=1", False),
            (b"a[updated_at_all]=1", False),
            (b"a[updated_at][b]=1", False),
            (b'a={"updated_at":1}', False),
            (b'{"a": "updated_at"}', False),
            (b'{"a": "{\\"updated_at\\": 1}"}', False),
            (b'{"not_updated_at": 1}', False),
            (b'\xef\xbb\xbf{"a": {"updated_at": 1}}', True),
            (b'{"leads[update][0][updated_at]": "1"}', True),
            (b'{"leads[update][0][not_updated_at]": "1"}', False),
            (b'--b\r\nContent-Disposition: form-data; name="leads[update][0][updated_at]"\r\n\r\n1', True),
            (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb[updated_at]"', False),
            (b'{"a": "b[updated_at]=1"}', False),
            (b"a=" + b"[updated_at]=" * 60, False),
            (b"a[" + b"x" * 600 + b"][updated_at]=1", False),  # longer than any key that decode takes
        ],
    )
    def test_only_a_key_counts(self, body: bytes, carried: bool) -> None:
        assert carries_change_time(body) is carried

    def test_a_megabyte_of_the_word_is_searched_to_its_end(self) -> None:
        assert carries_change_time(b"a=" + b"[updated_at]=" * 80_000) is False
        assert carries_change_time(b"a=" + b"[updated_at]=" * 80_000 + b"&a[updated_at]=") is True


words = st.sampled_from(["leads", "contacts", "task", "note", "add", "update", "delete", "0", "1", "id", "type", "x"])
pairs = st.tuples(st.lists(words, min_size=1, max_size=6), st.sampled_from(["", "7", "company"]))
bodies = st.lists(pairs, max_size=8).map(
    lambda found: "&".join(f"{path[0]}{''.join(f'[{key}]' for key in path[1:])}={value}" for path, value in found)
)
content_types = st.sampled_from(
    ["", "application/json", "multipart/form-data; boundary=b", "text/plain; charset=windows-1251", "a/b;charset=hex"]
)
codings = st.sampled_from(["", "gzip", "deflate", "gzip, br"])
pieces = ["--b", "--b--", "\r\n", "\n\n", 'Content-Disposition: form-data; name="leads[add][0][id]"', "; filename=x",
          '{"leads', "[add]", '":', "{", "}", "[", "]", "1", '"', "\ufeff", "&amp;", "?", "leads[add]=1"]  # fmt: skip
odd_bodies = st.lists(st.sampled_from(pieces).map(str.encode) | st.binary(max_size=3), max_size=16).map(b"".join)
junk_fields = (st.binary(max_size=8) | odd_bodies).filter(lambda junk: b"leads" not in junk and b"body" not in junk)
compressions = st.sampled_from([bytes, gzip.compress, zlib.compress, lambda body: gzip.compress(body)[:-5]])


class TestLaws:
    @given(st.binary(max_size=60) | bodies.map(str.encode) | odd_bodies, content_types, codings, compressions)
    def test_reading_raises_nothing_but_malformed(
        self, body: bytes, content_type: str, coding: str, compress: Callable[[bytes], bytes]
    ) -> None:
        sent = msgspec.structs.replace(receipt(compress(body), content_type), content_encoding=coding)
        try:
            _, events = decode_receipt(sent)
        except Malformed:
            return
        assert [event.index for event in events] == list(range(len(events)))

    @given(st.lists(junk_fields, max_size=4), st.lists(junk_fields, max_size=4))
    def test_whatever_stands_beside_it_an_event_is_read(self, before: list[bytes], after: list[bytes]) -> None:
        body = b"&".join([*before, b"leads[add][0][id]=1&leads[add][0][name]=%D0%96", *after])
        assume(body_format(body) == "form" and not body.startswith(b"\x1f\x8b"))
        found = [(event.name, event.data) for event in decode_receipt(receipt(body))[1]]
        assert ("add_lead", {"id": "1", "name": "Ж"}) in found

    @given(bodies)
    def test_any_event_sent_on_alone_means_the_same(self, body: str) -> None:
        try:
            _, events = decode_receipt(receipt(body))
        except Malformed:
            return
        for event in events:
            _, (again,) = decode_receipt(receipt(encode_event(event)))
            assert again == msgspec.structs.replace(event, id="r1.0", index=0)
            assert routable_names(again) == routable_names(event)

    @given(bodies)
    def test_a_change_time_is_seen_in_whatever_carries_one(self, body: str) -> None:
        assert carries_change_time(body.encode()) is False
        assert carries_change_time(f"{body}&leads[update][0][updated_at]=1".encode()) is True
