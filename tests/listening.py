"""A worker that takes no wake-ups, and wake-ups that a test plays."""

import asyncio

from relay.errors import StoreUnavailable
from relay.store.records import Handed
from workers.listening import Listening


class PlayedWakeUps:
    """A connection to which a test sends what the store would."""

    def __init__(self) -> None:
        self._sent: asyncio.Queue[str | Handed | StoreUnavailable] = asyncio.Queue()
        self.closed = False

    def send(self, told: str | Handed) -> None:
        self._sent.put_nowait(told)

    def fail(self) -> None:
        self._sent.put_nowait(StoreUnavailable("the connection was closed"))

    async def next(self) -> str | Handed:
        found = await self._sent.get()
        if isinstance(found, StoreUnavailable):
            raise found
        return found

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.fail()


async def _refuse() -> PlayedWakeUps:
    raise StoreUnavailable("nobody may listen here")


def not_listening() -> Listening:
    return Listening(_refuse, lambda queue: None, lambda handed: None)
