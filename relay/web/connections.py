"""Bound what a stranger may hold of a web process: the size and time of a request's head, silence, connections.

uvicorn reads a head of any size for as long as it takes, and closes only what is idle after an answer. Its
`limit_concurrency` is no help: it counts idle connections too, and then refuses honest hooks.
"""

from collections import Counter
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from relay.logs import log

MAX_HEAD_BYTES: Final = 64 * 1024  # of a head, of trailers, of what stands between two parts of a body
HEAD_SECONDS: Final = 10.0  # from its first byte, or from the connection's begin, to its end
BODY_SECONDS: Final = 2.0  # without any progress
MAX_BODY_SECONDS: Final = 30.0  # however it goes on: a byte in each second and a half is progress too
MAX_CONNECTIONS: Final = 800  # of the 1,024 files that a process may open on most systems
_LOG_SECONDS: Final = 60.0

SILENT, SLOW_HEAD, SLOW_BODY = "silent", "slow_head", "slow_body"
TOO_MANY, HEAD_TOO_LARGE, MALFORMED = "too_many", "head_too_large", "malformed"


class Connections:
    """The open connections of a process, and which of them wait for a request."""

    def __init__(self) -> None:
        self._open: set[BoundedProtocol] = set()
        self._waiting: dict[BoundedProtocol, None] = {}  # for the end of a head; the longest first
        self._receiving: dict[BoundedProtocol, None] = {}  # the rest of a body; the longest first
        self._closed: Counter[str] = Counter()
        self._logged_at = float("-inf")

    def make_protocol(self, *args: Any, **kwargs: Any) -> "BoundedProtocol":
        """Make the protocol of a connection. Takes what uvicorn gives to a protocol class."""
        return BoundedProtocol(self, *args, **kwargs)

    def add(self, connection: "BoundedProtocol") -> None:
        """Add one that was just made. Where they are too many, the one that has waited longest is closed for it.

        Only where none waits for a request, one whose body has been on its way for longest is.
        """
        longest = next(iter(self._waiting), None) or next(iter(self._receiving), None)
        if len(self._open) >= MAX_CONNECTIONS and longest is not None:
            self.close(longest, TOO_MANY)
        self._open.add(connection)
        self._waiting[connection] = None

    def discard(self, connection: "BoundedProtocol") -> None:
        """Forget a connection that is lost."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._receiving.pop(connection, None)

    def begin_request(self, connection: "BoundedProtocol") -> None:
        """Note that the body of a request is on its way."""
        self._waiting.pop(connection, None)
        self._receiving[connection] = None

    def end_body(self, connection: "BoundedProtocol") -> None:
        """Note that a request is whole, and now we are at work."""
        self._receiving.pop(connection, None)

    def end_request(self, connection: "BoundedProtocol") -> None:
        """Note that a connection waits for its next request."""
        if connection in self._open:
            self._waiting[connection] = None

    def close(self, connection: "BoundedProtocol", reason: str) -> None:
        """Close a connection and count why."""
        self._closed[reason] += 1
        self.discard(connection)
        connection.refuse(_ANSWERS[reason])

    def close_overdue(self, now: float) -> None:
        """Close those that take too long, and log how many were closed. `now` is the loop's time in seconds."""
        for connection, reason in [(one, one.overdue(now)) for one in self._open]:
            if reason is not None:
                self.close(connection, reason)
        if self._closed and now - self._logged_at >= _LOG_SECONDS:
            log.warning("web.connections_closed", **self._closed)
            self._closed.clear()
            self._logged_at = now


_ANSWERS = {
    SILENT: None,
    SLOW_HEAD: HTTPStatus.REQUEST_TIMEOUT,
    SLOW_BODY: HTTPStatus.REQUEST_TIMEOUT,
    TOO_MANY: None,
    HEAD_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    MALFORMED: HTTPStatus.BAD_REQUEST,
}


class BoundedProtocol(HttpToolsProtocol):
    """A connection of uvicorn's, with bounds on its heads and bodies."""

    def __init__(self, connections: Connections, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
        self._pending = 0  # bytes that came since the last request, or the last part of its body, was whole
        self._head_since: float | None = None  # the loop's seconds; None while no head is waited for
        self._body_since: float | None = None  # None while no body is
        self._progress_at = 0.0  # of the body

    def connection_made(self, transport: Any) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._head_since = self.loop.time()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, in parts that end where a head is too large."""
        self._unset_keepalive_if_required()
        if self._head_since is None and self._body_since is None:
            self._head_since = self.loop.time()
        while data and not self.transport.is_closing():
            part = data[: MAX_HEAD_BYTES - self._pending]
            self._pending += len(part)
            try:
                self.parser.feed_data(part)
            except httptools.HttpParserUpgrade as upgrade:
                if self.parser.get_method() == b"CONNECT":
                    self._connections.close(self, MALFORMED)
                    return
                data = self._without_upgrade() + data[upgrade.args[0] :]
                continue
            except httptools.HttpParserError:
                self._connections.close(self, MALFORMED)
                return
            if self._pending >= MAX_HEAD_BYTES:
                self._connections.close(self, HEAD_TOO_LARGE)
                return
            data = data[len(part) :]

    def _without_upgrade(self) -> bytes:
        """Return the head that was just read without its wish for another protocol, and a parser for it.

        There is none to change to, and the parser reads no body behind such a wish: a hook would lose its own.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        headers = [(name, value) for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        lines = [b"%b %b HTTP/%b" % (method, self.url, version.encode()), *(b"%b: %b" % header for header in headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def on_message_begin(self) -> None:
        """Begin a head."""
        if self._head_since is None:
            self._head_since = self.loop.time()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What comes behind the body is dropped: nobody reads trailers."""
        if self._head_since is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, and wait for its body."""
        self._pending = 0
        if self.parser.should_upgrade():
            return
        self._head_since, self._body_since = None, self.loop.time()
        self._progress_at = self._body_since
        self._connections.begin_request(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._pending = 0
        self._progress_at = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._pending = 0
        if self.parser.should_upgrade():
            return
        self._body_since = None
        self._connections.end_body(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, where none is queued already."""
        if not self.pipeline:
            self._connections.end_request(self)
        super().on_response_complete()

    def overdue(self, now: float) -> str | None:
        """Return why the connection is to be closed; None where it is in time."""
        if self._head_since is not None and now - self._head_since > HEAD_SECONDS:
            return SLOW_HEAD if self._pending else SILENT
        if self._body_since is not None:
            # Nothing can arrive while we ourselves do not read.
            stands_still = now - self._progress_at > BODY_SECONDS and not self.flow.read_paused
            if stands_still or now - self._body_since > MAX_BODY_SECONDS:
                return SLOW_BODY
        return None

    def refuse(self, status: HTTPStatus | None) -> None:
        """Close the connection, with an answer where one is given and no other has begun."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if status is not None and not (answering and self.cycle.response_started):
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode())
        if answering:
            self.cycle.disconnected = True  # or it would write its own answer behind this one
            self.cycle.message_event.set()
        self.transport.close()
