"""Bodies: where they end, and what is wrong with them."""

import gzip
import zlib

from tests.servers.heads import PLAIN, SAID
from tests.servers.scripted import Row, says

MEGABYTE = 1024 * 1024
NOT_ALL = "some of it is missing, or may be"
NEXT = "what follows belongs to no request of ours"


def body(headers: bytes, content: bytes = b"", *, then: str = "keep", slowly: bool = False):
    return says(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n" + content, then=then, slowly=slowly)


def chunked(content: bytes, **how):
    return body(b"Transfer-Encoding: chunked", content, **how)


def gzipped(content: bytes, **how):
    return body(b"Content-Encoding: gzip\r\nContent-Length: %d" % len(content), content, **how)


_LENGTHS = [
    Row("it closes within the body", body(b"Content-Length: 9", b"ok", then="close"), "200 cut", NOT_ALL),
    Row("it resets within the body", body(b"Content-Length: 9", b"ok", then="reset"), "200 cut", NOT_ALL),
    Row("it hangs within the body", body(b"Content-Length: 9", b"ok", then="hang"), "200 cut", NOT_ALL),
    Row("a body longer than its length", body(b"Content-Length: 2", b"ok and more"), "200", NEXT),
    Row("a length of nothing, and a body", body(b"Content-Length: 0", b"ok"), "200", NEXT),
    Row("two answers at once", body(b"Content-Length: 2", b"okHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), "200",
        NEXT),
    Row("a second answer later", says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), "200", NEXT),
    Row("no length, it closes", body(b"X: y", b"ok", then="close"), "200", "the end is the length"),
    Row("no length, it half-closes", body(b"X: y", b"ok", then="half-close"), "200", "the end is the length"),
    Row("no length, it resets", body(b"X: y", b"ok", then="reset"), "200 cut", NOT_ALL),
    Row("no length, it hangs", body(b"X: y", b"ok", then="hang"), "200 cut", NOT_ALL),
    Row("no length, and it keeps", body(b"Connection: keep-alive", b"ok", then="hang"), "200 cut", NOT_ALL),
    Row("more than a megabyte", body(b"Content-Length: 3000000", b"x" * 3_000_000), "200 cut", NOT_ALL),
    Row("exactly a megabyte", body(b"Content-Length: %d" % MEGABYTE, b"x" * MEGABYTE), "200", PLAIN),
    Row("a 204", says(b"HTTP/1.1 204 No Content\r\n\r\n"), "204", PLAIN),
    Row("a 204 with a length", says(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), "204", "it has no body"),
    Row("a 204 with a body", says(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"), "204", NEXT),
    Row("a 304 with a length", says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), "304", PLAIN),
    Row("a redirect", says(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n"), "307",
        "it is not followed: that would be a second request"),
    Row("a redirect without an address", says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "302", SAID),
    Row("a 401 that asks for a password",
        says(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"), "401", SAID),
    Row("a 408 as an answer", says(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        then="close"), "408", "it is not sent again by itself"),
]  # fmt: skip
_CHUNKS = [
    Row("chunks", chunked(b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"), "200", PLAIN),
    Row("chunks, byte by byte", chunked(b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n", slowly=True), "200", PLAIN),
    Row("chunks with extensions", chunked(b'2;name="a;b"\r\nok\r\n0;last\r\n\r\n'), "200", PLAIN),
    Row("chunks with a trailer", chunked(b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"), "200", PLAIN),
    Row("a blank after a chunk's size", chunked(b"2 \r\nok\r\n0\r\n\r\n"), "200", "common, and clear"),
    Row("a size with zeros before it", chunked(b"0002\r\nok\r\n0\r\n\r\n"), "200", PLAIN),
    Row("it closes within a chunk", chunked(b"9\r\nok", then="close"), "200 cut", NOT_ALL),
    Row("it closes between chunks", chunked(b"2\r\nok\r\n", then="close"), "200 cut", NOT_ALL),
    Row("it closes before the last empty line", chunked(b"2\r\nok\r\n0\r\n", then="close"), "200 cut", NOT_ALL),
    Row("it hangs between chunks", chunked(b"2\r\nok\r\n", then="hang"), "200 cut", NOT_ALL),
    Row("it resets between chunks", chunked(b"2\r\nok\r\n", then="reset"), "200 cut", NOT_ALL),
    Row("a size that is none", chunked(b"ok\r\n", then="close"), "200 cut", NOT_ALL),
    Row("a negative size", chunked(b"-2\r\nok\r\n0\r\n\r\n", then="close"), "200 cut", NOT_ALL),
    Row("a size without end", chunked(b"F" * 40 + b"\r\nok", then="close"), "200 cut", NOT_ALL),
    Row("a chunk longer than its size", chunked(b"1\r\nok\r\n0\r\n\r\n", then="close"), "200 cut", NOT_ALL),
    Row("something behind the last chunk", chunked(b"2\r\nok\r\n0\r\n\r\nmore"), "200", NEXT),
    Row("chunked twice", body(b"Transfer-Encoding: chunked, chunked", b"2\r\nok\r\n0\r\n\r\n"), "200",
        "a proxy's mistake, and clear"),
    Row("an encoding that nobody knows", body(b"Transfer-Encoding: zip", b"ok", then="close"), "200 cut", NOT_ALL),
    Row("chunked in capitals", body(b"TRANSFER-ENCODING: CHUNKED", b"2\r\nok\r\n0\r\n\r\n"), "200", PLAIN),
]  # fmt: skip
_CODINGS = [
    Row("gzip", gzipped(gzip.compress(b"ok")), "200", PLAIN),
    Row("gzip that is cut", gzipped(gzip.compress(b"ok" * 100)[:-12]), "200 cut", NOT_ALL),
    Row("gzip that is broken", gzipped(b"\x1f\x8b\x08" + b"\xff" * 40), "200 cut", NOT_ALL),
    Row("gzip that is none", gzipped(b'{"ok": true}'), "200 cut", "it cannot be read"),
    Row("a bomb of gzip", gzipped(gzip.compress(bytes(20 * MEGABYTE))), "200 cut", "a megabyte is enough"),
    Row("deflate with its head", body(b"Content-Encoding: deflate\r\nContent-Length: %d" % len(zlib.compress(b"ok")),
        zlib.compress(b"ok")), "200", PLAIN),
    Row("a coding that nobody asked for", body(b"Content-Encoding: br\r\nContent-Length: 2", b"ok"), "200", SAID),
]  # fmt: skip
BODIES = [*_LENGTHS, *_CHUNKS, *_CODINGS]
