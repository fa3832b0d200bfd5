"""The demo's hooks are real-shaped, ours, and new in every run."""

import pytest

from relay.amocrm.change_time import carries_change_time
from relay.amocrm.events import decode_receipt
from relay.model import Receipt
from relay.sandbox.samples import samples

NOW = 1_795_443_326_526


def receipt(body: bytes) -> Receipt:
    return Receipt(id="r", source="demo", received_at=NOW, body=body)


@pytest.mark.parametrize("sample", samples(NOW), ids=lambda sample: sample.title)
def test_each_can_be_read_and_is_of_our_account(sample) -> None:
    account, events = decode_receipt(receipt(sample.body))
    assert (account.subdomain, account.id) == ("acme", "7039099")
    assert all(event.entity_id.isdigit() for event in events)
    assert b"$" not in sample.body
    assert b"%5B" in sample.body


def test_all_that_the_demo_promises_is_among_them() -> None:
    names = [event.name for sample in samples(NOW) for event in decode_receipt(receipt(sample.body))[1]]
    assert {"add_contact", "status_lead", "add_task", "update_company", "note_contact", "delete_lead"} <= set(names)


def test_one_comes_twice_byte_for_byte_and_is_recognisable_as_a_repetition() -> None:
    again = [sample for sample in samples(NOW) if sample.repeated]
    assert len(again) == 1
    assert [sample.body for sample in samples(NOW)].count(again[0].body) == 2
    assert carries_change_time(again[0].body)


def test_another_run_has_other_ids() -> None:
    def ids(now: int) -> set[str]:
        return {event.entity_id for sample in samples(now) for event in decode_receipt(receipt(sample.body))[1]}

    assert ids(NOW).isdisjoint(ids(NOW + 10_000))
