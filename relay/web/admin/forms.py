"""Read the forms of the pages, of limited size."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect, Request

MAX_BYTES: Final = 1024 * 1024  # a hook that is pasted, or the marks of a long list
_MAX_FIELDS: Final = 10_000


class FormTooLarge(Exception):
    """The body is over MAX_BYTES, or has too many fields."""


async def read_form(request: Request) -> ImmutableMultiDict[str, str]:
    """Return the fields of an urlencoded form. Raises FormTooLarge."""
    body = await _read(request)
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise FormTooLarge from error
    return ImmutableMultiDict(fields)


async def _read(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BYTES:
                raise FormTooLarge
            chunks.append(chunk)
    except ClientDisconnect:
        return b""  # nobody reads what is answered to that
    return b"".join(chunks)
