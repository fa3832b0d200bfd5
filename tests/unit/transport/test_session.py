"""Calls to servers that misbehave: the answer, or whether the request was sent. Real sockets, no network."""

import asyncio
import gzip
import random
import socket
import struct
import zlib
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import uvloop
from yarl import URL

from relay.transport import Request, Response, Session, TransportFailure, call, connection, connector, pool, session
from relay.transport.connection import Connection
from relay.transport.response_parser import MAX_BODY, MAX_HEAD

BODY = b'{"amount":"150000.00"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def request(url: str, *, method: str = "POST", body: bytes = BODY, timeout_ms: int = 5_000, **headers: str) -> Request:
    return Request(method=method, url=URL(url), headers=headers, body=body, timeout_ms=timeout_ms)


class Server:
    """A server that reads each request and then behaves by a script."""

    def __init__(self, behave):
        self.behave = behave
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        while not writer.is_closing() and (head := await _head(reader)):
            self.requests.append(head + await reader.readexactly(_length(head)))
            await self.behave(reader, writer)


async def _head(reader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)


@asynccontextmanager
async def listening(serve, **where):
    """Serve connections by `serve(reader, writer)` and return the address. Close all of them at the end."""
    tasks = []

    async def accept(reader, writer):
        tasks.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass  # the client hung up, as some tests want it to
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    listener = await asyncio.start_server(accept, **(where or {"host": "127.0.0.1", "port": 0}))
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    finally:
        listener.close()
        await listener.wait_closed()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def running(behave):
    server = Server(behave)
    async with listening(server.serve) as server.url:
        yield server


def exchange(behave, *, times: int = 1, **more):
    """Make `times` calls in turn over one session. Return the answers and the server."""

    async def run():
        async with running(behave) as server, Session() as calls:
            return [await call(calls, request(server.url, **more)) for _ in range(times)], server

    answers, server = asyncio.run(run())
    return answers, server


def respond_with(answer: bytes, *, then_close: bool = False):
    async def behave(reader, writer):
        writer.write(answer)
        await writer.drain()
        if then_close:
            writer.close()

    return behave


async def hang(reader, writer):
    await reader.read()  # until the client gives up


async def close(reader, writer):
    writer.close()


async def reset(reader, writer):
    _reset(writer)


def _reset(writer) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_the_request_arrives_as_it_was_given_and_keeps_the_connection():
    (first, second), server = exchange(respond_with(OK), times=2, **{"X-Name": "Мир"})
    assert first == second
    assert (first.status, first.body, first.truncated) == (200, b"ok", False)
    assert server.connections == 1
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    assert "X-Name: Мир".encode() in head
    assert b"User-Agent: amo-relay/" in head
    assert b"Accept-Encoding" not in head


def test_cookies_are_not_kept():
    _, server = exchange(respond_with(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"), times=2)
    assert all(b"Cookie" not in seen for seen in server.requests)


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        (hang, "timeout"),
        (close, "reset"),
        (reset, "reset"),
        (respond_with(b"220 mail.example.com ESMTP\r\n", then_close=True), "protocol"),
        (respond_with(b"HTTP/1.1 200 OK", then_close=True), "reset"),
    ],
    ids=["accept, then hang", "accept, then close", "accept, then reset", "not HTTP", "half a status line"],
)
def test_a_request_that_left_without_an_answer_may_have_been_applied(behave, kind):
    (answer,), server = exchange(behave, timeout_ms=200)
    assert isinstance(answer, TransportFailure)
    assert (answer.kind, answer.sent) == (kind, True)
    assert len(server.requests) == 1, "it must not be sent a second time"


def test_a_slow_status_line_times_out():
    async def drip(reader, writer):
        for byte in b"HTTP/1.1 200 OK\r":
            writer.write(bytes([byte]))
            await writer.drain()
        await reader.read()

    (answer,), _ = exchange(drip, timeout_ms=200)
    assert (answer.kind, answer.sent) == ("timeout", True)


def test_nothing_is_known_of_a_request_without_a_body_so_it_counts_as_sent():
    (answer,), _ = exchange(close, body=b"")
    assert (answer.kind, answer.sent) == ("reset", True)


