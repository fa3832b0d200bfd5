"""Write to the store although it is away for a moment: what was planned or came back is not thrown away for that."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from relay.errors import StoreUnavailable

T = TypeVar("T")
RETRY_SECONDS = 60.0  # most leases have run out by then, and another worker has it


async def retry_store_write(write: Callable[[], Awaitable[T]]) -> T:
    """Make a write that is harmless to repeat, again and again. Raises StoreUnavailable when that went on too long."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(RETRY_SECONDS),
        reraise=True,
    )
    return await retrying(write)
