"""The first generation: everything within `request` and `response`, and login by auth.php."""

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.model import Json
from relay.store.access import SESSION_SECONDS
from relay.web.subscriptions.auth import COOKIE, LOCKED, WRONG, Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import Endpoint, for_users, generation
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.requests import mapping, text, to_subscribe, to_unsubscribe
from relay.web.subscriptions.service import SubscriptionService

ROOT = "/private/api/v2/json/webhooks"
AUTH = "/private/api/auth.php"


def routes(door: Authenticator, desk: SubscriptionService) -> list[Route]:
    """Return the routes of v1."""

    async def listed(_: Request, user: ApiUser) -> Response:
        return _respond({"webhooks": await desk.listed(user)})

    async def subscribe(request: Request, user: ApiUser) -> Response:
        wanted = to_subscribe(await read_body(request, forms=True), "request", "webhooks", "subscribe")
        return _respond({"webhooks": {"subscribe": await desk.subscribe(user, wanted)}})

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        wanted = to_unsubscribe(await read_body(request, forms=True), "request", "webhooks", "unsubscribe")
        return _respond({"webhooks": {"unsubscribe": await desk.unsubscribe(user, wanted)}})

    async def login(request: Request) -> Response:
        user = await door.by_hash(*await _credentials(request))
        answer = _respond({"auth": True, "accounts": [_account(user)]})
        secure = request.url.scheme == "https"
        session = await door.open_session(user)
        answer.set_cookie(COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=secure)
        return answer

    handlers = {
        f"{ROOT}/list": {"GET": for_users(door, listed)},
        f"{ROOT}/subscribe": {"POST": for_users(door, subscribe)},
        f"{ROOT}/unsubscribe": {"POST": for_users(door, unsubscribe)},
    }
    return [Route(AUTH, Endpoint(_refuse_login, {"POST": login})), *generation(_refuse, handlers, ROOT)]


async def _credentials(request: Request) -> tuple[str, str]:
    """Find login and hash in the body, or in the query where there is no body."""
    query = request.query_params
    if "USER_LOGIN" in query:
        return query["USER_LOGIN"], query.get("USER_HASH", "")
    fields = mapping(await read_body(request, forms=True), "")
    return text(fields, "USER_LOGIN"), text(fields, "USER_HASH")


def _account(user: ApiUser) -> dict[str, Json]:
    return {
        "id": user.account.id,
        "name": user.source,
        "subdomain": user.account.subdomain,
        "language": "ru",
        "timezone": user.timezone,
    }


def _respond(response: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"response": {**response, "server_time": int(time.time())}}, status, headers)


def _refuse(refused: ApiError) -> Response:
    return _error(refused, {})


def _refuse_login(refused: ApiError) -> Response:
    return _error(refused, {"auth": False})


def _error(refused: ApiError, more: Mapping[str, Json]) -> Response:
    """Write a refusal. v1 has one status for all that is wrong with a login, and tells it apart by its code."""
    status = 401 if refused.code in (WRONG, LOCKED) else refused.status
    return _respond({**more, "error": refused.detail, "error_code": refused.code}, status, refused.headers)
