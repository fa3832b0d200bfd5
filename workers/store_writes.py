"""Write to the store: repeat a write while the store is away, and keep each call small."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from relay.errors import StoreUnavailable

T = TypeVar("T")
RETRY_SECONDS = 60.0  # most leases have run out by then, and another worker has taken over
CALL_ITEMS, CALL_BYTES = 100, 1 << 20  # of one call: a script blocks the store while it runs


async def retry_store_write(write: Callable[[], Awaitable[T]]) -> T:
    """Repeat a write, which must be harmless to repeat, until it succeeds. Raises StoreUnavailable after a minute."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(RETRY_SECONDS),
        reraise=True,
    )
    return await retrying(write)


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
