"""Answers of v2 and v4: HAL."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from relay.model import Json

_MEDIA_TYPE = "application/hal+json"


def hal_response(
    content: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a response of HAL's media type, without a charset."""
    return JSONResponse(content, status, headers, media_type=_MEDIA_TYPE)
