"""v2 of the API, as amoCRM first documented its webhooks: HAL, from JSON or bracketed forms."""

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.model import Json
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import require_user, version_routes
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.problem_details import problem_details
from relay.web.subscriptions.requests import parse_subscribe, parse_unsubscribe
from relay.web.subscriptions.service import Items, SubscriptionService

ROOTS = ("/api/v2/webhooks", "/private/api/v2/webhooks")
HAL = "application/hal+json"


def routes(authenticator: Authenticator, service: SubscriptionService) -> list[Route]:
    """Return the routes of v2, at both of its addresses."""

    async def list_webhooks(request: Request, user: ApiUser) -> Response:
        return _respond(request, await service.list(user))

    async def subscribe(request: Request, user: ApiUser) -> Response:
        requests = parse_subscribe(await read_body(request, forms=True), "subscribe")
        return _respond(request, await service.subscribe(user, requests))

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        requests = parse_unsubscribe(await read_body(request, forms=True), "unsubscribe")
        return _respond(request, await service.unsubscribe(user, requests))

    routes = []
    for root in ROOTS:
        handlers = {
            root: {"GET": require_user(authenticator, list_webhooks)},
            f"{root}/subscribe": {"POST": require_user(authenticator, subscribe)},
            f"{root}/unsubscribe": {"POST": require_user(authenticator, unsubscribe)},
        }
        routes += version_routes(_format_error, handlers, root)
    return routes


def _respond(request: Request, items: Items) -> Response:
    self_: dict[str, Json] = {"href": request.url.path, "method": request.method.lower()}
    content = {"_links": {"self": self_}, "_embedded": {"items": items}}
    return JSONResponse(content, headers=_runtime_headers(), media_type=HAL)


def _format_error(error: ApiError) -> Response:
    return problem_details(error, _runtime_headers())


def _runtime_headers() -> Mapping[str, str]:
    return {"Runtime-Timestamp": str(int(time.time()))}
