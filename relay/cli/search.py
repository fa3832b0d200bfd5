"""Find events and deliveries in the store, the newest first."""

from collections.abc import AsyncIterator, Iterable, Sequence

from relay.model import DeliveryState, Record, RoutedEvent
from relay.store.reader import PAGE, Reader
from relay.store.stored import StoredDelivery, StoredReceipt

_QUEUED = frozenset({DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.DEAD})


class EventFilter(Record):
    """What is looked for. None means: any. Times bound when the receipt arrived."""

    source: str | None = None
    event: str | None = None
    entity: tuple[str, str] | None = None
    sink: str | None = None
    state: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 20

    def fits_time(self, at: int) -> bool:
        """Return whether something arrived within the bounds."""
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)

    def fits_event(self, event: RoutedEvent | None) -> bool:
        """Return whether an event has the name and entity; what carried no event has neither."""
        if event is None:
            return self.event is None and self.entity is None
        return self.event in (None, event.name) and self.entity in (None, (event.entity, event.entity_id))


class FoundEvent(Record):
    """An event with the receipt it came in; a receipt that carried none stands for itself."""

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


async def find_events(reader: Reader, wanted: EventFilter) -> list[FoundEvent]:
    """Find events. Raises StoreUnavailable."""
    found: list[FoundEvent] = []
    async for page in _receipts(reader, wanted):
        sent = await _sent_to(reader, page, wanted.sink) if wanted.sink else None
        found += [
            event
            for event in _events(page)
            if wanted.fits_event(event.event)
            and wanted.state in (None, event.state)
            and (sent is None or event.id in sent)
        ]
        if len(found) >= wanted.limit:
            break
    return found[: wanted.limit]


def _events(receipts: Iterable[StoredReceipt]) -> Iterable[FoundEvent]:
    for receipt in receipts:
        for event in receipt.events or (None,):
            yield FoundEvent(receipt=receipt, event=event)


async def find_deliveries(reader: Reader, wanted: EventFilter) -> list[StoredDelivery]:
    """Find deliveries. Raises StoreUnavailable."""
    queued = wanted.state in _QUEUED and wanted.event is None and wanted.entity is None
    pages = _queued(reader, wanted) if queued else _made(reader, wanted)
    found: dict[str, StoredDelivery] = {}  # a delivery made once is listed by every receipt that asked for it
    async for page in pages:
        found.update((delivery.id, delivery) for delivery in page if _fits(delivery, wanted))
        if len(found) >= wanted.limit and not queued:
            break
    newest = sorted(found.values(), key=lambda delivery: (delivery.accepted_at, delivery.id), reverse=True)
    return newest[: wanted.limit]


def _fits(delivery: StoredDelivery, wanted: EventFilter) -> bool:
    return (
        wanted.source in (None, delivery.source)
        and wanted.sink in (None, delivery.sink)
        and wanted.state in (None, delivery.state)
        and wanted.fits_time(delivery.accepted_at)
    )


async def _queued(reader: Reader, wanted: EventFilter) -> AsyncIterator[list[StoredDelivery]]:
    """Return what the sinks hold unfinished, however long ago it came."""
    for sink in [wanted.sink] if wanted.sink else [sink.name for sink in await reader.sinks()]:
        ids = await reader.in_queue(sink)
        for start in range(0, len(ids), PAGE):
            yield await reader.deliveries(ids[start : start + PAGE])


async def _made(reader: Reader, wanted: EventFilter) -> AsyncIterator[list[StoredDelivery]]:
    """Return what receipts became."""
    async for page in _receipts(reader, wanted):
        ids = [id for receipt in page for id in _of_fitting_events(receipt, wanted)]
        yield await reader.deliveries(ids)


def _of_fitting_events(receipt: StoredReceipt, wanted: EventFilter) -> Iterable[str]:
    fitting = {event.index for event in receipt.events if wanted.fits_event(event)}
    return [id for id, index in receipt.deliveries.items() if index in fitting]


async def _sent_to(reader: Reader, receipts: Sequence[StoredReceipt], sink: str) -> set[str]:
    """Return the ids of the events that have a delivery to a sink."""
    events = {id: f"{receipt.id}.{index}" for receipt in receipts for id, index in receipt.deliveries.items()}
    return {events[delivery.id] for delivery in await reader.deliveries(list(events)) if delivery.sink == sink}


async def _receipts(reader: Reader, wanted: EventFilter) -> AsyncIterator[list[StoredReceipt]]:
    """Return receipts in pages, by their entity's index where one is wanted."""
    ids = (
        _ids_of(reader, wanted.entity) if wanted.entity else reader.receipt_ids(since=wanted.since, until=wanted.until)
    )
    async for page in _paged(ids):
        receipts = await reader.receipts(page)
        yield [r for r in receipts if wanted.source in (None, r.source) and wanted.fits_time(r.received_at)]


async def _ids_of(reader: Reader, entity: tuple[str, str]) -> AsyncIterator[str]:
    sources = {name[1] for name in await reader.counters() if name[0] == "receipt"}
    events = [event for source in sources for event in await reader.events_of(source, *entity)]
    for id in sorted({event.rpartition(".")[0] for event in events}, reverse=True):  # UUIDv7: by time
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
