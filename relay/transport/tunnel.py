"""A tunnel through a proxy: CONNECT (RFC 9110, 9.3.6), and the proxy's answer to it."""

import asyncio
import re
from http.client import responses
from typing import Final, cast

from relay.config.proxy import Proxy
from relay.transport.messages import USER_AGENT, ConnectFailed, FailureKind

_MAX_HEAD: Final = 64 * 1024  # bytes
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d[ \r\n].*?\n\r?\n", re.DOTALL)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?:[ \r\n]|\Z)")
# What they say of the way behind them, which may be better soon. All else they say of us, and a person must mend it.
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ADVICE: Final = {
    403: "it does not allow this address",
    405: "it makes no tunnels to this port",
    407: "check the user and password in the proxy's address",
}


class Tunnel(asyncio.Protocol):
    """The connection to a proxy until the tunnel is there. Then its `transport` belongs to who is called through it."""

    def __init__(self) -> None:
        self._head = b""
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def open(self, proxy: Proxy, target: str) -> None:
        """Ask for a tunnel to `host:port`. Raises ConnectFailed: nothing of the request has left by then."""
        self.transport.write(connect_request(proxy, target))
        try:
            head = await self._answer
        except OSError as error:
            raise ConnectFailed("reset", f"the proxy {proxy} gives no answer: {error}") from None
        if refusal := read_refusal(head):
            raise ConnectFailed(refusal[0], f"the proxy {proxy} gives no way to {target}: {refusal[1]}")
        if self.transport.is_closing():
            raise ConnectFailed("reset", f"the proxy {proxy} closed the tunnel at once")

    # The methods of asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer. Bytes that follow it close the connection: nobody has spoken to the host yet."""
        if self._answer.done():
            self.transport.abort()
            return
        self._head += data
        while interim := _INTERIM.match(self._head):
            self._head = self._head[interim.end() :]
        end = _HEAD_END.search(self._head)
        is_http = b"\n" not in self._head or _STATUS.match(self._head)
        if end is None and is_http and len(self._head) <= _MAX_HEAD:
            return
        if end is not None and end.end() < len(self._head) and read_refusal(self._head) is None:
            self.transport.abort()
        self._answer.set_result(self._head)

    def connection_lost(self, error: Exception | None) -> None:
        """End the wait for an answer."""
        if not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("it closed the connection"))


def connect_request(proxy: Proxy, target: str) -> bytes:
    """Return the bytes that ask a proxy for a tunnel."""
    credentials = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {USER_AGENT}\r\n{credentials}\r\n".encode()


def read_refusal(head: bytes) -> tuple[FailureKind, str] | None:
    """Return why a proxy's answer is no tunnel; None where it is one. Pure. What it says itself is not repeated."""
    found = _STATUS.match(head)
    if found is None or not _HEAD_END.search(head):
        return "protocol", "its answer is not HTTP: is this the address of a proxy?"
    status = int(found[1])
    if status // 100 == 2:
        return None
    return "connect" if status in _PASSING else "proxy", describe_refusal(status)


def describe_refusal(status: int) -> str:
    """Return what a proxy's status means, and what to do about it where that is known."""
    advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
    return f"{status} {responses.get(status, '')}".rstrip() + advice
