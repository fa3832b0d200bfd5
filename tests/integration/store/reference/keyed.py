"""Deliveries with keys: one of an `order` key at a time, and of a `latest` key only the newest that waits."""

from collections.abc import Sequence

from tests.integration.store.reference.state import DeliveryModel, State


def wait(state: State, delivery: DeliveryModel, at: int) -> None:
    """Let a pending delivery that is in no set wait from a time on: in its queue, or for its turn."""
    if not delivery.order:
        state.queues[delivery.waits_in].due[delivery.id] = at
        return
    holder = _holder(state, delivery)
    due = state.queues[holder.waits_in].due if holder else {}
    if holder and holder.id in due and delivery.position < holder.position:
        state.ordered[holder.sink][holder.id] = due.pop(holder.id)
        holder = None
    if holder is None and delivery is min(_line(state, delivery.sink, delivery.order), key=_position):
        state.queues[delivery.waits_in].due[delivery.id] = at
        return
    state.ordered[delivery.sink][delivery.id] = at
    state.pass_turn(delivery.sink, delivery.order)


def withdraw(state: State, delivery: DeliveryModel) -> int | None:
    """Take a delivery out of where it waits. Returns from when it could have been taken; None: it does not wait."""
    at = state.queues[delivery.waits_in].due.pop(delivery.id, None)
    return state.ordered[delivery.sink].pop(delivery.id, None) if at is None else at


def place(state: State, made: Sequence[DeliveryModel]) -> None:
    """Decide what becomes of deliveries with keys that one call made."""
    in_order = sorted(made, key=_position)
    for delivery in reversed(in_order):
        if delivery.latest:
            _keep_latest(state, delivery)
    for delivery in in_order:
        if delivery.state == "pending":
            wait(state, delivery, state.now)


def join_latest(state: State, delivery: DeliveryModel) -> None:
    """List a delivery by its `latest` key."""
    if delivery.latest:
        key = delivery.sink, delivery.latest
        state.latest[key][delivery.id] = delivery.position
        if delivery.position == max(state.latest[key].values()):
            state.latest_until.pop(key, None)


def _keep_latest(state: State, delivery: DeliveryModel) -> None:
    listed = state.latest[delivery.sink, delivery.latest]
    if listed and max(listed.values()) > delivery.position:
        state.end(delivery, "cancelled")
        return
    for id in list(listed):
        other = state.deliveries.get(id)
        if other is None or other.state not in ("pending", "held"):
            del listed[id]
        elif other.state == "pending" and not other.sent_at and withdraw(state, other) is not None:
            state.end(other, "cancelled")
    join_latest(state, delivery)


def _position(delivery: DeliveryModel) -> tuple[int, str]:
    return delivery.position


def _line(state: State, sink: str, order: str) -> list[DeliveryModel]:
    return [one for one in state.deliveries.values() if (one.sink, one.order, one.state) == (sink, order, "pending")]


def _holder(state: State, delivery: DeliveryModel) -> DeliveryModel | None:
    """Return whose turn it is in the line of a delivery that is in no set itself."""
    others = [one for one in _line(state, delivery.sink, delivery.order) if one is not delivery]
    return next((one for one in others if state.queues[one.waits_in].has(one.id)), None)