@pytest.mark.parametrize("end", [close, reset])
def test_a_request_on_a_kept_connection_that_ends_may_have_been_applied(end):
    """The server closes the connection while the request is on its way: nobody knows which came first."""
    behaviours = iter([respond_with(OK), end])

    async def behave(reader, writer):
        await next(behaviours)(reader, writer)

    (first, second), server = exchange(behave, times=2)
    assert first.status == 200
    assert (second.kind, second.sent) == ("reset", True)
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_connection_closed_while_idle_is_not_used_again():
    async def run():
        async with running(respond_with(OK, then_close=True)) as server, Session() as calls:
            answers = []
            for _ in range(3):
                answers.append(await call(calls, request(server.url)))
                await asyncio.wait(
                    [connection.lost for connection in calls._pool.open]
                )  # until their close has arrived
            return answers, server

    answers, server = asyncio.run(run())
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert server.connections == 3


def test_bytes_outside_of_an_exchange_close_the_connection():
    """A server may announce that it closes an idle connection. That must not be read as the next answer."""

    async def behave(reader, writer):
        writer.write(OK)
        await writer.drain()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    async def run():
        async with running(behave) as server, Session() as calls:
            first = await call(calls, request(server.url))
            await asyncio.wait([connection.lost for connection in calls._pool.open])
            return first, await call(calls, request(server.url)), server

    first, second, server = asyncio.run(run())
    assert (first.status, second.status, server.connections) == (200, 200, 2)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("end", ["abort", "bytes"])
def test_a_connection_that_ends_before_the_request_is_written_is_replaced(loop, end, monkeypatch):
    """Requests are written at the end of the loop tick: by then the connection may be closed, and nothing is sent."""
    monkeypatch.setattr(session, "RECONNECT_PAUSE_S", 0)

    async def run():
        async with running(respond_with(OK)) as server, Session() as calls:
            await call(calls, request(server.url))
            (connection,) = calls._pool.open
            again = asyncio.create_task(call(calls, request(server.url)))
            await asyncio.sleep(0)  # it has taken the connection
            assert not connection.wrote
            if end == "abort":
                connection.abort()
            else:
                connection.data_received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            return await again, server

    with asyncio.Runner(loop_factory=loop) as runner:
        answer, server = runner.run(run())
    assert (answer.status, server.connections, len(server.requests)) == (200, 2, 2)


def test_kept_connections_that_have_ended_are_passed_over_with_one_look_at_each(monkeypatch):
    """A look is a call of the system: it is made right before the write, and not when the connection is taken too."""

    async def run():
        async with running(respond_with(OK)) as server, Session() as calls:
            await asyncio.gather(*[call(calls, request(server.url)) for _ in range(3)])
            ended = iter([1, 1, 0])  # of the three that are kept the first two
            looks = []
            monkeypatch.setattr(connection, "_poll", lambda *_: looks.append(1) or next(ended))
            return await calls.exchange(request(server.url)), server.connections, len(looks), len(server.requests)

    answer, connections, looks, requests = asyncio.run(run())
    assert (answer.status, connections, looks, requests) == (200, 3, 3, 4)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_call_cancelled_before_its_request_is_written_sends_nothing(loop):
    async def run():
        async with running(respond_with(OK)) as server, Session() as calls:
            await call(calls, request(server.url))
            again = asyncio.create_task(call(calls, request(server.url)))
            await asyncio.sleep(0)
            again.cancel()
            await asyncio.wait([again])
            last = await call(calls, request(server.url))
            return again.cancelled(), last, server

    with asyncio.Runner(loop_factory=loop) as runner:
        cancelled, last, server = runner.run(run())
    assert (cancelled, last.status, server.connections, len(server.requests)) == (True, 200, 2, 2)


def test_a_write_that_fails_ends_its_call_at_once(monkeypatch):
    class Broken:
        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            pass

        def write(self, message: bytes) -> None:
            raise RuntimeError("a defect")

    async def run():
        connection = Connection()
        connection.connection_made(Broken())
        return await connection.exchange(b"POST / HTTP/1.1", asyncio.get_running_loop().time() + 60)

    with pytest.raises(RuntimeError, match="a defect"):
        asyncio.run(run())


def test_two_answers_at_once_are_one_answer_and_the_end_of_the_connection():
    (first, second), server = exchange(respond_with(OK + b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), times=2)
    assert (first.status, second.status, server.connections) == (200, 200, 2)


