"""Repeat a write while the store is away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from relay.errors import StoreUnavailable

T = TypeVar("T")
RETRY_SECONDS = 60.0  # most leases have run out by then, and another worker has taken over


async def retry_store_write(write: Callable[[], Awaitable[T]]) -> T:
    """Repeat a write, which must be harmless to repeat, until it succeeds: once at once, then after growing waits.

    Raises StoreUnavailable after a minute.
    """
    try:
        return await write()  # nearly always; to make what repeats it takes longer than a call of the store
    except StoreUnavailable:
        pass
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(RETRY_SECONDS),
        reraise=True,
    )
    return await retrying(write)
