"""A story is printed in the order in which things happened, and an operator's decision as what it is."""

import msgspec
import pytest

from relay.cli.display.story import format_story
from relay.config.load import load
from relay.model import Attempt, DecisionKind, DeliveryState, Outcome, ReceiptState, RoutedEvent
from relay.operations.explanation import EventExplanation, Explanation, RouteExplanation
from relay.operations.request_description import describe_request
from relay.operations.story import DeliveryStory, Story
from relay.sinks.registry import sink_types
from relay.store.stored import StoredDelivery, StoredReceipt
from relay.timefmt import format_time

AT = 1_795_443_326_526
EVENT = RoutedEvent(index=0, name="add_lead", entity="lead", entity_id="7", state=ReceiptState.ROUTED, reason="")
RECEIPT = StoredReceipt(
    id="r1", source="acme", received_at=AT, size=20, state=ReceiptState.ROUTED, reason="", content_type="",
    user_agent="amoCRM", request_id="", config="c1", duplicates=0, last_duplicate_at=None, events=[EVENT],
    deliveries={"d1": 0},
)  # fmt: skip
DELIVERY = StoredDelivery(
    id="d1", event_id="r1.0", source="acme", route="invoice", sink="books", state=DeliveryState.DELIVERED,
    reason="201 Created", accepted_at=AT, created_at=AT, finished_at=AT, due_at=None, in_flight=False, attempts=1,
    deaths=0, once=False, config="c1", content_id="d1",
)  # fmt: skip
DIED = Attempt(
    number=1, at=AT, took_ms=5, outcome=Outcome.REJECTED, reason="422 no amount", decision=DecisionKind.DEAD, status=422
)
RESENT = Attempt(
    number=0, at=AT, took_ms=0, outcome=Outcome.RETRY, reason="resent by anna", decision=DecisionKind.RETRY
)


ROUTES = [
    RouteExplanation(route="invoice", matched=True, because="", deliveries=[]),
    RouteExplanation(route="letters", matched=False, because='on in ["add_contact"]: saw "add_lead"', deliveries=[]),
]


def story(
    *attempts: Attempt, receipt: StoredReceipt = RECEIPT, explanation: Explanation | str = "", **changes: object
) -> list[str]:
    delivery = msgspec.structs.replace(DELIVERY, **changes)
    deliveries = [DeliveryStory(delivery=delivery, attempts=attempts)]
    lines = format_story(Story(at=AT - 1, receipt=receipt, events=[EVENT], deliveries=deliveries), explanation)
    return [line.replace(format_time(AT), "AT") for line in lines]


def test_a_story_goes_from_the_receipt_to_the_last_attempt() -> None:
    assert story(DIED, RESENT, once=True) == [
        "receipt r1",
        "  AT  arrived from acme, 20 bytes, amoCRM",
        "  routed under configuration c1",
        "event r1.0",
        "  add_lead lead 7",
        "  routed",
        "delivery d1",
        "  invoice → books, once per `once` key",
        "  AT  created",
        "  AT  attempt 1: rejected 422 in 5 ms: 422 no amount; dead",
        "  AT  resent by anna",
        "  AT  delivered: 201 Created",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"recovered": True}, "  AT  recovered from the account's history for acme, 20 bytes, amoCRM"),
        ({"content_encoding": "gzip"}, "  AT  arrived from acme, 20 bytes (gzip), amoCRM"),
        ({"remarks": ["'tags': an index"]}, "  remark: 'tags': an index"),
        ({"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}, "  trace 4bf92f3577b34da6a3ce929d0e0e4736"),
        ({"duplicates": 2, "last_duplicate_at": AT}, "  AT  duplicate received, 2 in all: not routed again"),
    ],
)
def test_a_receipt_that_came_otherwise_says_how(changes: dict[str, object], line: str) -> None:
    assert line in story(receipt=msgspec.structs.replace(RECEIPT, **changes))