def test_a_connection_idle_for_too_long_is_closed(monkeypatch):
    monkeypatch.setattr(pool, "IDLE_S", 0.01)

    async def run():
        async with running(respond_with(OK)) as server, Session() as calls:
            await call(calls, request(server.url))
            await asyncio.wait([connection.lost for connection in calls._pool.open], timeout=10)
            assert not calls._pool.open
            assert not calls._pool.idle
            return await call(calls, request(server.url)), server

    answer, server = asyncio.run(run())
    assert (answer.status, server.connections) == (200, 2)


@pytest.mark.parametrize(("method", "connections"), [("POST", 2), ("PATCH", 2), ("GET", 1), ("PUT", 1)])
def test_what_may_not_be_repeated_goes_over_no_connection_that_they_may_be_closing(method, connections, monkeypatch):
    monkeypatch.setattr(pool, "FRESH_S", -1.0)  # as if every connection had been used longer ago
    answers, server = exchange(respond_with(OK), times=2, method=method)
    assert [answer.status for answer in answers] == [200, 200]
    assert server.connections == connections


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("timeout=5", 4),
        ("timeout=5, max=100", 4),
        ("max=100,timeout = 5", 4),
        ('timeout="5"', 4),
        ("Timeout=1", 0),
        ("timeout=0", -1),
        ("timeout=3600", pool.IDLE_S),
        ("max=100", pool.IDLE_S),
        ("timeout=soon", pool.IDLE_S),
        ("notimeout=1", pool.IDLE_S),
        ("", pool.IDLE_S),
    ],
)
def test_a_connection_is_kept_no_longer_than_they_say_less_a_margin(said, seconds):
    assert pool.kept_seconds({"Keep-Alive": said}) == seconds


def test_of_many_posts_none_meets_a_connection_that_is_being_closed(monkeypatch):
    """A server closes what was idle for 300 ms, and the pauses are of that length: none is lost, none comes twice."""
    monkeypatch.setattr(pool, "FRESH_S", 0.05)
    requests = []

    async def serve(reader, writer):
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.3):
                    head = await _head(reader)
                if not head:
                    return
                await reader.readexactly(_length(head))
                requests.append(head.split(b" ")[1])
                writer.write(OK)

    async def lane(url, lane):
        async with Session() as calls:
            for n in range(15):
                yield await call(calls, request(f"{url}{lane}/{n}", timeout_ms=60_000))
                await asyncio.sleep(random.uniform(0.0, 0.02) if n % 3 else random.uniform(0.29, 0.31))

    async def run():
        async with listening(serve) as url:

            async def all_of(number):
                return [answer async for answer in lane(url, number)]

            return await asyncio.gather(*[all_of(number) for number in range(20)])

    answers = [answer for lane in asyncio.run(run()) for answer in lane]
    assert [answer for answer in answers if not isinstance(answer, Response)] == []
    assert len(requests) == len(set(requests)) == len(answers) == 300


def test_calls_at_the_same_time_have_connections_of_their_own():
    async def run():
        async with running(respond_with(OK)) as server, Session() as calls:
            answers = await asyncio.gather(*[call(calls, request(server.url)) for _ in range(5)])
            again = await asyncio.gather(*[call(calls, request(server.url)) for _ in range(5)])
            return [*answers, *again], server

    answers, server = asyncio.run(run())
    assert [answer.status for answer in answers] == [200] * 10
    assert server.connections == 5


