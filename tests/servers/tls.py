"""TLS: what is refused before anything is sent, and what the end of a connection says."""

import asyncio
import ssl
import tempfile
from functools import partial
from pathlib import Path

from tests.authority import Authority
from tests.servers.bodies import NOT_ALL
from tests.servers.connections import abort
from tests.servers.heads import NONE, OK, PLAIN
from tests.servers.scripted import Row, says

HOST = "books.example.com"
NO_END = b"HTTP/1.1 200 OK\r\n\r\nok"
UNSENT = "the handshake comes before the request"
TRIED = "nothing had left: the second try"


def served(authority: Authority, *hosts: str, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = authority.server_context(*(hosts or (HOST,)))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def wanting(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = served(authority, version=version)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    return context


def stranger(_: Authority) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as folder:
        return Authority(Path(folder)).server_context(HOST)


def alert(number: int):
    """Answer the first message of TLS with a fatal alert."""

    async def behave(reader, writer):
        await reader.read(1)
        writer.write(bytes([21, 3, 3, 0, 2, 2, number]))
        await writer.drain()
        writer.write_eof()
        await reader.read()

    return behave


def cuts(content: bytes):
    """Write, and end the connection without saying so (close_notify)."""

    async def behave(_, writer):
        writer.write(content)
        await writer.drain()
        await asyncio.sleep(0.05)  # what was written must be on its way
        writer.transport.abort()

    return behave


def row(behaviour, behave, right, why, tls=served, **more) -> Row:
    return Row(behaviour, behave, right, why, https=True, tls=tls, **more)


def refusing(behaviour, greet, right="unsent tls", why=UNSENT) -> Row:
    return Row(behaviour, says(OK), right, why, https=True, greet=greet, again=False)


async def plain(reader, writer):
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\nplain HTTP was sent to an HTTPS port, or the other way")
    writer.close()


TLS = [
    row("a plain answer over TLS", says(OK), "200", PLAIN),
    row("TLS 1.2", says(OK), "200", PLAIN, partial(served, version=ssl.TLSVersion.TLSv1_2)),
    row("a certificate of a stranger", says(OK), "unsent tls", UNSENT, stranger, again=False),
    row("a certificate for another name", says(OK), "unsent tls", UNSENT,
        lambda authority: served(authority, "other.example.com"), again=False),
    row("an international name", says(OK), "200", PLAIN, lambda a: served(a, "xn--e1afmkfd.example.com"),
        host="пример.example.com"),
    row("a name of IDNA 2008 only", says(OK), "200", PLAIN, lambda a: served(a, "xn--strae-oqa.example.com"),
        host="xn--strae-oqa.example.com"),
    row("a name of a picture", says(OK), "200", PLAIN, lambda a: served(a, "xn--ls8h.example.com"),
        host="xn--ls8h.example.com"),
    row("a name that ends with a dot", says(OK), "200", PLAIN, host=HOST + "."),
    row("a name with a line in it", says(OK), "200", PLAIN, lambda a: served(a, "my_books.example.com"),
        host="my_books.example.com"),
    row("a name that TLS cannot say", says(OK), "unsent tls", UNSENT, host="x" * 64 + ".example.com", again=False),
    row("it wants a client certificate, TLS 1.3", says(OK), "unsent tls", "no request is read before it has one",
        partial(wanting, version=ssl.TLSVersion.TLSv1_3), again=False, by_hand=True),
    row("it wants a client certificate, TLS 1.2", says(OK), "unsent tls", UNSENT,
        partial(wanting, version=ssl.TLSVersion.TLSv1_2), again=False, by_hand=True),
    refusing("plain HTTP at the address", plain),
    refusing("it closes in the handshake", says(then="close"), "200 | unsent connect | unsent reset | unsent tls"),
    refusing("it resets in the handshake", abort, "200 | unsent connect | unsent reset | unsent tls"),
    refusing("it hangs in the handshake", says(then="hang"), "unsent timeout_before_write"),
    *[
        refusing(f"the alert {name}", alert(number))
        for name, number in {
            "unexpected_message": 10, "handshake_failure": 40, "bad_certificate": 42, "certificate_unknown": 46,
            "access_denied": 49, "protocol_version": 70, "insufficient_security": 71, "internal_error": 80,
            "unrecognized_name": 112, "certificate_required": 116, "no_application_protocol": 120,
        }.items()
    ],
    row("no length, and it says that it ends", says(NO_END, then="close"), "200", "close_notify is the length"),
    row("no length, and it does not say", cuts(NO_END), "200 cut", NOT_ALL),
    row("no length, it does not say, TLS 1.2", cuts(NO_END), "200 cut", NOT_ALL,
        partial(served, version=ssl.TLSVersion.TLSv1_2)),
    row("a length, and it does not say that it ends", cuts(OK), "200", "the length says it", again=False),
    row("it cuts within the body", cuts(OK[:-1]), "200 cut", NOT_ALL),
    row("it ends without an answer", says(then="close"), "unknown reset", NONE),
    row("it cuts without an answer", cuts(b""), "unknown reset", NONE),
    row("it never answers over TLS", says(then="hang"), "unknown timeout", NONE),
    row("HTTP/2 within TLS", says(b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64", then="close"), "unknown protocol", NONE),
]  # fmt: skip
