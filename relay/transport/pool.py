"""The connections of a process: those that are open, and those of them that wait for the next exchange."""

import asyncio
import re
import ssl
from collections import defaultdict
from collections.abc import Mapping
from typing import TypeAlias

from relay.config.proxy import Proxy
from relay.transport.connection import Connection
from relay.transport.messages import Response

IDLE_S = 15.0  # how long an unused connection is kept, unless they say that they close it earlier
FRESH_S = 0.5  # not used for longer, for what may not be repeated: servers close after a second at the earliest
_MARGIN_S = 1.0  # before the time at which they say that they close it
_KEPT_FOR = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?(\d{1,9})", re.ASCII | re.IGNORECASE)

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

    def take(self, way: Way, *, fresh: bool) -> Connection | None:
        """Return the idle connection that was used last: it is the least likely to be closed on their side.

        `fresh`: what goes over it may not be repeated.
        """
        idle, now = self.idle[way], self._loop.time()
        while idle:
            connection = idle.pop()
            in_time = connection.idle_until > now and not (fresh and connection.idle_since + FRESH_S < now)
            if in_time and connection.usable:
                return connection
            connection.abort()
        return None

    def keep(self, way: Way, connection: Connection, answer: Response) -> None:
        """Keep a connection for the next exchange, no longer than the last answer on it says that they will."""
        now, seconds = self._loop.time(), kept_seconds(answer.headers)
        if seconds <= 0:
            connection.abort()
            return
        connection.idle_since, connection.idle_until = now, now + seconds
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


def kept_seconds(headers: Mapping[str, str]) -> float:
    """Return for how long a connection may be kept after an answer with these headers. Pure."""
    keep_alive = headers.get("Keep-Alive")
    said = _KEPT_FOR.search(keep_alive) if keep_alive else None
    return min(IDLE_S, int(said[1]) - _MARGIN_S) if said else IDLE_S
