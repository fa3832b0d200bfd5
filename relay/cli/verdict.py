"""Whether the demo's hooks came to what they must: the plan against the store and the sandbox's own log (pure)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from relay.cli.posting import Posted
from relay.model import DeliveryState, NewDelivery, Record, Routed
from relay.sandbox.arrivals import Arrival
from relay.sinks.base import Sink
from relay.store.reading import KeptDelivery, KeptReceipt


class Sent(Record, frozen=True):
    """A hook that was sent, what the relay answered, and what must become of it. None: it is a repetition."""

    title: str
    posted: Posted
    planned: Routed | None


class Seen(Record, frozen=True):
    """What is there now: receipts and deliveries by id, and what arrived at the fake vendors."""

    receipts: Mapping[str, KeptReceipt]
    deliveries: Mapping[str, KeptDelivery]
    arrivals: Sequence[Arrival]


def lacking(sent: Sequence[Sent], seen: Seen, sinks: Mapping[str, Sink], sandbox: str) -> list[str]:
    """Say what is not as it must be, yet or at all. `sandbox` is the address of the fake vendors."""
    stored = Counter(arrival.idempotency_key for arrival in seen.arrivals if arrival.stored)
    return [text for one in sent for text in _lacking(one, seen, stored, sinks, sandbox)]


def _lacking(
    sent: Sent, seen: Seen, stored: Mapping[str, int], sinks: Mapping[str, Sink], sandbox: str
) -> Iterator[str]:
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
        # One that waits for a look-up has no content to tell where it goes.
        if due(delivery) is not DeliveryState.DELIVERED or not delivery.content:
            continue
        if _is_for(sandbox, sinks[delivery.sink], delivery.content):
            yield from _not_arrived(delivery, stored[delivery.id])


def due(planned: NewDelivery) -> DeliveryState:
    """Give the state in which a delivery must end: what can be sent must be delivered."""
    return DeliveryState.DELIVERED if planned.state is DeliveryState.PENDING else planned.state


def _undelivered(planned: NewDelivery, kept: KeptDelivery | None) -> Iterator[str]:
    if kept is None or kept.state is not due(planned):
        state = "not in the store" if kept is None else f"{kept.state} after {kept.attempts} attempt(s) {kept.reason}"
        yield f"{planned.route} → {planned.sink}: must be {due(planned)}, and is {state}"


def _is_for(sandbox: str, sink: Sink, content: bytes) -> bool:
    url = sink.describe(content).get("url")
    return isinstance(url, str) and urlsplit(url).netloc == urlsplit(sandbox).netloc


def _not_arrived(planned: NewDelivery, times: int) -> Iterator[str]:
    if times != 1:
        yield f"{planned.route} → {planned.sink}: must have arrived once, and did {times} times"
