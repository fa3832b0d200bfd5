"""Say what a delivery waits for whose subscription is disabled. Pure."""

from relay.model import SUBSCRIBER
from relay.store.stored import StoredDelivery


def format_paused(delivery: StoredDelivery) -> str:
    """Return what a paused delivery waits for, and why."""
    command = f"relay subscriptions enable {delivery.sink.removeprefix(SUBSCRIBER)}"
    return f"waits for `{command}`, the subscription is disabled: {delivery.paused}"
