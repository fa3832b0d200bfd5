"""Wait for a store that loads its data, for as long as somebody wants it."""

import asyncio
import threading

from relay.embedded.server import EmbeddedStore


async def wait_until_loaded(store: EmbeddedStore) -> None:
    """Wait until a store has loaded its data; where this is cancelled, its thread ends at once. Raises RelayError."""
    given_up = threading.Event()  # a thread cannot be cancelled, and the loop's end waits for all of them
    try:
        await asyncio.to_thread(store.wait_until_ready, given_up)
    finally:
        given_up.set()
