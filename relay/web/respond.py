"""Answer with JSON."""

from collections.abc import Mapping, Sequence

import msgspec
from starlette.types import Send

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: Mapping[str, str] = {}


async def respond(send: Send, status: int, content: object, headers: Mapping[str, str] = _NO_HEADERS) -> None:
    """Send a whole JSON answer."""
    await send_json(
        send, status, _encode(content), [(name.encode(), value.encode()) for name, value in headers.items()]
    )


async def send_json(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send JSON that is written already."""
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
