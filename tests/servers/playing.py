"""Plays rows of the table over a client: two calls each, of which the first meets the behaviour."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from tests.authority import Authority
from tests.servers.scripted import Row, Server

HANG_S = 3.0  # what a call has where the server hangs
SECONDS = 60.0  # what any other has


@dataclass(frozen=True)
class Seen:
    """What a client makes of a call: `found` as the table writes it, and for people what it says itself."""

    found: str
    body: bytes = b""
    reason: str = ""


Call: TypeAlias = Callable[[str, float], Awaitable[Seen]]
"""Posts to an address, within so many seconds."""

OpenClient: TypeAlias = Callable[[Row, Server], AbstractAsyncContextManager[Call]]
"""Opens a client for the calls of a row. It keeps connections."""


@dataclass(frozen=True)
class Played:
    """What came of a row: both calls, and the paths of the requests that the server has read."""

    row: Row
    first: Seen
    second: Seen | None
    applied: Sequence[str]

    @property
    def right(self) -> bool:
        """Whether the first call is understood as the table says."""
        return self.first.found in self.row.right.split(" | ")

    @property
    def held(self) -> bool:
        """Whether a plain answer, a status whose line is whole, was not taken for one."""
        return self.row.right.replace(" cut", "").isdigit() and not self.first.found[0].isdigit()

    @property
    def twice(self) -> bool:
        """Whether one of the calls was applied more than once."""
        return len(self.applied) != len(set(self.applied))

    @property
    def hidden(self) -> bool:
        """Whether a call was applied that is said to be unsent."""
        return self.first.found.startswith("unsent") and "/1" in self.applied

    @property
    def mixed_up(self) -> bool:
        """Whether the second call got no answer, or not its own."""
        return self.second is not None and (self.second.found, self.second.body) != ("200", b"/2")


async def play(row: Row, authority: Authority, open_client: OpenClient) -> Played:
    """Play a row."""
    async with Server(row).open(authority) as server, open_client(row, server) as call:
        url = f"{'https' if row.https else 'http'}://{row.host}:{server.port}"
        first = await call(f"{url}/1", HANG_S if row.hangs else SECONDS)
        if server.finish is not None:
            server.finish()
        second = await call(f"{url}/2", SECONDS) if row.again else None
    return Played(row, first, second, server.applied)


async def play_all(rows: Sequence[Row], authority: Authority, open_client: OpenClient) -> AsyncIterator[Played]:
    """Play rows at the same time."""
    for played in await asyncio.gather(*[play(row, authority, open_client) for row in rows]):
        yield played
