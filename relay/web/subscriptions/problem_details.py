"""The error format of v2 and v4: problem details (RFC 7807), with amoCRM's own list of what is wrong."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from relay.web.subscriptions.errors import ApiError

MEDIA_TYPE = "application/problem+json"  # without a charset: clients compare it as a whole
_NO_HEADERS: Mapping[str, str] = {}


def problem_details(error: ApiError, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
    """Return the response to a request that raised an error."""
    content = {
        "title": HTTPStatus(error.status).phrase,
        "type": f"https://httpstatuses.io/{error.status}",
        "status": error.status,
        "detail": error.detail,
        "validation-errors": [{"request_id": "0", "errors": error.field_errors}] if error.field_errors else [],
    }
    return Response(msgspec.json.encode(content), error.status, {**error.headers, **headers}, media_type=MEDIA_TYPE)
