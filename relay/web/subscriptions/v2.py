"""The second generation, as amoCRM first documented its webhooks: HAL, from JSON or bracketed forms."""

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.model import Json
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import for_users, generation
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.problem import problem
from relay.web.subscriptions.requests import to_subscribe, to_unsubscribe
from relay.web.subscriptions.service import Items, SubscriptionService

ROOTS = ("/api/v2/webhooks", "/private/api/v2/webhooks")
HAL = "application/hal+json"


def routes(door: Authenticator, desk: SubscriptionService) -> list[Route]:
    """Return the routes of v2, in both spellings of its address."""

    async def listed(request: Request, user: ApiUser) -> Response:
        return _respond(request, await desk.listed(user))

    async def subscribe(request: Request, user: ApiUser) -> Response:
        wanted = to_subscribe(await read_body(request, forms=True), "subscribe")
        return _respond(request, await desk.subscribe(user, wanted))

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        wanted = to_unsubscribe(await read_body(request, forms=True), "unsubscribe")
        return _respond(request, await desk.unsubscribe(user, wanted))

    found = []
    for root in ROOTS:
        handlers = {
            root: {"GET": for_users(door, listed)},
            f"{root}/subscribe": {"POST": for_users(door, subscribe)},
            f"{root}/unsubscribe": {"POST": for_users(door, unsubscribe)},
        }
        found += generation(_refuse, handlers, root)
    return found


def _respond(request: Request, items: Items) -> Response:
    self_: dict[str, Json] = {"href": request.url.path, "method": request.method.lower()}
    content = {"_links": {"self": self_}, "_embedded": {"items": items}}
    return JSONResponse(content, headers=_runtime(), media_type=HAL)


def _refuse(refused: ApiError) -> Response:
    return problem(refused, _runtime())


def _runtime() -> Mapping[str, str]:
    return {"Runtime-Timestamp": str(int(time.time()))}
