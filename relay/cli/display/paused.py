"""Say why a delivery is in its state, and what of its queue keeps it back. Pure."""

from relay.operations.next_step import describe_pause
from relay.store.stored import StoredDelivery


def format_reason(delivery: StoredDelivery) -> str:
    """Return why a delivery is in its state; of a pending one also what keeps its whole queue back."""
    if delivery.paused:
        return describe_pause(delivery)
    if not delivery.closed or delivery.closed in delivery.reason:
        return delivery.reason
    return "; ".join(filter(None, [delivery.reason, f"the gate is closed: {delivery.closed}"]))
