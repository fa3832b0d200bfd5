"""All addresses of the JSON API."""

from functools import cache
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from relay.web.admin.api import actions, deliveries, events, people, replay, sinks, sources, state, subscriptions
from relay.web.admin.api.endpoint import ApiEndpoint
from relay.web.admin.api.openapi import describe
from relay.web.admin.api.operation import Operation, Operations
from relay.web.admin.refusal import API_ROOT
from relay.web.admin.services import Services

OPERATIONS: Final[Operations] = (
    *events.OPERATIONS,
    *deliveries.OPERATIONS,
    *actions.OPERATIONS,
    *people.OPERATIONS,
    *replay.OPERATIONS,
    *sinks.OPERATIONS,
    *sources.OPERATIONS,
    *subscriptions.OPERATIONS,
    *state.OPERATIONS,
)
DESCRIPTION_PATH: Final = f"{API_ROOT}/openapi.json"
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def routes(services: Services) -> list[BaseRoute]:
    """Return the routes of all operations, of their description, and of what is none of them."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    # Addresses without a name in them come first: /deliveries/retry is no delivery.
    paths = sorted(by_path, key=lambda path: ("{" in path, path))
    return [
        Route(DESCRIPTION_PATH, _send_description),
        *(Route(API_ROOT + path, ApiEndpoint(services, by_path[path]).__call__, methods=_METHODS) for path in paths),
        Route(API_ROOT, _refuse_unknown, methods=_METHODS),
        Route(f"{API_ROOT}/{{rest:path}}", _refuse_unknown, methods=_METHODS),
    ]


@cache
def description() -> dict[str, object]:
    """Return the description of the API."""
    return describe(OPERATIONS)


async def _send_description(_: Request) -> Response:
    return JSONResponse(description())


async def _refuse_unknown(request: Request) -> Response:
    reason = f"there is no {request.url.path[:200]}: GET {DESCRIPTION_PATH} lists the addresses"
    return JSONResponse({"error": reason}, 404)
