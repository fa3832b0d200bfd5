"""Read answers from the bytes of a connection. Pure: httptools parses, here is what is made of its findings."""

import zlib
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from relay.transport.messages import Response

RESPONSE_CAP: Final = 1024 * 1024  # bytes of a body
HEAD_CAP: Final = 64 * 1024  # bytes before it
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS  # whichever of the two it turns out to be


class ResponseParser:
    """Reads the answers of one connection, one after another: `begin`, then `feed` until there is a `response`."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        # What servers in use get wrong, and no two readers understand differently.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self.begin()

    def begin(self) -> None:
        """Expect an answer."""
        self.response: Response | None = None
        self.reusable = False  # whether another answer may follow on the connection
        self._status = 0  # until the head is whole
        self._head: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body: list[bytes] = []
        self._size = 0
        self._inflating: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        """Read some more. Raises HttpParserError where it is no HTTP; what follows a whole answer is not wanted."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise HttpParserError("101: they switch to another protocol, and nobody asked for that") from None
        except HttpParserError:
            self.reusable = False
            if self.response is None:
                raise
        if not self._status:
            self._head_size += len(data)
            if self._head_size > HEAD_CAP:
                raise HttpParserError(f"more than {HEAD_CAP} bytes of headers")

    def stop(self, *, ended: bool) -> Response | None:
        """Return what can be said when nothing more comes. `ended`: the connection did, which ends some bodies.

        Where the status has been said, a body that breaks off does not take it back.
        """
        if self._status and self.response is None:
            self.reusable = False
            framed = "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
            self._finish(truncated=framed or not ended)
        return self.response

    # What httptools calls.

    def on_message_begin(self) -> None:
        """Note that an answer begins: behind a whole one nobody asked for it."""
        if self.response is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._head.append((name, value))

    def on_headers_complete(self) -> None:
        """Read the head. One that says 1xx only announces the answer."""
        status, head = self._parser.get_status_code(), self._head
        self._head = []
        if status < 200 or self.response is not None:
            return
        self._status = status
        self._headers.extend([(_text(name), _text(value)) for name, value in head])
        if self._headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
            self._inflating = zlib.decompressobj(_GZIP_OR_ZLIB)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body, up to the cap."""
        if self.response is not None:
            return
        if self._inflating is not None:
            try:
                body = self._inflating.decompress(body, RESPONSE_CAP + 1 - self._size)
            except zlib.error:
                self._finish(truncated=True)
                return
        self._body.append(body)
        self._size += len(body)
        if self._size > RESPONSE_CAP:
            self._finish(truncated=True)

    def on_message_complete(self) -> None:
        """Take the answer as whole."""
        if self._status and self.response is None:
            self.reusable = self._parser.should_keep_alive()
            self._finish(truncated=False)

    def _finish(self, *, truncated: bool) -> None:
        cut = self._inflating is not None and bool(self._body) and not self._inflating.eof
        body = b"".join(self._body)[:RESPONSE_CAP]
        self.response = Response(status=self._status, headers=self._headers, body=body, truncated=truncated or cut)


def _text(header: bytes) -> str:
    return header.decode("utf-8", "surrogateescape")
