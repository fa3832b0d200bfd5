"""Read the body of a request: JSON or a bracketed form, of limited size, into nested values."""

from collections.abc import Callable

import msgspec
from starlette.requests import ClientDisconnect, Request

from relay.amocrm.form import decode_form
from relay.amocrm.multipart import decode_multipart
from relay.errors import Malformed
from relay.model import Json
from relay.web.subscriptions.errors import ApiError

MAX_BYTES = 512 * 1024
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"  # what PHP's cURL makes of an array, and FormData of other languages
JSON = "application/json"
_JSON_DECODER: msgspec.json.Decoder[Json] = msgspec.json.Decoder()


async def read_body(request: Request, *, forms: bool) -> Json:
    """Return a body's values; those of a form are all texts. Raises ApiError, at the latest when it is too large."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    possible = (JSON, FORM, MULTIPART) if forms else (JSON,)
    if media_type and media_type not in possible:
        raise ApiError(400, f"Content-Type is {media_type[:100]}, possible is {' or '.join(possible)}")
    body = await _read_bytes(request)
    # PHP's cURL sends every text as a form. No form begins with a brace.
    if media_type == FORM and not body.lstrip().startswith(b"{"):
        return _parse_form(lambda: decode_form(body))
    if media_type == MULTIPART:
        return _parse_form(lambda: decode_multipart(body, content_type))
    return _parse_json(body)


async def _read_bytes(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BYTES:
                raise ApiError(413, f"the body is over {MAX_BYTES} bytes", headers={"Connection": "close"})
    except ClientDisconnect as error:
        raise ApiError(400, "the body was cut off") from error
    return b"".join(chunks)


def _parse_form(decode: Callable[[], Json]) -> Json:
    try:
        return decode()
    except Malformed as error:
        raise ApiError(400, str(error)) from error


def _parse_json(body: bytes) -> Json:
    try:
        return _JSON_DECODER.decode(body)
    except (ValueError, RecursionError) as error:  # msgspec's DecodeError is a ValueError
        raise ApiError(400, f"the body is not JSON: {error}") from error
