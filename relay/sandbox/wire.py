"""Do what ASGI cannot: reset a connection, cut an answer short, refuse connections to the port.

uvicorn's protocol is kept, with one addition: it puts its transport into the scope (`extensions`), where a fault finds
it. A fault that writes to the transport must also close the connection, and wait until uvicorn has noticed.
"""

import asyncio
import contextlib
import os
import socket
import struct
from typing import Final

import uvicorn
from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT: Final = "relay.sandbox.transport"
_CLOSED_SECONDS: Final = 5.0
_REOPEN_SECONDS: Final = 0.05


class Wire(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with its transport in the scope."""

    def on_message_begin(self) -> None:
        """Add the transport to the scope of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


def reset(transport: asyncio.WriteTransport) -> None:
    """End a connection with RST."""
    # uvloop returns no socket whose options can be set. They belong to the open file, so a duplicate of it will do.
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class ClientConnection:
    """The connection of one request, below HTTP."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._transport: asyncio.Transport = scope["extensions"][_TRANSPORT]["transport"]
        self._receive = receive

    def write(self, data: bytes) -> None:
        """Write raw bytes."""
        self._transport.write(data)

    async def close(self) -> None:
        """Close it after what was written has been sent."""
        self._transport.close()
        await self.wait_until_ended(_CLOSED_SECONDS)

    async def reset(self) -> None:
        """End it with RST, as a crashing server or a firewall does."""
        reset(self._transport)
        await self.wait_until_ended(_CLOSED_SECONDS)

    @property
    def ended(self) -> bool:
        """Whether either side has ended it. Reads nothing of the request."""
        return self._transport.is_closing()

    async def wait_until_ended(self, seconds: float | None) -> bool:
        """Wait until it has ended, for at most so many seconds. Returns whether it has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
                return True
        return False


class ListeningPort:
    """The server's port, which can be closed for a while, so that connections are refused."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None

    async def close_for(self, seconds: float) -> None:
        """Refuse connections for so many seconds. Idle connections are closed."""
        server = self.server
        assert server is not None
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(seconds)
        server.servers = [await _listen(server)]


async def _listen(server: uvicorn.Server) -> asyncio.Server:
    config, loop = server.config, asyncio.get_running_loop()

    def protocol() -> Wire:
        return Wire(config=config, server_state=server.server_state, app_state=server.lifespan.state)

    while True:
        try:
            return await loop.create_server(protocol, config.host, config.port)
        except OSError:  # an outgoing connection of another process uses the port just now
            await asyncio.sleep(_REOPEN_SECONDS)
