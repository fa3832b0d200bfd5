"""v2 of the API, as amoCRM first documented its webhooks: HAL, from JSON or bracketed forms."""

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.model import Json
from relay.web.subscriptions.account import account_number, user_number
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import UserHandler, user_routes
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.hal import hal_response
from relay.web.subscriptions.problem_details import problem_details
from relay.web.subscriptions.requests import parse_subscribe, parse_unsubscribe
from relay.web.subscriptions.service import Items, SubscriptionService

ROOTS = ("/api/v2", "/private/api/v2")


def routes(authenticator: Authenticator, service: SubscriptionService) -> list[Route]:
    """Return the routes of v2, at both of its addresses."""

    async def list_webhooks(request: Request, user: ApiUser) -> Response:
        return _respond(request, _embed(await service.list(user)))

    async def subscribe(request: Request, user: ApiUser) -> Response:
        requests = parse_subscribe(await read_body(request, forms=True), "subscribe")
        return _respond(request, _embed(await service.subscribe(user, requests)))

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        requests = parse_unsubscribe(await read_body(request, forms=True), "unsubscribe")
        return _respond(request, _embed(await service.unsubscribe(user, requests)))

    async def show_account(request: Request, user: ApiUser) -> Response:
        return _respond(request, _format_account(user))

    addresses: Mapping[str, Mapping[str, UserHandler]] = {
        "account": {"GET": show_account},
        "webhooks": {"GET": list_webhooks},
        "webhooks/subscribe": {"POST": subscribe},
        "webhooks/unsubscribe": {"POST": unsubscribe},
    }
    handlers = {f"{root}/{address}": methods for root in ROOTS for address, methods in addresses.items()}
    return user_routes(authenticator, format_error, handlers)


def _respond(request: Request, content: Mapping[str, Json]) -> Response:
    # A HEAD is answered as the GET that it stands for.
    method = "get" if request.method == "HEAD" else request.method.lower()
    links: dict[str, Json] = {"self": {"href": request.url.path, "method": method}}
    return hal_response({"_links": links, **content}, headers=_runtime_headers())


def _embed(items: Items) -> dict[str, Json]:
    return {"_embedded": {"items": items}}


def _format_account(user: ApiUser) -> dict[str, Json]:
    return {
        "id": account_number(user),
        "name": user.source,
        "subdomain": user.account.subdomain,
        "current_user": user_number(user.login),
    }


def format_error(error: ApiError) -> Response:
    """Write an error: problem details, at a time."""
    return problem_details(error, _runtime_headers())


def _runtime_headers() -> Mapping[str, str]:
    return {"Runtime-Timestamp": str(int(time.time()))}