def test_switching_protocols_is_no_answer():
    (switched,), _ = exchange(respond_with(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"))
    assert (switched.kind, switched.sent) == ("protocol", True)
    announced = b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok"
    (first, second), server = exchange(respond_with(announced), times=2)
    assert (first.body, second.body, server.connections) == (b"ok", b"ok", 1)


def test_a_1xx_status_is_not_the_answer():
    (first, second), server = exchange(
        respond_with(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + OK), times=2
    )
    assert (first.status, first.body, "A" in first.headers) == (200, b"ok", False)
    assert first == second
    assert server.connections == 1


@pytest.mark.parametrize("name", ["Connection: close", "Connection: Close\r\nX: y"])
def test_a_connection_that_the_server_will_close_is_not_used_again(name):
    (first, second), server = exchange(
        respond_with(f"HTTP/1.1 200 OK\r\n{name}\r\nContent-Length: 2\r\n\r\nok".encode()), times=2
    )
    assert (first.body, second.body, server.connections) == (b"ok", b"ok", 2)


def test_an_answer_may_come_byte_by_byte():
    whole = b"HTTP/1.1 201 Created\r\nX-Id: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n"

    async def behave(reader, writer):
        for byte in whole:
            writer.write(bytes([byte]))
            await writer.drain()

    (answer,), _ = exchange(behave)
    assert (answer.status, answer.body, answer.headers["x-id"], answer.truncated) == (201, b"ok!", "7", False)


def test_headers_without_end_are_cut():
    (answer,), _ = exchange(respond_with(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD + 1) * 2))
    assert (answer.status, answer.truncated) == (200, True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_read(encoding):
    packed = gzip.compress(b"ok") if encoding == "gzip" else zlib.compress(b"ok")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    (answer,), _ = exchange(respond_with(head + packed))
    assert (answer.body, answer.truncated) == (b"ok", False)


def test_a_compressed_answer_that_is_broken_is_only_its_beginning():
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    (answer,), _ = exchange(respond_with(head + b"oops"))
    assert (answer.status, answer.body, answer.truncated) == (200, b"", True)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "\ud800"])
def test_a_header_with_a_line_break_is_not_sent(value):
    (answer,), server = exchange(respond_with(OK), **{"X-Name": value})
    assert (answer.kind, answer.sent) == ("protocol", False)
    assert server.connections == 0


def test_redirects_are_not_followed():
    (answer,), server = exchange(respond_with(b"HTTP/1.1 307 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"))
    assert (answer.status, answer.headers["location"]) == (307, "/")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n" + b"x" * 2097152,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" + b"x" * 2097152 + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 2097152,
    ],
    ids=["with its length", "chunked", "until the end"],
)
def test_an_answer_is_read_up_to_the_maximum(answer):
    (first, second), server = exchange(respond_with(answer, then_close=b"close" in answer), times=2)
    assert (first.status, len(first.body), first.truncated) == (200, MAX_BODY, True)
    assert first == second
    assert server.connections == 2, "the rest of an answer must not be read as the next one"


def test_an_answer_of_exactly_the_maximum_is_complete():
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BODY}\r\n\r\n".encode()
    (answer,), _ = exchange(respond_with(head + b"x" * MAX_BODY))
    assert (len(answer.body), answer.truncated) == (MAX_BODY, False)


def test_a_compressed_answer_cannot_grow_over_the_maximum():
    bomb = gzip.compress(b"0" * 20 * MAX_BODY)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    (answer,), _ = exchange(respond_with(head + bomb))
    assert (len(answer.body), answer.truncated) == (MAX_BODY, True)


