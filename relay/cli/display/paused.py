"""Say what a delivery waits for that its queue's gate keeps back. Pure."""

from relay.model import SUBSCRIBER
from relay.store.stored import StoredDelivery


def format_paused(delivery: StoredDelivery) -> str:
    """Return what a paused delivery waits for, and why."""
    if not delivery.sink.startswith(SUBSCRIBER):
        return f"waits for `relay sinks resume {delivery.sink}`, it is paused {delivery.paused}"
    command = f"relay subscriptions enable {delivery.sink.removeprefix(SUBSCRIBER)}"
    return f"waits for `{command}`, the subscription is disabled: {delivery.paused}"


def format_reason(delivery: StoredDelivery) -> str:
    """Return why a delivery is in its state; of a pending one also what keeps its whole queue back."""
    if delivery.paused:
        return format_paused(delivery)
    if not delivery.closed or delivery.closed in delivery.reason:
        return delivery.reason
    return "; ".join(filter(None, [delivery.reason, f"the gate is closed: {delivery.closed}"]))
