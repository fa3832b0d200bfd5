"""Take the wake-ups of one worker: queues that have work, or receipts, as scripts publish them.

They are never written to the store's file, and one that nobody takes is gone: whoever listens also looks.
"""

import asyncio
from typing import Any, Final, Self

from redis.asyncio import Redis

from relay.errors import StoreUnavailable
from relay.store.commands import run_command
from relay.store.connections import ScriptConnection, pack
from relay.store.records import Handed
from relay.store.replies import read_handed

OPEN_SECONDS: Final = 3.0


class WakeUps:
    """A connection that listens, and does nothing else. Every method raises StoreUnavailable."""

    def __init__(self, connection: ScriptConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, client: Redis, channel: str) -> Self:
        """Connect to where the client's store is now, and listen."""
        pool = client.connection_pool
        # Silence is no failure here. Under protocol 3 the client's library has a callback for what is published.
        settings = {**pool.connection_kwargs, "socket_timeout": None, "protocol": 2}
        kind: type[Any] = pool.connection_class
        wake_ups = cls(kind(**settings))
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await run_command(wake_ups._subscribe(channel))
        except TimeoutError:
            await wake_ups.close()
            raise StoreUnavailable(f"the store let nobody listen within {OPEN_SECONDS:g} s") from None
        except BaseException:
            await wake_ups.close()
            raise
        return wake_ups

    async def _subscribe(self, channel: str) -> None:
        await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it so
        # The kind that a store of several servers keeps on the one that has the keys.
        await self._connection.listen(pack(("SSUBSCRIBE", channel)))

    async def next(self) -> str | Handed:
        """Wait for the next one: the name of a queue, or "" where the store only looked who listens.

        Or what the store hands over, so that nobody needs to claim it.
        """
        message = await run_command(self._connection.read())
        if not isinstance(message, list) or message[0] != b"smessage":
            # In a cluster it says so: the slot has moved, and with it the channel.
            raise StoreUnavailable("the store has moved to another server")
        told: bytes = message[2]
        return read_handed(told[1:]) if told[:1] == b"\0" else str(told, "utf-8", "replace")

    async def close(self) -> None:
        """Close the connection: from now on nobody takes this worker's wake-ups."""
        await self._connection.disconnect(nowait=True)