@pytest.mark.parametrize(
    "behave",
    [
        respond_with(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 12', then_close=True),
        respond_with(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 12'),
    ],
    ids=["and closes", "and hangs"],
)
def test_a_status_stands_though_the_body_breaks_off(behave):
    (answer,), _ = exchange(behave, timeout_ms=200)
    assert answer == Response(status=200, headers=answer.headers, body=b'{"id": 12', truncated=True)


def test_html_is_just_an_answer():
    page = b"<html>Service unavailable</html>"
    (answer,), _ = exchange(respond_with(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)))
    assert (answer.status, answer.body) == (503, page)


def test_an_answer_before_the_body_was_read_is_taken():
    async def refuse(reader, writer):
        await _head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async def run():
        async with listening(refuse) as url, Session() as calls:
            return await call(calls, request(url, body=b"x" * 1_000_000))

    assert asyncio.run(run()).status == 413


@pytest.fixture
def closed_port():
    """A port where nobody listens and which no other process can get."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken


def url_of(sock: socket.socket) -> str:
    return f"http://127.0.0.1:{sock.getsockname()[1]}/"


def test_a_refused_connection_sent_nothing(closed_port, monkeypatch):
    monkeypatch.setattr(session, "RECONNECT_PAUSE_S", 0)

    async def run():
        async with Session() as calls:
            return await call(calls, request(url_of(closed_port)))

    answer = asyncio.run(run())
    assert (answer.kind, answer.sent) == ("connect", False)
    assert answer.reason.endswith(": connection refused")


def test_a_connection_that_failed_at_once_is_tried_a_second_time(closed_port, monkeypatch):
    """The server comes up during the pause."""
    server = Server(respond_with(OK))

    async def run():
        real_sleep = asyncio.sleep
        async with AsyncExitStack() as stack:

            async def pause(seconds):
                if seconds == session.RECONNECT_PAUSE_S:
                    await stack.enter_async_context(listening(server.serve, sock=closed_port))
                await real_sleep(0)

            monkeypatch.setattr(asyncio, "sleep", pause)
            async with Session() as calls:
                return await call(calls, request(url_of(closed_port)))

    assert asyncio.run(run()).status == 200
    assert len(server.requests) == 1


def test_tls_to_a_server_without_it_sent_nothing():
    async def plain(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def run():
        async with listening(plain) as url, Session() as calls:
            return await call(calls, request(url.replace("http:", "https:"), timeout_ms=2_000))

    answer = asyncio.run(run())
    assert (answer.kind, answer.sent) == ("tls", False)


def test_a_cancelled_call_is_cancelled():
    async def run():
        arrived = asyncio.Event()

        async def notice(reader, writer):
            arrived.set()
            await reader.read()

        async with running(notice) as server, Session() as calls:
            task = asyncio.create_task(call(calls, request(server.url)))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


class ScriptedResolver:
    """A resolver that answers by a script."""

    def __init__(self, answer):
        self.answer = answer

    async def look_up(self, host, asker):
        return self.read

    async def read(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return await self.answer() if callable(self.answer) else self.answer

    async def close(self):
        pass


async def never():
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (OSError(-2, "Name or service not known"), "dns"),
        (UnicodeError("label empty or too long"), "dns"),
        ([], "dns"),
        (never, "timeout_before_write"),
        (["127.0.0.1"], "connect"),
        (["255.255.255.255"], "connect"),
    ],
    ids=["no such name", "no name at all", "no address", "no answer", "nobody listens", "no way there"],
)
def test_a_failure_before_the_request_left_sent_nothing(answer, kind, monkeypatch, closed_port):
    monkeypatch.setattr(session, "RECONNECT_PAUSE_S", 0)

    async def run():
        async with Session(ScriptedResolver(answer)) as calls:
            port = closed_port.getsockname()[1]
            return await call(calls, request(f"http://books.example.com:{port}/", timeout_ms=100))

    failure = asyncio.run(run())
    assert (failure.kind, failure.sent) == (kind, False)
    assert failure.reason


def test_of_several_addresses_the_next_one_is_tried():
    async def run():
        async with running(respond_with(OK)) as server, Session(ScriptedResolver(["::1", "127.0.0.1"])) as calls:
            port = server.url.rsplit(":")[-1]
            return await call(calls, request(f"http://books.example.com:{port}"))

    assert asyncio.run(run()).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["books.example.com", None])
def test_addresses_of_both_kinds_are_called(host, name):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    server = Server(respond_with(OK))

    async def run():
        async with listening(server.serve, host=host, port=0) as url, Session(ScriptedResolver([host])) as calls:
            written = name or (f"[{host}]" if ":" in host else host)
            port = url.rstrip("/").rsplit(":")[-1]
            return await call(calls, request(f"http://{written}:{port}/")), f"Host: {written}:{port}".encode()

    answer, host_header = asyncio.run(run())
    assert answer.status == 200
    assert host_header in server.requests[0]


def test_connecting_may_take_a_part_of_the_time_only(monkeypatch):
    monkeypatch.setattr(connector, "CONNECT_TIMEOUT_S", 0.05)

    async def run():
        async with Session(ScriptedResolver(never)) as calls:
            return await call(calls, request("http://books.example.com/", timeout_ms=60_000))

    failure = asyncio.run(run())
    assert (failure.kind, failure.sent) == ("timeout_before_write", False)


def test_the_repr_of_a_request_keeps_secrets():
    secret = request("https://u:p@books.example.com/api?key=k-123", Authorization="Bearer t-123")
    assert repr(secret) == "<Request POST https://books.example.com/api 22 bytes>"
