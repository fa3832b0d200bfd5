"""Send JSON as an ASGI response, for endpoints that Starlette's own classes would slow down."""

from collections.abc import Mapping, Sequence

import msgspec
from starlette.types import Send

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: Mapping[str, str] = {}


async def send_json(send: Send, status: int, content: object, headers: Mapping[str, str] = _NO_HEADERS) -> None:
    """Send a value as a whole JSON response."""
    encoded_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send_encoded(send, status, _encode(content), encoded_headers)


async def send_encoded(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send JSON that is encoded already."""
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
