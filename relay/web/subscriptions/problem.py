"""Refuse as v2 and v4 do: problem details, with amoCRM's own list of what is wrong."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from relay.web.subscriptions.errors import ApiError

MEDIA_TYPE = "application/problem+json"
_NO_HEADERS: Mapping[str, str] = {}


def problem(refused: ApiError, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
    """Write a refusal. The content type has no charset: clients compare it as a whole."""
    content = {
        "title": HTTPStatus(refused.status).phrase,
        "type": f"https://httpstatuses.io/{refused.status}",
        "status": refused.status,
        "detail": refused.detail,
        "validation-errors": [{"request_id": "0", "errors": refused.faults}] if refused.faults else [],
    }
    return Response(msgspec.json.encode(content), refused.status, {**refused.headers, **headers}, media_type=MEDIA_TYPE)