def test_attempts_that_were_put_off_in_a_row_are_one_line_with_the_next() -> None:
    wait = Attempt(
        number=1, at=AT, took_ms=5, outcome=Outcome.BLOCKED, reason="wrong key", decision=DecisionKind.WAIT, status=401,
        times=3, next_at=AT,
    )  # fmt: skip
    assert (
        "  AT  attempt 1 (3 times, this is the last): blocked 401 in 5 ms: wrong key; wait, next attempt AT"
        in story(wait)
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"state": DeliveryState.PENDING, "due_at": AT}, "  pending: next attempt AT"),
        ({"state": DeliveryState.PENDING, "in_flight": True}, "  pending: it is being sent"),
        (
            {
                "state": DeliveryState.PENDING,
                "due_at": AT,
                "sink": "sub-7",
                "paused": "it answered 410 Gone",
                "disabled": True,
            },
            "  pending: waits for `relay subscriptions enable 7`, the subscription is disabled: it answered 410 Gone",
        ),
        (
            {"state": DeliveryState.PENDING, "due_at": AT, "needs_lookup": True, "reason": "waits for a look-up: 401"},
            "  pending: waits for a look-up: 401; the account is asked at AT",
        ),
        (
            {"state": DeliveryState.PENDING, "in_flight": True, "needs_lookup": True, "reason": "waits for a look-up"},
            "  pending: waits for a look-up; it is being looked up",
        ),
        (
            {"state": DeliveryState.PENDING, "due_at": AT, "reason": "", "closed": "401 Unauthorized"},
            "  pending: the gate is closed: 401 Unauthorized; a trial at AT decides",
        ),
    ],
)
def test_a_delivery_that_is_not_finished_ends_with_what_it_waits_for(changes: dict[str, object], line: str) -> None:
    assert story(**changes)[-1] == line


def test_of_a_held_one_it_says_that_a_person_must_decide() -> None:
    held, next_step = story(state=DeliveryState.HELD, finished_at=None, reason="look there")[-2:]
    assert held == "  held: look there"
    assert next_step.startswith("  next: a person must decide: look there, then `relay deliveries confirm`")


def explained(config: str) -> Explanation:
    event = EventExplanation(
        id="r1.0", index=0, event="add_lead", entity="lead", entity_id="7", state="routed", reason="", routes=ROUTES
    )
    return Explanation(source="acme", state="routed", reason="", config=config, events=[event])


@pytest.mark.parametrize(("config", "note"), [("c1", []), ("c2", ["  by today's configuration, c2:"])])
def test_an_event_has_every_route_and_why_it_does_not_match(config: str, note: list[str]) -> None:
    lines = story(explanation=explained(config))
    at = lines.index("  routed")
    assert lines[at + 1 : lines.index("delivery d1")] == [
        *note,
        "  ✓ invoice",
        '  ✗ letters: on in ["add_contact"]: saw "add_lead"',
    ]


def test_routes_that_cannot_be_shown_say_why() -> None:
    assert "  routes: not shown: relay.yaml: there is no such file" in story(
        explanation="relay.yaml: there is no such file"
    )


def test_what_they_answered_is_one_line() -> None:
    answered = msgspec.structs.replace(DIED, response='{"error":\n  "no amount"}\r\n')
    lines = story(answered)
    assert lines[lines.index("  AT  attempt 1: rejected 422 in 5 ms: 422 no amount; dead") + 1] == (
        '    they answered: {"error": "no amount"}'
    )


def test_a_reason_ends_before_the_configuration() -> None:
    receipt = msgspec.structs.replace(RECEIPT, state="malformed", reason="body: not JSON, Input data was truncated")
    assert "  malformed: body: not JSON, Input data was truncated; under configuration c1" in story(receipt=receipt)


@pytest.mark.parametrize(
    ("state", "request_"),
    [
        (DeliveryState.PENDING, "none yet: it is made after the look-up"),
        (DeliveryState.SKIPPED, "none: skipped before one was made"),
        (DeliveryState.DEAD, "none: dead before one was made"),
    ],
)
def test_where_there_is_no_request_it_is_said_why(state: DeliveryState, request_: str) -> None:
    text = """
sources: {acme: {type: amocrm, token: test-token}}
sinks: {books: {type: log}}
routes: [{name: all, on: add_lead, to: books, text: x}]
"""
    config = load(text, file="f", environ={}, sink_types=sink_types())
    delivery = msgspec.structs.replace(DELIVERY, state=state)
    assert describe_request(config, delivery, b"") == request_
