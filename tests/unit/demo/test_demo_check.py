"""The demo is settled when the store and the fake vendors' log agree with the plan; else it says what is missing."""

import msgspec
import pytest

from relay.config.load import load
from relay.demo.check import DemoState, SentHook, missing_results
from relay.model import DeliveryState, Receipt, ReceiptState
from relay.operations.post_hook import AcceptedHook
from relay.planning import plan_receipt
from relay.sandbox.request_log import LoggedRequest
from relay.sinks.registry import make_sinks, sink_types
from relay.store.stored import StoredDelivery, StoredReceipt

SANDBOX = "http://127.0.0.1:8701"
YAML = f"""
sources:
  acme: {{type: amocrm, token: a-token-of-ours}}
sinks:
  books: {{type: http, url: {SANDBOX}/books}}
  list: {{type: unisender, url: {SANDBOX}/unisender, api_key: a-key, list_ids: [20547], double_optin: 3}}
routes:
  - {{name: invoice, on: add_lead, to: books, body: {{id: "{{{{ lead.id }}}}"}}}}
  - {{name: text, on: add_lead, to: books, body: {{price: "{{{{ lead.price | decimal }}}}"}}}}
  - {{name: joined, on: add_lead, to: list, fields: {{email: "vera-{{{{ lead.id }}}}@example.com"}}}}
"""
CONFIG = load(YAML, file="relay.yaml", environ={}, sink_types=sink_types())
SINKS = CONFIG.sinks
RECEIPT = Receipt(id="r1", source="acme", received_at=1, body=b"leads[add][0][id]=7")
PLANNED = plan_receipt(RECEIPT, CONFIG, make_sinks(CONFIG))
SENT = SentHook(title="a deal", accepted=AcceptedHook(receipt="r1", duplicate=False), planned=PLANNED)
INVOICE, TEXT, JOINED = PLANNED.deliveries  # the second cannot be rendered: there is no price


def receipt(state: ReceiptState = ReceiptState.ROUTED) -> StoredReceipt:
    return StoredReceipt(
        id="r1", source="acme", received_at=1, size=1, state=state, reason="", content_type="", user_agent="",
        request_id="", config="c", duplicates=0, last_duplicate_at=None, events=(), deliveries={},
    )  # fmt: skip


def delivery(id: str, state: DeliveryState) -> StoredDelivery:
    return StoredDelivery(
        id=id, event_id="r1.0", source="acme", route="", sink="books", state=state, reason="", accepted_at=1,
        created_at=1, finished_at=1, due_at=None, in_flight=False, attempts=1, deaths=0, once=False, config="c",
        content_id="",
    )  # fmt: skip


def logged(key: str, **changes: object) -> LoggedRequest:
    made = LoggedRequest(
        seq=1, at=1, vendor="books", method="POST", path="/", query="", headers={}, body="", idempotency_key=key,
        stored=True, repeat=False, status=200, fault="",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


SUBSCRIBED = logged("", vendor="unisender", path="/en/api/subscribe")
ALL = DemoState(
    receipts={"r1": receipt()},
    deliveries={
        INVOICE.id: delivery(INVOICE.id, DeliveryState.DELIVERED),
        TEXT.id: delivery(TEXT.id, DeliveryState.DEAD),
        JOINED.id: delivery(JOINED.id, DeliveryState.DELIVERED),
    },
    vendor_requests=[logged(INVOICE.id), SUBSCRIBED],
)


def replaced(**changes: object) -> DemoState:
    return msgspec.structs.replace(ALL, **changes)


def test_nothing_is_missing_where_all_is_as_planned() -> None:
    assert TEXT.state is DeliveryState.DEAD
    assert missing_results([SENT], ALL, SINKS, SANDBOX) == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (replaced(receipts={}), ["a deal: the receipt must be routed, and is not in the store"]),
        (replaced(receipts={"r1": receipt(ReceiptState.ACCEPTED)}), ["and is accepted"]),
        (replaced(deliveries={}), ["invoice → books: must be", "text → books: must be dead", "joined → list"]),
        (replaced(vendor_requests=[SUBSCRIBED]), ["books: 1 must have arrived, and 0 did"]),
        (replaced(vendor_requests=[logged(INVOICE.id)]), ["list: 1 must have arrived, and 0 did"]),
        (
            replaced(vendor_requests=2 * [logged(INVOICE.id)] + [SUBSCRIBED]),
            ["must have arrived once, and did 2 times"],
        ),
        (replaced(vendor_requests=[logged(INVOICE.id, stored=False), SUBSCRIBED]), ["books: 1 must have arrived"]),
        (replaced(vendor_requests=[logged("", body=f"id={INVOICE.id}"), SUBSCRIBED]), []),
        (replaced(vendor_requests=[*ALL.vendor_requests, logged(INVOICE.id, stored=False, repeat=True)]), []),
    ],
)
def test_what_is_missing_is_said(state: DemoState, expected: list[str]) -> None:
    missing = missing_results([SENT], state, SINKS, SANDBOX)
    assert len(missing) == len(expected)
    assert all(part in text for part, text in zip(expected, missing, strict=True))


def test_a_sink_elsewhere_is_judged_by_the_store_alone() -> None:
    assert missing_results([SENT], replaced(vendor_requests=[]), SINKS, "http://127.0.0.1:9999") == []


@pytest.mark.parametrize(("duplicate", "missing"), [(True, 0), (False, 1)])
def test_a_repetition_must_be_recognised(duplicate: bool, missing: int) -> None:
    again = SentHook(title="a deal", accepted=AcceptedHook(receipt="r1", duplicate=duplicate), planned=None)
    assert len(missing_results([again], ALL, SINKS, SANDBOX)) == missing


@pytest.mark.parametrize(("state", "missing"), [(DeliveryState.DEAD, 0), (DeliveryState.DELIVERED, 1)])
def test_what_its_vendor_refuses_must_end_as_a_dead_letter(state: DeliveryState, missing: int) -> None:
    planned = msgspec.structs.replace(PLANNED, deliveries=[INVOICE])
    refused = SentHook(title="a deal", accepted=SENT.accepted, planned=planned, refused=True)
    deliveries = {INVOICE.id: delivery(INVOICE.id, state)}
    assert (
        len(missing_results([refused], replaced(deliveries=deliveries, vendor_requests=[]), SINKS, SANDBOX)) == missing
    )
