"""The connections of a process: those that are open, and those of them that wait for the next exchange."""

import asyncio
import ssl
from collections import defaultdict
from typing import TypeAlias

from relay.config.proxy import Proxy
from relay.transport.connection import Connection

IDLE_S = 15.0  # how long an unused connection is kept; one that they close earlier is not used again

Way: TypeAlias = tuple[str, str | None, int | None, ssl.SSLContext | None, Proxy | None]
"""Scheme, host, port, client certificate and proxy: a connection is used again for a call that has the same."""


class ConnectionPool:
    """Keeps connections open between exchanges. Use it inside the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.open: set[Connection] = set()
        self.idle: defaultdict[Way, list[Connection]] = defaultdict(list)
        self._sweep_timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """Add a connection that was opened, until it is lost."""
        self.open.add(connection)
        connection.lost.add_done_callback(lambda _: self.open.discard(connection))

    def take(self, way: Way) -> Connection | None:
        """Return the idle connection that was used last: it is the least likely to be closed on their side."""
        idle, now = self.idle[way], self._loop.time()
        while idle:
            connection = idle.pop()
            if connection.usable and connection.idle_until > now:
                return connection
            connection.abort()
        return None

    def keep(self, way: Way, connection: Connection) -> None:
        """Keep a connection for the next exchange."""
        connection.idle_until = self._loop.time() + IDLE_S
        self.idle[way].append(connection)
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(IDLE_S, self._sweep)

    async def close(self) -> None:
        """Close every connection."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        lost = [connection.lost for connection in self.open]
        for connection in list(self.open):
            connection.abort()
        await asyncio.gather(*lost)

    def _sweep(self) -> None:
        """Close the connections that have been idle for too long."""
        now = self._loop.time()
        for way, idle in list(self.idle.items()):
            kept = [connection for connection in idle if connection.usable and connection.idle_until > now]
            for connection in set(idle).difference(kept):
                connection.abort()
            if kept:
                self.idle[way] = kept
            else:
                del self.idle[way]
        self._sweep_timer = self._loop.call_later(IDLE_S, self._sweep) if self.idle else None
