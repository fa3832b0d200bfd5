"""Proxies: what they say to CONNECT. Nothing has left before there is a tunnel."""

from tests.servers.connections import abort
from tests.servers.heads import OK, PLAIN
from tests.servers.scripted import Row, says

REFUSED = "they refuse us, and a person must mend it"
LATER = "the way behind them may be better soon: nothing had left, the second try"
BEFORE = "nothing has left before there is a tunnel"


def asked(greet):
    """Return what reads the request for a tunnel first."""

    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await greet(reader, writer)

    behave.hangs = getattr(greet, "hangs", False)
    return behave


def row(behaviour, greet, right, why) -> Row:
    return Row(behaviour, says(OK), right, why, greet=asked(greet), proxy=True)


def refuses(status: str, **how):
    return says(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode(), **how)


PROXIES = [
    row("a tunnel", says(b"HTTP/1.1 200 Connection established\r\n\r\n"), "200", PLAIN),
    row("a tunnel without a reason", says(b"HTTP/1.1 200\r\n\r\n"), "200", PLAIN),
    row("a tunnel by HTTP/1.0", says(b"HTTP/1.0 200 OK\r\nProxy-Agent: a\r\n\r\n"), "200", PLAIN),
    row("a tunnel, byte by byte", says(b"HTTP/1.1 200 OK\r\n\r\n", slowly=True), "200", PLAIN),
    row("a tunnel by line feeds", says(b"HTTP/1.1 200 OK\n\n"), "200", PLAIN),
    row("a tunnel with a length", says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "200", "RFC 9110, 9.3.6"),
    row("a tunnel that begins to speak", says(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", then="close"),
        "200 | unsent reset", "an answer that comes before its request is another's"),
    row("a tunnel that ends at once", says(b"HTTP/1.1 200 OK\r\n\r\n", then="close"),
        "200 | unsent reset | unknown reset", BEFORE),
    *[row(f"{status} to CONNECT", refuses(status), "unsent proxy", REFUSED)
      for status in ("302 Found", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found",
                     "405 Method Not Allowed", "407 Proxy Authentication Required", "451 No")],
    *[row(f"{status} to CONNECT", refuses(status, then="close"), "200", LATER)
      for status in ("408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway",
                     "503 Service Unavailable", "504 Gateway Timeout")],
    row("it closes before it answers", says(then="close"), "200", LATER),
    row("it resets before it answers", abort, "200", LATER),
    row("it never answers to CONNECT", says(then="hang"), "unsent timeout_before_write", BEFORE),
    row("it hangs in the answer to CONNECT", says(b"HTTP/1.1 200 OK\r\n", then="hang"), "unsent timeout_before_write",
        BEFORE),
    row("100 before the tunnel", says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "200", PLAIN),
    row("a text to CONNECT", says(b"hello\r\n\r\n", then="close"), "unsent protocol", BEFORE),
    row("a page to CONNECT", says(b"<html>no</html>\r\n\r\n", then="close"), "unsent protocol", BEFORE),
    row("TLS to CONNECT", says(b"\x15\x03\x01\x00\x02\x02\x0a\n", then="close"), "unsent protocol", BEFORE),
    row("a head to CONNECT without end", says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, then="close"),
        "unsent protocol", BEFORE),
]  # fmt: skip
