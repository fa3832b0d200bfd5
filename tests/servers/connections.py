"""Connections: how they end, before a request, in it, after it and between two."""

from tests.servers.heads import NONE, OK, PLAIN
from tests.servers.scripted import Row, reset, says

GONE = "nothing was read, or all of it"
ITS_END = "the next request goes over another connection"
UNASKED = "bytes that come before a request are no answer to it"


async def drop(_, writer):
    writer.close()


async def abort(_, writer):
    reset(writer)


def later(end):
    """Answer, and return what ends the connection once the client has the answer."""

    async def behave(_, writer):
        writer.write(OK)
        await writer.drain()
        return lambda: end(writer)

    return behave


def closes(writer):
    writer.close()


def speaks(writer):
    writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


def keeps(headers: bytes, then: str = "keep"):
    return says(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\nContent-Length: 2\r\n\r\nok", then=then)


CONNECTIONS = [
    Row("it closes without an answer", says(then="close"), "unknown reset", NONE),
    Row("it resets without an answer", abort, "unknown reset", NONE),
    Row("it half-closes without an answer", says(then="half-close"), "unknown reset", NONE),
    Row("it never answers", says(then="hang"), "unknown timeout", NONE),
    Row("it says that it closes", keeps(b"Connection: close", then="close"), "200", ITS_END),
    Row("it says that it closes, and keeps", keeps(b"Connection: close"), "200", ITS_END),
    Row("it says that it keeps, and closes", keeps(b"Connection: keep-alive", then="close"), "200", ITS_END),
    Row("it keeps for no second", keeps(b"Keep-Alive: timeout=0"), "200", ITS_END),
    Row("it keeps for a second", keeps(b"Keep-Alive: timeout=1, max=100"), "200", ITS_END),
    Row("it keeps for a time that is none", keeps(b"Keep-Alive: timeout=soon"), "200", PLAIN),
    Row("it closes when it has answered", later(closes), "200", ITS_END),
    Row("it resets when it has answered", later(reset), "200", ITS_END),
    Row("it says 408 when it has answered", later(speaks), "200", UNASKED),
    Row("HTTP/1.0 that keeps", says(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"), "200",
        PLAIN),
    Row("HTTP/1.0 that does not say", says(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", then="close"), "200",
        ITS_END),
    Row("it closes as soon as it is called", says(OK), "200 | unknown reset", GONE, greet=drop),
    Row("it speaks first", says(OK), "200 | unknown protocol", UNASKED,
        greet=says(b"220 mail.example.com ESMTP\r\n", then="close")),
]  # fmt: skip
