"""Keep each call of the store small: a script blocks the store while it runs. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from relay.model import NewDelivery, RoutedEvent, RoutedReceipt

T = TypeVar("T")
CALL_ITEMS: Final = 100  # of one call
CALL_BYTES: Final = 1 << 20


def group(
    items: Iterable[T],
    *,
    size: Callable[[T], int],
    count: Callable[[T], int] = lambda _: 1,
    max_count: int = CALL_ITEMS,
    max_size: int = CALL_BYTES,
) -> Iterator[list[T]]:
    """Put items that follow each other into groups of a bounded count and size; one that is too large is alone."""
    found: list[T] = []
    total_count = total_size = 0
    for item in items:
        item_count, item_size = count(item), size(item)
        if found and (total_count + item_count > max_count or total_size + item_size > max_size):
            yield found
            found, total_count, total_size = [], 0, 0
        found.append(item)
        total_count, total_size = total_count + item_count, total_size + item_size
    if found:
        yield found


def split_receipt(routed: RoutedReceipt) -> Iterator[RoutedReceipt]:
    """Split a large receipt's result into parts of one call each; the last part takes it out of the inbox."""
    if _fits_one_call(routed.deliveries, routed.events):
        yield routed
        return
    deliveries, events = list(routed.deliveries), list(routed.events)
    while not _fits_one_call(deliveries, events):
        first = next(group(deliveries, size=lambda one: len(one.content)), [])
        deliveries = deliveries[len(first) :]
        some_events, events = events[:CALL_ITEMS], events[CALL_ITEMS:]
        yield msgspec.structs.replace(routed, deliveries=first, events=some_events, last=False)
    yield msgspec.structs.replace(routed, deliveries=deliveries, events=events)


def _fits_one_call(deliveries: Sequence[NewDelivery], events: Sequence[RoutedEvent]) -> bool:
    few = len(deliveries) <= CALL_ITEMS and len(events) <= CALL_ITEMS
    return few and sum(len(one.content) for one in deliveries) <= CALL_BYTES
