"""What people do to deliveries."""

from relay.store.acts import Act
from tests.integration.store.reference import keyed
from tests.integration.store.reference.state import DeliveryModel, State


def act(state: State, id: str, what: Act) -> str:
    """Do to a delivery what a person asked. Returns the code of the answer."""
    delivery = state.deliveries.get(id)
    if delivery is None:
        return "another kind" if id.partition(".")[0] in state.receipts else "gone"
    match what:
        case Act.CONFIRM:
            return _confirm(state, id, delivery)
        case Act.RETRY:
            return _retry(state, id, delivery)
        case Act.CANCEL:
            return _cancel(state, id, delivery)
        case Act.RESEND:
            return _resend(state, id, delivery)
    raise AssertionError(f"{what} takes more than an id")


def _append_to_story(state: State, id: str, outcome: str) -> None:
    state.stories[id].append((outcome, b"", 1))


def _confirm(state: State, id: str, delivery: DeliveryModel) -> str:
    if delivery.state != "held":
        return "state"
    delivery.sent_at, delivery.marked_by = 0, ""
    state.end(delivery, "delivered")
    _append_to_story(state, id, "delivered")
    return "done"


def _retry(state: State, id: str, delivery: DeliveryModel) -> str:
    if delivery.state != "pending":
        return "state"
    due = state.queues[delivery.waits_in].due
    if id in state.ordered[delivery.sink]:
        return "ordered"
    if id not in due:
        return "leased"
    if due[id] <= state.now:
        return "due"
    due[id] = state.now
    _append_to_story(state, id, "retry")
    return "done"


def _cancel(state: State, id: str, delivery: DeliveryModel) -> str:
    if delivery.state not in ("pending", "held", "dead"):
        return "state"
    if delivery.state == "pending" and keyed.withdraw(state, delivery) is None:
        _recall(state, id, delivery)
        if delivery.cancel:
            return "asked already"
        delivery.cancel = True
        _append_to_story(state, id, "skipped")
        return "asked"
    if delivery.state == "dead":
        state.leave_dead(delivery)
        delivery.state, delivery.finished_at = "cancelled", state.now
        state.count("delivery", delivery.sink, "cancelled")
    else:
        delivery.token, delivery.sent_at, delivery.marked_by = "", 0, ""
        state.end(delivery, "cancelled")
    _append_to_story(state, id, "skipped")
    return "done"


def _recall(state: State, id: str, delivery: DeliveryModel) -> None:
    """Have all given back that is claimed ahead, where a person wants something of one of it."""
    queue = state.queues[delivery.waits_in]
    if id in queue.ahead:
        queue.recalled = state.now


def _resend(state: State, id: str, delivery: DeliveryModel) -> str:
    if delivery.state in ("pending", "delivered", "shadowed"):
        return "state"
    if not delivery.queue and not delivery.content:
        return "empty"
    _send_again(state, id, delivery)
    return "done"


def render(state: State, id: str, content: bytes, queue: str, force: bool) -> str:
    """Send another content of a delivery, under another key."""
    delivery = state.deliveries[id]
    if delivery.state in ("pending", "shadowed") or (delivery.state == "delivered" and not force):
        return "state"
    delivery.content = content
    delivery.generation += 1
    delivery.queue = "" if queue == f"sink:{delivery.sink}" else queue
    _send_again(state, id, delivery)
    return "done"


def _send_again(state: State, id: str, delivery: DeliveryModel) -> None:
    if delivery.state != "held":
        receipt = state.receipts[delivery.receipt]
        receipt.open += 1
        state.unfinish(delivery.receipt)
        if delivery.state == "dead":
            receipt.dead -= 1
    delivery.state, delivery.attempts, delivery.token, delivery.finished_at = "pending", 0, "", 0
    delivery.sent_at, delivery.marked_by, delivery.sends = 0, "", 0
    delivery.reported = delivery.cancel = False
    delivery.down = 0
    delivery.died = delivery.alone = 0
    delivery.blocked = ""
    keyed.wait(state, delivery, state.now)
    keyed.join_latest(state, delivery)
    _append_to_story(state, id, "retry")


def move(state: State, id: str, to: str, planned: str, once: bool) -> str:
    """Put a delivery into another sink's queue and lists. Who held it before decides nothing about it any more."""
    delivery = state.deliveries[id]
    if delivery.state not in ("pending", "held", "dead"):
        return "state"
    if planned and (planned in state.deliveries or planned in state.once):
        return "exists"
    at = keyed.withdraw(state, delivery) if delivery.state == "pending" else None
    if delivery.state == "pending" and at is None:
        _recall(state, id, delivery)
        return "leased"
    state.count("delivery", delivery.sink, "moved")
    before = delivery.sink
    state.latest[before, delivery.latest].pop(id, None)
    delivery.sink, delivery.blocked, delivery.token = to, "", ""
    state.pass_turn(before, delivery.order)
    if at is not None:
        keyed.wait(state, delivery, at)
    if delivery.state != "dead":
        keyed.join_latest(state, delivery)
    if planned:
        delivery.planned = planned
        if once:
            state.once[planned] = "moved"
        else:
            state.receipts[delivery.receipt].deliveries[planned] = int(delivery.event.partition(".")[2])
    _append_to_story(state, id, "retry")
    return "done"


def may_leave(state: State, id: str, token: str) -> bool:
    """Mark that the bytes of a delivery are about to leave. Returns whether they may."""
    delivery = state.deliveries.get(id)
    if delivery is None or delivery.token != token or delivery.state != "pending":
        return False
    leased = state.queues[f"sink:{delivery.sink}"].leased
    if leased.get(id, 0) <= state.now:
        return False
    if delivery.cancel:
        del leased[id]
        state.queues[f"sink:{delivery.sink}"].ahead.pop(id, None)
        delivery.token = ""
        state.end(delivery, "cancelled")
        return False
    delivery.sent_at, delivery.marked_by = state.now, token
    delivery.sends += 1
    return True
