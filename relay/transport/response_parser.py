"""Parsing responses from the bytes of a connection, with httptools. Pure.

A status stands once its line is whole: who has said `200` has said what became of the request, whatever is wrong with
the headers and the body that follow.
"""

import re
import zlib
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from relay.transport.messages import Response

MAX_BODY: Final = 1024 * 1024  # bytes
MAX_HEAD: Final = 64 * 1024  # bytes
_STATUS_LINE: Final = re.compile(rb"(?:\r?\n)*HTTP/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?\r?\n")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_HTTP2_FRAME: Final = re.compile(rb"...[\x04\x07].\0\0\0\0", re.DOTALL)  # SETTINGS or GOAWAY: what a server begins with
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS  # zlib detects which of the two it is


class ResponseParser:
    """Parses the responses of one connection in turn: `begin`, then `feed` until there is a `response`."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        # Common mistakes of servers, which cannot be understood in two ways.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self.begin()

    def begin(self) -> None:
        """Prepare for the next response."""
        self.response: Response | None = None
        self.reusable = False  # whether another exchange may follow on the connection
        self._status = 0  # 0 until the head is complete
        self._head: list[tuple[bytes, bytes]] = []
        self._raw = b""  # what has come of the head, and of those of 1xx before it
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body: list[bytes] = []
        self._size = 0
        self._decompressor: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        """Parse some more bytes. Raises HttpParserError where they are no HTTP response."""
        if not self._status:
            self._raw += data
        try:
            self._parser.feed_data(data)
            if not self._status and len(self._raw) > MAX_HEAD:
                raise HttpParserError(f"more than {MAX_HEAD} bytes of headers")
        except HttpParserUpgrade:
            raise HttpParserError("101: they switch to another protocol, which was not asked for") from None
        except HttpParserError:
            self.reusable = False
            if not self._stand():
                if _HTTP2_FRAME.match(self._raw):
                    raise HttpParserError("they speak HTTP/2 only, and HTTP/1.1 is wanted") from None
                raise

    def stop(self, *, ended: bool) -> Response | None:
        """Return the response as far as it has come, because no more bytes follow; None where there is no status yet.

        `ended`: the connection was closed properly, which is the end of a body without a length.
        """
        if self._status and self.response is None:
            self.reusable = False
            has_length = "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
            self._finish(truncated=has_length or not ended)
        self._stand()
        return self.response

    def _stand(self) -> bool:
        """Return whether there is a response; its beginning becomes one where its status line is whole."""
        if self.response is None:
            if not self._status and (status := standing_status(self._raw)):
                self._take_head(status)
            if self._status:
                self._finish(truncated=True)
        return self.response is not None

    # The callbacks of httptools.

    def on_message_begin(self) -> None:
        """Refuse to reuse a connection on which a second response begins without a request."""
        if self.response is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._head.append((name, value))

    def on_headers_complete(self) -> None:
        """Take status and headers. A status 1xx is not the response yet."""
        status = self._parser.get_status_code()
        if status < 200 or self.response is not None:
            self._head = []
        else:
            self._take_head(status)

    def _take_head(self, status: int) -> None:
        self._status, self._raw = status, b""
        self._headers.extend([(_text(name), _text(value)) for name, value in self._head])
        if self._headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
            self._decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, up to the maximum."""
        if self.response is not None:
            return
        if self._decompressor is not None:
            try:
                body = self._decompressor.decompress(body, MAX_BODY + 1 - self._size)
            except zlib.error:
                self._finish(truncated=True)
                return
        self._body.append(body)
        self._size += len(body)
        if self._size > MAX_BODY:
            self._finish(truncated=True)

    def on_message_complete(self) -> None:
        """Complete the response."""
        if self._status and self.response is None:
            self.reusable = self._parser.should_keep_alive()
            self._finish(truncated=False)

    def _finish(self, *, truncated: bool) -> None:
        cut_off = self._decompressor is not None and bool(self._body) and not self._decompressor.eof
        body = b"".join(self._body)[:MAX_BODY]
        self.response = Response(status=self._status, headers=self._headers, body=body, truncated=truncated or cut_off)


def standing_status(head: bytes) -> int:
    """Return the status of a head, once its line is whole, else 0. Heads of 1xx before it are skipped. Pure."""
    at = 0
    while line := _STATUS_LINE.match(head, at):
        status, end = int(line[1]), _HEAD_END.search(head, line.end() - 1)
        if status >= 200:
            return status
        if end is None:
            break
        at = end.end()
    return 0


def _text(header: bytes) -> str:
    return header.decode("utf-8", "surrogateescape")
