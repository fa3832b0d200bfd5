"""Check that the demo's hooks became what they must: the plan against the store and the fake vendors' log. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from relay.config.sink import SinkSettings
from relay.model import DeliveryState, NewDelivery, Record, RoutedReceipt
from relay.operations.post_hook import AcceptedHook
from relay.sandbox.request_log import LoggedRequest
from relay.store.stored import StoredDelivery, StoredReceipt


class SentHook(Record):
    """A hook that was sent, the relay's answer, and what must become of it. `planned` None: it was sent before.

    `refused`: what could be sent is refused by its vendor, and becomes a dead letter.
    """

    title: str
    accepted: AcceptedHook
    planned: RoutedReceipt | None
    refused: bool = False


class DemoState(Record):
    """What there is now: receipts and deliveries by id, and what arrived at the fake vendors."""

    receipts: Mapping[str, StoredReceipt]
    deliveries: Mapping[str, StoredDelivery]
    vendor_requests: Sequence[LoggedRequest]

    @property
    def receipts_by_arrival(self) -> list[StoredReceipt]:
        """The receipts, oldest first."""
        return sorted(self.receipts.values(), key=lambda receipt: receipt.id)  # UUIDv7 sorts by time


def missing_results(
    sent: Sequence[SentHook], state: DemoState, sinks: Mapping[str, SinkSettings], sandbox_url: str
) -> list[str]:
    """Return in sentences what is not yet, or not at all, as it must be."""
    missing = [text for hook in sent for text in _missing_in_store(hook, state)]
    planned = [delivery for hook in sent if hook.planned and not hook.refused for delivery in hook.planned.deliveries]
    for name, settings in sinks.items():
        path = vendor_path(settings, sandbox_url)
        if path is not None:
            expected = [d for d in planned if d.sink == name and _final_state(d) is DeliveryState.DELIVERED]
            missing += _missing_requests(expected, stored_requests(path, state.vendor_requests))
    return missing


def _missing_in_store(sent: SentHook, state: DemoState) -> Iterator[str]:
    planned = sent.planned
    if planned is None:
        if not sent.accepted.duplicate:
            yield f"{sent.title}: sent again, it was not recognised as a duplicate"
        return
    receipt = state.receipts.get(sent.accepted.receipt)
    if receipt is None or receipt.state is not planned.state:
        actual = "not in the store" if receipt is None else receipt.state
        yield f"{sent.title}: the receipt must be {planned.state}, and is {actual}"
    for delivery in planned.deliveries:
        yield from _missing_delivery(delivery, state.deliveries.get(delivery.id), refused=sent.refused)


def _missing_delivery(planned: NewDelivery, stored: StoredDelivery | None, *, refused: bool) -> Iterator[str]:
    expected = _final_state(planned)
    if refused and expected is DeliveryState.DELIVERED:
        expected = DeliveryState.DEAD
    if stored is None or stored.state is not expected:
        actual = (
            "not in the store"
            if stored is None
            else f"{stored.state} after {stored.attempts} attempt(s) {stored.reason}".rstrip()
        )
        yield f"{planned.route} → {planned.sink}: must be {expected}, and is {actual}"


def _final_state(planned: NewDelivery) -> DeliveryState:
    """Return the state in which a delivery must end: what can be sent must be delivered."""
    return DeliveryState.DELIVERED if planned.state is DeliveryState.PENDING else planned.state


def vendor_path(settings: SinkSettings, sandbox_url: str) -> str | None:
    """Return the path of the fake vendor that a sink sends to; None where it sends elsewhere."""
    url = urlsplit(str(getattr(settings, "url", "")))
    return url.path if url.netloc == urlsplit(sandbox_url).netloc else None


def stored_requests(path: str, requests: Sequence[LoggedRequest]) -> list[LoggedRequest]:
    """Return the requests below a path that the fake vendor has carried out."""
    return [request for request in requests if request.stored and f"/{request.vendor}{request.path}".startswith(path)]


def _missing_requests(planned: Sequence[NewDelivery], requests: Sequence[LoggedRequest]) -> Iterator[str]:
    """Compare by the deliveries' ids where the vendor receives those, else by the number of requests."""
    counts = {delivery.id: sum(_has_id(request, delivery.id) for request in requests) for delivery in planned}
    if any(counts.values()):
        for delivery in planned:
            if counts[delivery.id] != 1:
                yield f"{delivery.route} → {delivery.sink}: must have arrived once, and did {counts[delivery.id]} times"
    elif len(requests) < len(planned):
        yield f"{planned[0].sink}: {len(planned)} must have arrived, and {len(requests)} did"


def _has_id(request: LoggedRequest, delivery_id: str) -> bool:
    return request.idempotency_key == delivery_id or delivery_id in request.body
