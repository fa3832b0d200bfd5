"""Status lines and header lines. A status stands once its line is whole; whatever follows it is its body, cut."""

from tests.servers.scripted import Row, says

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def line(text: bytes) -> bytes:
    return text + b"\r\nContent-Length: 2\r\n\r\nok"


PLAIN = "a plain answer"
SAID = "they have said what became of it"
NONE = "nobody knows what it means, so it may have been applied"

_LINES = [
    Row("a plain answer", says(OK), "200", PLAIN),
    Row("a plain answer, byte by byte", says(OK, slowly=True), "200", PLAIN),
    Row("no reason phrase", says(line(b"HTTP/1.1 200 ")), "200", "RFC 9112, 4: it may be empty"),
    Row("no blank after the status", says(line(b"HTTP/1.1 200")), "200", "common, and clear"),
    Row("a reason in windows-1251", says(line(b"HTTP/1.1 200 \xc2\xf1\xb8 \xf5\xee\xf0\xee\xf8\xee")), "200", PLAIN),
    Row("a reason of 8 KB", says(line(b"HTTP/1.1 200 " + b"x" * 8000)), "200", PLAIN),
    Row("line feeds without returns", says(OK.replace(b"\r\n", b"\n")), "200", "common, and clear"),
    Row("an empty line before the status", says(b"\r\n" + OK), "200", "RFC 9112, 2.2: to be ignored"),
    Row("HTTP/1.0 with a length", says(OK.replace(b"1.1", b"1.0"), then="close"), "200", PLAIN),
    Row("HTTP/1.0 to its end", says(b"HTTP/1.0 200 OK\r\n\r\nok", then="close"), "200", "the end is the length"),
    Row("an unusual status", says(line(b"HTTP/1.1 299 Whatever")), "299", SAID),
    Row("a status that nobody knows", says(line(b"HTTP/1.1 799 Whatever")), "799", SAID),
    Row("four digits", says(line(b"HTTP/1.1 2000 OK"), then="close"), "unknown protocol", NONE),
    Row("two digits", says(line(b"HTTP/1.1 20 OK"), then="close"), "unknown protocol", NONE),
    Row("no digits", says(line(b"HTTP/1.1 OK"), then="close"), "unknown protocol", NONE),
    Row("a negative status", says(line(b"HTTP/1.1 -200 OK"), then="close"), "unknown protocol", NONE),
    Row("a text", says(b"hello\r\n", then="close"), "unknown protocol", NONE),
    Row("a page without a head", says(b"<html>502 Bad Gateway</html>", then="close"), "unknown protocol", NONE),
    Row("an ICY stream", says(line(b"ICY 200 OK"), then="close"), "unknown protocol", NONE),
    Row("HTTP/3.0 as text", says(line(b"HTTP/3.0 200 OK"), then="close"), "unknown protocol", NONE),
    Row("small letters", says(line(b"http/1.1 200 OK"), then="close"), "unknown protocol", NONE),
    Row("an HTTP/2 frame", says(b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64", then="close"), "unknown protocol", NONE),
    Row("bytes of TLS", says(b"\x15\x03\x01\x00\x02\x02\x0a", then="close"), "unknown protocol", NONE),
    Row("zeros", says(b"\0" * 100, then="close"), "unknown protocol", NONE),
    Row("it closes in the status", says(b"HTTP/1.1 20", then="close"), "unknown reset", "200 or 208?"),
    Row("it closes before the line ends", says(b"HTTP/1.1 200", then="close"), "unknown reset", "2000?"),
    Row("it hangs in the status", says(b"HTTP/1.1 2", then="hang"), "unknown timeout", "202 or 299?"),
    Row("it resets in the status", says(b"HTTP/1.1 50", then="reset"), "unknown reset", "502 or 500?"),
]
_STATUSES = (b"200 OK", b"429 Too Many Requests", b"503 Service Unavailable", b"400 Bad Request")
_BAD_LINES = {
    "length and chunked together": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a length with a sign": b"Content-Length: +2\r\n\r\nok",
    "a negative length": b"Content-Length: -1\r\n\r\nok",
    "a length in words": b"Content-Length: two\r\n\r\nok",
    "a length in hex": b"Content-Length: 0x2\r\n\r\nok",
    "a length as a list": b"Content-Length: 2, 2\r\n\r\nok",
    "a length that no computer has": b"Content-Length: 99999999999999999999999\r\n\r\nok",
    "a header without a colon": b"X-Note\r\nContent-Length: 2\r\n\r\nok",
    "a header without a name": b": nobody\r\nContent-Length: 2\r\n\r\nok",
    "a header whose name has a blank": b"X Note: a\r\nContent-Length: 2\r\n\r\nok",
    "a name in Cyrillic": "Заметка: a\r\nContent-Length: 2\r\n\r\nok".encode(),
    "a page where the headers should be": b"<html>\r\n<body>no</body></html>",
    "a bad chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
}
_BAD = [
    Row(f"{name} after {status.decode()}", says(b"HTTP/1.1 " + status + b"\r\n" + rest, then="close"),
        f"{status[:3].decode()} cut", SAID)
    for status in _STATUSES
    for name, rest in _BAD_LINES.items()
]  # fmt: skip
_MORE = [
    Row("it closes after the status line", says(b"HTTP/1.1 200 OK\r\n", then="close"), "200 cut", SAID),
    Row("it resets after the status line", says(b"HTTP/1.1 503 No\r\n", then="reset"), "503 cut", SAID),
    Row("it hangs after the status line", says(b"HTTP/1.1 200 OK\r\n", then="hang"), "200 cut", SAID),
    Row("it hangs within the headers", says(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nX", then="hang"), "429 cut", SAID),
    Row("it closes within the headers", says(b"HTTP/1.1 200 OK\r\nX-Note: a", then="close"), "200 cut", SAID),
    Row("headers without end", says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, then="close"), "200 cut", SAID),
    Row("one header without end", says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 90_000, then="close"), "200 cut", SAID),
    Row("two lengths that agree", says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
        "200 cut", "RFC 9110, 8.6 would allow it; the status is what counts"),
    Row("a zero byte in a header", says(b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok"), "200", PLAIN),
    Row("a header over two lines", says(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), "200", PLAIN),
    Row("headers in KOI8-R", says(b"HTTP/1.1 200 OK\r\nX: \xf7\xd3\xc5\r\nContent-Length: 2\r\n\r\nok"), "200", PLAIN),
    Row("a blank before the colon", says(b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"), "200", PLAIN),
]  # fmt: skip
HEADS = [*_LINES, *_BAD, *_MORE]
