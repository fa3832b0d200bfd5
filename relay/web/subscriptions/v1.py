"""v1 of the API: everything within `request` and `response`, and login by auth.php."""

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.model import Json
from relay.store.access import SESSION_SECONDS
from relay.web.peers import peer_name
from relay.web.subscriptions.account import account_number, user_number
from relay.web.subscriptions.auth import LOCKED, SESSION_COOKIE, WRONG_CREDENTIALS, Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import Endpoint, UserHandler, user_routes
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.fields import get_text, require_mapping
from relay.web.subscriptions.requests import parse_subscribe, parse_unsubscribe
from relay.web.subscriptions.service import SubscriptionService

ROOT = "/private/api/v2/json"
AUTH = "/private/api/auth.php"


def routes(authenticator: Authenticator, service: SubscriptionService) -> list[Route]:
    """Return the routes of v1."""

    async def list_webhooks(_: Request, user: ApiUser) -> Response:
        # This version writes ids as texts.
        return _respond({"webhooks": [{**item, "id": str(item["id"])} for item in await service.list(user)]})

    async def subscribe(request: Request, user: ApiUser) -> Response:
        requests = parse_subscribe(await read_body(request, forms=True), "request", "webhooks", "subscribe")
        return _respond({"webhooks": {"subscribe": await service.subscribe(user, requests)}})

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        requests = parse_unsubscribe(await read_body(request, forms=True), "request", "webhooks", "unsubscribe")
        return _respond({"webhooks": {"unsubscribe": await service.unsubscribe(user, requests)}})

    async def login(request: Request) -> Response:
        user = await authenticator.by_hash(*await _read_credentials(request), peer_name(request))
        response = _respond({"auth": True, "accounts": [_format_login_account(user)]})
        _set_session(response, await authenticator.open_session(user), secure=request.url.scheme == "https")
        return response

    async def show_account(_: Request, user: ApiUser) -> Response:
        return _respond({"account": _format_account(user)})

    handlers: Mapping[str, Mapping[str, UserHandler]] = {
        f"{ROOT}/accounts/current": {"GET": show_account},
        f"{ROOT}/webhooks/list": {"GET": list_webhooks},
        f"{ROOT}/webhooks/subscribe": {"POST": subscribe},
        f"{ROOT}/webhooks/unsubscribe": {"POST": unsubscribe},
    }
    auth = Endpoint(_format_login_error, {"GET": login, "POST": login})
    return [Route(AUTH, auth), *user_routes(authenticator, format_error, handlers)]


def _set_session(response: Response, session: str, *, secure: bool) -> None:
    response.set_cookie(
        SESSION_COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=secure
    )  # fmt: skip


async def _read_credentials(request: Request) -> tuple[str, str]:
    """Return login and hash: of the query where they are there, else of the body, which only a POST has."""
    query = request.query_params
    if "USER_LOGIN" in query:
        return query["USER_LOGIN"], query.get("USER_HASH", "")
    if request.method != "POST":  # nobody tried to get in: it does not count as a wrong attempt
        raise ApiError(401, "no credentials: give USER_LOGIN and USER_HASH", code=WRONG_CREDENTIALS)
    fields = require_mapping(await read_body(request, forms=True), "")
    return get_text(fields, "USER_LOGIN"), get_text(fields, "USER_HASH")


def _format_account(user: ApiUser) -> dict[str, Json]:
    return {**_identify_account(user), "current_user": str(user_number(user.login))}


def _format_login_account(user: ApiUser) -> dict[str, Json]:
    return {**_identify_account(user), "language": "ru", "timezone": user.timezone}


def _identify_account(user: ApiUser) -> dict[str, Json]:
    return {"id": str(account_number(user)), "name": user.source, "subdomain": user.account.subdomain}


def _respond(response: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"response": {**response, "server_time": int(time.time())}}, status, headers)


def format_error(error: ApiError) -> Response:
    """Write an error, within `response` as all that this version answers."""
    return _error_response(error, {})


def _format_login_error(error: ApiError) -> Response:
    return _error_response(error, {"auth": False})


def _error_response(error: ApiError, more: Mapping[str, Json]) -> Response:
    """Write an error. v1 has one status for all that is wrong with a login; its codes say what it is."""
    status = 401 if error.code in (WRONG_CREDENTIALS, LOCKED) else error.status
    return _respond({**more, "error": error.detail, "error_code": error.code}, status, error.headers)
