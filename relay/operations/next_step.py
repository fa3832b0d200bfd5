"""What happens next to a delivery, and when. Pure."""

from typing import Literal

from relay.model import SUBSCRIBER, DeliveryState, Record
from relay.store.stored import StoredDelivery
from relay.timefmt import format_time


class NextStep(Record):
    """What happens next: `what` for programs, `text` for people; `at` in epoch milliseconds, where a time is known."""

    what: Literal["nothing", "decide", "resume", "attempt", "trial", "turn", "room", "look-up", "settle"]
    text: str
    at: int | None = None
    command: str = ""  # that a person may give


def find_next_step(delivery: StoredDelivery, now: int) -> NextStep:
    """Say what happens next to a delivery. `now`: the store's time."""
    if delivery.state is DeliveryState.HELD:
        return _decide(delivery)
    if delivery.state is DeliveryState.DEAD:
        text = f"nothing, until a person decides: `relay deliveries resend {delivery.id}` sends it again"
        return NextStep(what="nothing", text=text, command=f"relay deliveries resend {delivery.id}")
    if delivery.state is DeliveryState.PUT_OFF:
        return _wait_for_room(delivery)
    if delivery.state is not DeliveryState.PENDING:
        return NextStep(what="nothing", text="nothing: it has ended")
    if delivery.waits_for:
        return _wait_for_turn(delivery)
    if delivery.paused:
        return _resume(delivery)
    if delivery.in_flight:
        return _settle(delivery)
    return _attempt(delivery, now)


def _decide(delivery: StoredDelivery) -> NextStep:
    text = (
        "a person must decide: look there, then `relay deliveries confirm` where it arrived, `resend` where it did "
        "not, `cancel` where it is not wanted"
    )
    return NextStep(what="decide", text=text, command=f"relay deliveries confirm {delivery.id}")


def describe_pause(delivery: StoredDelivery) -> str:
    """Return what a paused delivery waits for, and why."""
    why = "the subscription is disabled:" if delivery.disabled else "it is paused"
    return f"waits for `{_resuming(delivery)}`, {why} {delivery.paused}"


def _resuming(delivery: StoredDelivery) -> str:
    if delivery.disabled:
        return f"relay subscriptions enable {delivery.sink.removeprefix(SUBSCRIBER)}"
    return f"relay sinks resume {delivery.sink}"


def _resume(delivery: StoredDelivery) -> NextStep:
    text, command = describe_pause(delivery), _resuming(delivery)
    if delivery.paused_until is not None:
        text += f"; until {format_time(delivery.paused_until)}"
    return NextStep(what="resume", text=text, at=delivery.paused_until, command=command)


def _wait_for_turn(delivery: StoredDelivery) -> NextStep:
    text = f"it waits for delivery {delivery.waits_for} of its `order` key, until that is not pending any more"
    return NextStep(what="turn", text=text, command=f"relay deliveries show {delivery.waits_for}")


def _wait_for_room(delivery: StoredDelivery) -> NextStep:
    text = (
        f"it is made as soon as {delivery.sink} has room: as many are pending as may be (max_pending); "
        f"`relay deliveries cancel {delivery.id}` gives it up"
    )
    return NextStep(what="room", text=text, command=f"relay sinks show {delivery.sink}")


def _settle(delivery: StoredDelivery) -> NextStep:
    text = f"it is being {'looked up' if delivery.needs_lookup else 'sent'}"
    if delivery.leased_until is not None:
        text += f"; if its worker dies, another takes it up at {format_time(delivery.leased_until)}"
    return NextStep(what="settle", text=text, at=delivery.leased_until)


def _attempt(delivery: StoredDelivery, now: int) -> NextStep:
    at, command = delivery.due_at, f"relay deliveries retry {delivery.id}"
    if delivery.closed:
        text = f"the gate is closed: {delivery.closed}; a trial at {format_time(at)} decides"
        return NextStep(what="trial", text=text, at=at, command=f"relay sinks probe {delivery.sink}")
    what: Literal["attempt", "look-up"] = "look-up" if delivery.needs_lookup else "attempt"
    if at is not None and at <= now:
        room = "as soon as the account is asked" if delivery.needs_lookup else "as soon as its sink has room"
        return NextStep(what=what, text=f"due since {format_time(at)}: it leaves {room}", at=at)
    name = "the account is asked at" if delivery.needs_lookup else "next attempt"
    return NextStep(
        what=what, text=f"{name} {format_time(at)}", at=at, command="" if delivery.needs_lookup else command
    )
