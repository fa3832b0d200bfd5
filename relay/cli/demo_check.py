"""Whether the demo's hooks came to what they must: the plan against the store and the sandbox's own log (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from relay.cli.posting import Posted
from relay.config.sink import SinkSettings
from relay.model import DeliveryState, NewDelivery, Record, RoutedReceipt
from relay.sandbox.arrivals import Arrival
from relay.store.stored import StoredDelivery, StoredReceipt


class Sent(Record):
    """A hook that was sent, what the relay answered, and what must become of it. None: it is a repetition."""

    title: str
    posted: Posted
    planned: RoutedReceipt | None


class Seen(Record):
    """What is there now: receipts and deliveries by id, and what arrived at the fake vendors."""

    receipts: Mapping[str, StoredReceipt]
    deliveries: Mapping[str, StoredDelivery]
    arrivals: Sequence[Arrival]


def missing_results(sent: Sequence[Sent], seen: Seen, sinks: Mapping[str, SinkSettings], sandbox: str) -> list[str]:
    """Return what is not as it must be, yet or at all. `sandbox` is the address of the fake vendors."""
    told = [text for one in sent for text in _lacking(one, seen)]
    leaving = [d for one in sent if one.planned for d in one.planned.deliveries if due(d) is DeliveryState.DELIVERED]
    for name, settings in sinks.items():
        place = place_of(settings, sandbox)
        if place is not None:
            planned = [delivery for delivery in leaving if delivery.sink == name]
            told += _not_arrived(planned, stored_at(place, seen.arrivals))
    return told


def _lacking(sent: Sent, seen: Seen) -> Iterator[str]:
    planned = sent.planned
    if planned is None:
        if not sent.posted.duplicate:
            yield f"{sent.title}: sent again, it was not recognised as a duplicate"
        return
    receipt = seen.receipts.get(sent.posted.receipt)
    if receipt is None or receipt.state is not planned.state:
        state = "not in the store" if receipt is None else receipt.state
        yield f"{sent.title}: the receipt must be {planned.state}, and is {state}"
    for delivery in planned.deliveries:
        yield from _undelivered(delivery, seen.deliveries.get(delivery.id))


def due(planned: NewDelivery) -> DeliveryState:
    """Return the state in which a delivery must end: what can be sent must be delivered."""
    return DeliveryState.DELIVERED if planned.state is DeliveryState.PENDING else planned.state


def _undelivered(planned: NewDelivery, kept: StoredDelivery | None) -> Iterator[str]:
    if kept is None or kept.state is not due(planned):
        state = "not in the store" if kept is None else f"{kept.state} after {kept.attempts} attempt(s) {kept.reason}"
        yield f"{planned.route} → {planned.sink}: must be {due(planned)}, and is {state}"


def place_of(settings: SinkSettings, sandbox: str) -> str | None:
    """Return the path of the fake vendor that a sink sends to; None: it sends elsewhere."""
    url = urlsplit(str(getattr(settings, "url", "")))
    return url.path if url.netloc == urlsplit(sandbox).netloc else None


def stored_at(place: str, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """List what a fake vendor did of what it was asked."""
    return [arrival for arrival in arrivals if arrival.stored and f"/{arrival.vendor}{arrival.path}".startswith(place)]


def _not_arrived(planned: Sequence[NewDelivery], stored: Sequence[Arrival]) -> Iterator[str]:
    """Compare by the deliveries' ids, where the vendor is told those, else by how much the vendor did."""
    marked = {delivery.id: [arrival for arrival in stored if _bears(arrival, delivery.id)] for delivery in planned}
    if any(marked.values()):
        missed = [delivery for delivery in planned if len(marked[delivery.id]) != 1]
        for delivery in missed:
            times = len(marked[delivery.id])
            yield f"{delivery.route} → {delivery.sink}: must have arrived once, and did {times} times"
    elif len(stored) < len(planned):
        yield f"{planned[0].sink}: {len(planned)} must have arrived, and {len(stored)} did"


def _bears(arrival: Arrival, id: str) -> bool:
    return arrival.idempotency_key == id or id in arrival.body
