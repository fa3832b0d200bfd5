"""What the log says of connections that were closed: a line a minute, however many strangers there are."""

import asyncio

import structlog
import uvicorn
from uvicorn.server import ServerState

from relay.web.connections import MALFORMED, MAX_BODY_SECONDS, MAX_CONNECTIONS, TOO_MANY, Connections


class Closed:
    def __init__(self, overdue: str | None = None) -> None:
        self._overdue = overdue
        self.answer: object = "none yet"

    def overdue(self, now: float) -> str | None:
        return self._overdue

    def refuse(self, status: object) -> None:
        self.answer = status


def test_closed_connections_are_counted_by_reason_and_logged_once_a_minute():
    connections = Connections()
    with structlog.testing.capture_logs() as lines:
        for _ in range(200):
            connections.close(Closed(), MALFORMED)
        connections.close_overdue(now=1000)
        for _ in range(3):
            connections.close(Closed(), TOO_MANY)
        connections.close_overdue(now=1059)
        assert [line.get("malformed") for line in lines] == [200]
        connections.close_overdue(now=1060)
    assert [(line["event"], line.get("malformed"), line.get("too_many")) for line in lines] == [
        ("web.connections_closed", 200, None),
        ("web.connections_closed", None, 3),
    ]


def test_overdue_connections_are_closed_once_and_the_others_stay():
    connections = Connections()
    late, timely = Closed("silent"), Closed()
    for connection in (late, timely):
        connections.add(connection)
    connections.close_overdue(now=0)
    assert (late.answer, timely.answer) == (None, "none yet")
    late.answer = "not closed again"
    connections.close_overdue(now=1)
    assert late.answer == "not closed again"


def test_where_none_waits_for_a_request_the_longest_unfinished_body_makes_room():
    connections = Connections()
    receiving, at_work = Closed(), Closed()
    for connection in (receiving, at_work):
        connections.add(connection)
        connections.begin_request(connection)
    connections.end_body(at_work)
    for _ in range(MAX_CONNECTIONS - 2):
        connection = Closed()
        connections.add(connection)
        connections.begin_request(connection)
        connections.end_body(connection)
    connections.add(Closed())
    assert (receiving.answer, at_work.answer) == (None, "none yet")


class Transport(asyncio.Transport):
    """Takes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_a_body_that_goes_on_drop_by_drop_ends_all_the_same():
    """A byte in each second and a half is progress: one such body held its connection for ever."""

    async def receive_slowly() -> Transport:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(lambda scope, receive, send: receive(), http="httptools", lifespan="off")
        config.load()
        connections, transport = Connections(), Transport()
        connection = connections.make_protocol(config, ServerState(), {}, loop)
        connection.connection_made(transport)
        connection.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n")
        begun = loop.time()
        for second in range(int(MAX_BODY_SECONDS) + 2):
            loop.time = lambda second=second: begun + second  # type: ignore[method-assign]
            if not transport.closed:
                assert second <= MAX_BODY_SECONDS + 1
                connection.data_received(b"x")
            connections.close_overdue(begun + second)
        await asyncio.sleep(0)
        return transport

    transport = asyncio.run(receive_slowly())
    assert transport.closed
    assert transport.written.startswith(b"HTTP/1.1 408 ")
