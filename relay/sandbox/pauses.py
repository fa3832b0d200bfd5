"""Pause requests at a named point, so that a test can kill a process exactly there."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Protocol

from relay.model import Record
from relay.sandbox.faults import InjectedFault, Point

_POLL_SECONDS: Final = 0.02


class PausedRequest(Record):
    """A request that is paused at a point."""

    vendor: str
    path: str
    at: Point


class MayEnd(Protocol):
    """A connection, of which is known whether either side has ended it."""

    @property
    def ended(self) -> bool:
        """Whether either side has ended it."""


class Pauses:
    """The paused requests. One that is listed has reached its point, and goes no further."""

    def __init__(self) -> None:
        self._paused: dict[asyncio.Event, PausedRequest] = {}

    def list(self) -> Sequence[PausedRequest]:
        """Return the paused requests, the oldest first."""
        return list(self._paused.values())

    def release(self) -> None:
        """Let all of them go on."""
        for released in self._paused:
            released.set()

    async def pause(self, fault: InjectedFault, request: PausedRequest, connection: MayEnd) -> None:
        """Wait until released, the connection ends, or the time of the fault is over."""
        released = asyncio.Event()
        self._paused[released] = request
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.seconds):
                    while not connection.ended and not await _is_set_within(released, _POLL_SECONDS):
                        pass
        finally:
            del self._paused[released]


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
