"""Find events and deliveries in the store, newest first."""

from collections.abc import AsyncIterator, Iterable, Sequence

from relay.model import DeliveryState, Record, RoutedEvent
from relay.store.reader import PAGE, Reader
from relay.store.stored import StoredDelivery, StoredReceipt

_QUEUED = frozenset({DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.DEAD})


class EventFilter(Record):
    """Which events or deliveries to find. None matches any. Times bound the arrival of the receipt."""

    source: str | None = None
    event: str | None = None
    entity: tuple[str, str] | None = None  # ("lead", "123")
    sink: str | None = None
    state: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 20

    def matches_time(self, at: int) -> bool:
        """Return whether a time of arrival is within the bounds."""
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)

    def matches_event(self, event: RoutedEvent | None) -> bool:
        """Return whether an event has the name and the entity. None, a receipt without events, has neither."""
        if event is None:
            return self.event is None and self.entity is None
        return self.event in (None, event.name) and self.entity in (None, (event.entity, event.entity_id))

    def matches_delivery(self, delivery: StoredDelivery) -> bool:
        """Return whether a delivery has the source, the sink, the state and the time of arrival."""
        return (
            self.source in (None, delivery.source)
            and self.sink in (None, delivery.sink)
            and self.state in (None, delivery.state)
            and self.matches_time(delivery.accepted_at)
        )


class FoundEvent(Record):
    """An event with its receipt. A receipt without events is found as itself, with `event` None."""

    receipt: StoredReceipt
    event: RoutedEvent | None

    @property
    def id(self) -> str:
        """The event's id, or the receipt's."""
        return self.receipt.id if self.event is None else f"{self.receipt.id}.{self.event.index}"

    @property
    def state(self) -> str:
        """The event's state, or the receipt's."""
        return self.receipt.state if self.event is None else self.event.state

    @property
    def reason(self) -> str:
        """Why it is in that state."""
        return self.receipt.reason if self.event is None else self.event.reason


async def find_events(reader: Reader, filters: EventFilter) -> list[FoundEvent]:
    """Find events, newest first. Raises StoreUnavailable."""
    events: list[FoundEvent] = []
    async for page in _receipts(reader, filters):
        with_sink = await _events_with_sink(reader, page, filters.sink) if filters.sink else None
        events += [
            event
            for event in _events_of(page)
            if filters.matches_event(event.event)
            and filters.state in (None, event.state)
            and (with_sink is None or event.id in with_sink)
        ]
        if len(events) >= filters.limit:
            break
    return events[: filters.limit]


def _events_of(receipts: Iterable[StoredReceipt]) -> Iterable[FoundEvent]:
    for receipt in receipts:
        for event in receipt.events or (None,):
            yield FoundEvent(receipt=receipt, event=event)


async def find_deliveries(reader: Reader, filters: EventFilter) -> list[StoredDelivery]:
    """Find deliveries, newest first. Raises StoreUnavailable."""
    queued = filters.state in _QUEUED and filters.event is None and filters.entity is None
    pages = _deliveries_in_queues(reader, filters) if queued else _deliveries_of_receipts(reader, filters)
    deliveries: dict[str, StoredDelivery] = {}  # by id: with a `once` key several receipts list the same one
    async for page in pages:
        deliveries.update((delivery.id, delivery) for delivery in page if filters.matches_delivery(delivery))
        if len(deliveries) >= filters.limit and not queued:
            break
    newest = sorted(deliveries.values(), key=lambda delivery: (delivery.accepted_at, delivery.id), reverse=True)
    return newest[: filters.limit]


async def _deliveries_in_queues(reader: Reader, filters: EventFilter) -> AsyncIterator[list[StoredDelivery]]:
    """Read the sinks' unfinished deliveries and dead letters, however old their receipts are."""
    for sink in [filters.sink] if filters.sink else [sink.name for sink in await reader.sinks()]:
        ids = await reader.in_queue(sink)
        for start in range(0, len(ids), PAGE):
            yield await reader.deliveries(ids[start : start + PAGE])


async def _deliveries_of_receipts(reader: Reader, filters: EventFilter) -> AsyncIterator[list[StoredDelivery]]:
    async for page in _receipts(reader, filters):
        yield await reader.deliveries([id for receipt in page for id in _deliveries_of_events(receipt, filters)])


def _deliveries_of_events(receipt: StoredReceipt, filters: EventFilter) -> Iterable[str]:
    """Return the ids of the deliveries of those events of a receipt that match."""
    matching = {event.index for event in receipt.events if filters.matches_event(event)}
    return [id for id, index in receipt.deliveries.items() if index in matching]


async def _events_with_sink(reader: Reader, receipts: Sequence[StoredReceipt], sink: str) -> set[str]:
    """Return the ids of the events that have a delivery to a sink."""
    events = {id: f"{receipt.id}.{index}" for receipt in receipts for id, index in receipt.deliveries.items()}
    return {events[delivery.id] for delivery in await reader.deliveries(list(events)) if delivery.sink == sink}


async def _receipts(reader: Reader, filters: EventFilter) -> AsyncIterator[list[StoredReceipt]]:
    """Read receipts in pages, through the index of their entity where the filter names one."""
    if filters.entity:
        ids = _receipts_of_entity(reader, filters.entity)
    else:
        ids = reader.receipt_ids(since=filters.since, until=filters.until)
    async for page in _paged(ids):
        receipts = await reader.receipts(page)
        yield [r for r in receipts if filters.source in (None, r.source) and filters.matches_time(r.received_at)]


async def _receipts_of_entity(reader: Reader, entity: tuple[str, str]) -> AsyncIterator[str]:
    sources = {name[1] for name in await reader.counters() if name[0] == "receipt"}
    events = [event for source in sources for event in await reader.events_of(source, *entity)]
    for id in sorted({event.rpartition(".")[0] for event in events}, reverse=True):  # UUIDv7 sorts by time
        yield id


async def _paged(ids: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    page: list[str] = []
    async for id in ids:
        page.append(id)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
