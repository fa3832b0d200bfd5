"""The changes that the account remembers, as events of its hooks; and which of them hooks did report."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.accounts.changes import AccountChange, changes_from_events, event_from_change, event_names
from relay.accounts.matching import CLOCK_TOLERANCE_S, MAX_DELAY_S, ReceivedEvent, find_missing, received_event
from relay.amocrm.event_names import routable_names
from relay.amocrm.events import decode_receipt, encode_event
from relay.model import Account, Receipt

AT = 1_795_440_000
ACME = Account(id="7039099", subdomain="acme")
STAGES = {
    "value_before": [{"lead_status": {"id": 1, "pipeline_id": 7}}],
    "value_after": [{"lead_status": {"id": 142, "pipeline_id": 7}}],
}


def item(kind: str, entity: str = "lead", **more) -> dict:
    own = {"type": kind, "entity_type": entity, "entity_id": 5, "created_at": AT, "created_by": 17}
    return {**own, "value_before": [], "value_after": [], **more}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (item("lead_added"), ["add_lead"]),
        (item("contact_deleted", "contact"), ["delete_contact"]),
        (item("company_restored", "company"), ["restore_company"]),
        (item("lead_status_changed", **STAGES), ["status_lead", "update_lead"]),
        (item("entity_responsible_changed"), ["responsible_lead", "update_lead"]),
        (item("entity_responsible_changed", "contact"), ["update_contact"]),
        (item("name_field_changed"), ["update_lead"]),
        (item("sale_field_changed"), ["update_lead"]),
        (item("custom_field_value_changed"), ["update_lead"]),
        (item("custom_field_427183_value_changed", "contact"), ["update_contact"]),
        (item("entity_tag_added"), ["update_lead"]),
        (item("incoming_chat_message"), []),
        (item("task_added", "task"), []),
    ],
)
def test_each_kind_of_event_is_the_changes_that_its_hooks_report(event, expected):
    assert [change.name for change in changes_from_events([event])] == expected


def test_what_was_saved_together_is_one_hook():
    assert (
        len(changes_from_events([item("name_field_changed"), item("sale_field_changed"), item("entity_tag_added")]))
        == 1
    )


def test_a_change_is_written_as_amocrm_writes_it():
    (change, _) = changes_from_events([item("lead_status_changed", **STAGES)])
    record = {"id": 5, "name": "Сделка", "status_id": 143, "pipeline_id": 7, "price": 1500, "updated_at": AT + 900}
    event = event_from_change(change, "acme", ACME, record)
    assert event is not None
    account, (again,) = decode_receipt(
        Receipt(id=event.receipt_id, source="acme", received_at=0, body=encode_event(event))
    )
    assert account == ACME
    assert (again.name, again.entity_id) == ("status_lead", "5")
    # The stage is that of the event, whatever it is now.
    seen = {
        key: again.data[key] for key in ("status_id", "old_status_id", "price", "modified_user_id", "last_modified")
    }
    assert seen == {
        "status_id": "142", "old_status_id": "1", "price": "1500", "modified_user_id": "17", "last_modified": str(AT),
    }  # fmt: skip


def test_a_new_responsible_user_of_a_person_is_an_update_with_the_old_user():
    before = [{"responsible_user": {"id": 3}}]
    (change,) = changes_from_events([item("entity_responsible_changed", "contact", value_before=before)])
    event = event_from_change(change, "acme", ACME, {"id": 5, "name": "Анна", "responsible_user_id": 4})
    assert event is not None
    assert routable_names(event) == event_names(change) == {"update_contact", "responsible_contact"}


def test_a_change_of_what_does_not_exist_any_more_has_an_event_only_where_it_is_the_delete():
    added, deleted = changes_from_events([item("lead_added"), item("lead_deleted")])
    assert event_from_change(added, "acme", ACME, None) is None
    assert event_from_change(deleted, "acme", ACME, None) is not None


@given(st.integers(0, 2**31), st.integers(0, 99))
def test_its_receipt_has_always_the_same_id_a_uuid_of_its_second(at, lead):
    change = AccountChange(entity="lead", action="add", entity_id=str(lead), at=at, user_id="1", details={})
    id = UUID(change.receipt_id("acme"))
    assert str(id) == change.receipt_id("acme") != change.receipt_id("beta")
    assert (id.version, id.variant, id.int >> 80) == (7, "specified in RFC 4122", at * 1000)


def change(at: int = AT, action: str = "update", **details: str) -> AccountChange:
    return AccountChange(entity="lead", action=action, entity_id="5", at=at, user_id="1", details=details)


def seen(id: str = "r.0", at: int = AT, name: str = "update_lead", **more) -> ReceivedEvent:
    return ReceivedEvent(**{"id": id, "name": name, "entity_id": "5", "status": "", "at": at, "timed": True, **more})


@pytest.mark.parametrize(
    ("event", "reported"),
    [
        (seen(), True),
        (seen(at=AT + CLOCK_TOLERANCE_S), True),
        (seen(at=AT + CLOCK_TOLERANCE_S + 1), False),
        (seen(at=AT - CLOCK_TOLERANCE_S - 1), False),
        (seen(at=AT + MAX_DELAY_S, timed=False), True),
        (seen(at=AT + MAX_DELAY_S + 1, timed=False), False),
        (seen(name="add_lead"), False),
        (seen(entity_id="6"), False),
    ],
)
def test_an_event_reports_the_change_of_its_name_entity_and_time(event, reported):
    assert find_missing([change()], [event], set()) == ([] if reported else [change()])


def test_a_new_stage_is_reported_by_the_event_of_that_stage():
    won, lost = change(action="status", status_id="142"), change(action="status", status_id="143")
    assert find_missing([lost, won], [seen(name="status_lead", status="142")], set()) == [lost]


def test_one_event_reports_one_change_the_nearest_in_time():
    early, late = change(AT), change(AT + 20)
    assert find_missing([early, late], [seen(at=AT + 19)], set()) == [early]


def test_an_event_that_reported_a_change_reports_none_on_the_next_page():
    used: set[str] = set()
    assert find_missing([change()], [seen()], used) == []
    assert find_missing([change(AT + 1)], [seen()], used) == [change(AT + 1)]


def test_the_time_in_a_hook_counts_and_not_its_arrival():
    receipt = Receipt(
        id="r", source="acme", received_at=9_000, body=b"leads[update][0][id]=5&leads[update][0][last_modified]=7"
    )
    assert received_event(decode_receipt(receipt)[1][0]).at == 7
    bare = Receipt(id="r", source="acme", received_at=9_000, body=b"leads[delete][0][id]=5")
    assert received_event(decode_receipt(bare)[1][0]).at == 9
