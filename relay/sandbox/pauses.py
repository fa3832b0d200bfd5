"""Requests that are held at a named point, so that somebody may pull a plug just there."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.sandbox.faults import Fault, Point
from relay.sandbox.wire import Connection

_LOOK_SECONDS: Final = 0.02


class PausedRequest(Record):
    """A request that waits at a point."""

    vendor: str
    path: str
    at: Point


class Pauses:
    """Who waits where. Being listed is the announcement: the request has come so far, and goes no further."""

    def __init__(self) -> None:
        self._held: dict[asyncio.Event, PausedRequest] = {}

    def list(self) -> Sequence[PausedRequest]:
        """Return those that wait, the longest first."""
        return list(self._held.values())

    def release(self) -> None:
        """Let all of them go on."""
        for released in self._held:
            released.set()

    async def hold(self, fault: Fault, held: PausedRequest, connection: Connection) -> None:
        """Wait until released, the connection ends, or the time of the fault is over."""
        released = asyncio.Event()
        self._held[released] = held
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.seconds):
                    while not connection.ended and not await _set_within(released, _LOOK_SECONDS):
                        pass
        finally:
            del self._held[released]


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
