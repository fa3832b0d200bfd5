"""Parsing responses from the bytes of a connection, with httptools. Pure."""

import zlib
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from relay.transport.messages import Response

MAX_BODY: Final = 1024 * 1024  # bytes
MAX_HEAD: Final = 64 * 1024  # bytes
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
        self._head_size = 0
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body: list[bytes] = []
        self._size = 0
        self._decompressor: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        """Parse some more bytes. Raises HttpParserError where they are no HTTP response."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise HttpParserError("101: they switch to another protocol, which was not asked for") from None
        except HttpParserError:
            self.reusable = False
            if self.response is None:
                raise
        if not self._status:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                raise HttpParserError(f"more than {MAX_HEAD} bytes of headers")

    def stop(self, *, ended: bool) -> Response | None:
        """Return the response as far as it has come, because no more bytes follow; None where there is no status yet.

        `ended`: the connection was closed properly, which is the end of a body without a length.
        """
        if self._status and self.response is None:
            self.reusable = False
            has_length = "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
            self._finish(truncated=has_length or not ended)
        return self.response

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
        status, head = self._parser.get_status_code(), self._head
        self._head = []
        if status < 200 or self.response is not None:
            return
        self._status = status
        self._headers.extend([(_text(name), _text(value)) for name, value in head])
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


def _text(header: bytes) -> str:
    return header.decode("utf-8", "surrogateescape")
