"""What happens next to a delivery is said with the time and the command that a person may give."""

import msgspec
import pytest

from relay.model import DeliveryState
from relay.operations.next_step import find_next_step
from relay.store.stored import StoredDelivery
from relay.timefmt import format_time

NOW = 1_795_443_326_526
LATER = NOW + 60_000
PENDING = StoredDelivery(
    id="d1", event_id="r1.0", source="acme", route="invoice", sink="books", state=DeliveryState.PENDING, reason="",
    accepted_at=NOW, created_at=NOW, finished_at=None, due_at=LATER, in_flight=False, attempts=1, deaths=0, once=False,
    config="c1", content_id="d1",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "what", "at", "text", "command"),
    [
        ({}, "attempt", LATER, "next attempt LATER", "relay deliveries retry d1"),
        ({"due_at": NOW}, "attempt", NOW, "due since NOW: it leaves as soon as its sink has room", ""),
        ({"needs_lookup": True}, "look-up", LATER, "the account is asked at LATER", ""),
        (
            {"closed": "401"},
            "trial",
            LATER,
            "the gate is closed: 401; a trial at LATER decides",
            "relay sinks probe books",
        ),
        (
            {"paused": "by anna: moving"},
            "resume",
            None,
            "waits for `relay sinks resume books`, it is paused by anna: moving",
            "relay sinks resume books",
        ),
        (
            {"paused": "by anna: moving", "paused_until": LATER},
            "resume",
            LATER,
            "waits for `relay sinks resume books`, it is paused by anna: moving; until LATER",
            "relay sinks resume books",
        ),
        (
            {"paused": "410", "disabled": True, "sink": "sub-7"},
            "resume",
            None,
            "waits for `relay subscriptions enable 7`, the subscription is disabled: 410",
            "relay subscriptions enable 7",
        ),
        (
            {"in_flight": True, "due_at": None, "leased_until": LATER},
            "settle",
            LATER,
            "it is being sent; if its worker dies, another takes it up at LATER",
            "",
        ),
        (
            {"state": DeliveryState.HELD},
            "decide",
            None,
            "a person must decide: look there, then",
            "relay deliveries confirm d1",
        ),
        (
            {"state": DeliveryState.DEAD},
            "nothing",
            None,
            "nothing, until a person decides:",
            "relay deliveries resend d1",
        ),
        ({"state": DeliveryState.DELIVERED}, "nothing", None, "nothing: it has ended", ""),
    ],
)
def test_each_state_has_a_next_step(changes, what, at, text, command):
    step = find_next_step(msgspec.structs.replace(PENDING, **changes), NOW)
    said = step.text.replace(format_time(LATER), "LATER").replace(format_time(NOW), "NOW")
    assert (step.what, step.at) == (what, at)
    assert said.startswith(text)
    if what in ("attempt", "look-up"):
        assert not command or step.command == command
    else:
        assert step.command == command
