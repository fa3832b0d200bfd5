"""Answer with JSON."""

from collections.abc import Mapping

import msgspec
from starlette.types import Send

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: Mapping[str, str] = {}


async def respond(send: Send, status: int, content: object, headers: Mapping[str, str] = _NO_HEADERS) -> None:
    """Send a whole JSON answer."""
    body = _encode(content)
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    fields += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
