"""The fourth generation: one address, plain JSON, problem details."""

from collections.abc import Callable, Collection, Mapping
from zlib import crc32

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.config.scalars import TrustedHost
from relay.errors import LimitReached
from relay.logs import log
from relay.model import Json, Subscription
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import for_users, generation
from relay.web.subscriptions.errors import LIMIT, MISSING, ApiError, Fault, format_faults, wrong_shape
from relay.web.subscriptions.problem import problem
from relay.web.subscriptions.requests import SubscriptionRequest, mapping, name_in, number, text, texts

ROOT = "/api/v4/webhooks"
MAX_SORT = 2**31 - 1


def routes(
    door: Authenticator, subscriptions: Subscriptions, trusted: Callable[[], Collection[TrustedHost]]
) -> list[Route]:
    """Return the routes of v4. `trusted`: what subscribers' addresses may be besides public ones."""

    async def listed(request: Request, user: ApiUser) -> Response:
        destination = request.query_params.get("filter[destination]")
        found = [one for one in await subscriptions.list(user.source) if destination in (None, one.url)]
        embedded = {"webhooks": [_shown(one, user) for one in found]}
        return JSONResponse({"_total_items": len(found), "_embedded": embedded})

    async def subscribe(request: Request, user: ApiUser) -> Response:
        body = mapping(await read_body(request, forms=False), "")
        wanted = SubscriptionRequest(url=_destination(body), events=texts(body, "settings"), name=name_in(body))
        if not wanted.events:
            raise wrong_shape("settings", "is missing", MISSING)
        sort = number(body, "sort", MAX_SORT)
        if faults := [*wanted.url_faults(trusted(), "destination"), *wanted.event_faults("settings")]:
            raise ApiError(400, format_faults(faults), faults=faults)
        try:
            made = await subscriptions.replace(user.source, wanted.url, wanted.events, user.login, wanted.name, sort)
        except LimitReached as limit:
            fault = Fault(code=LIMIT, path="destination", detail=str(limit))
            raise ApiError(422, str(limit), faults=[fault]) from limit
        log.info("subscription.made", source=user.source, subscription=made.id, events=len(made.events))
        return JSONResponse(_shown(made, user), 201)

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        body = mapping(await read_body(request, forms=False), "")
        if not await subscriptions.unsubscribe(user.source, _destination(body)):
            raise ApiError(404, "destination: is not subscribed")
        log.info("subscription.removed", source=user.source, addresses=1, events="all")
        return Response(status_code=204)

    handlers = {"GET": listed, "POST": subscribe, "DELETE": unsubscribe}
    admitted = {method: for_users(door, handler) for method, handler in handlers.items()}
    return generation(problem, {ROOT: admitted}, ROOT)


def _destination(body: Mapping[str, Json]) -> str:
    if destination := text(body, "destination"):
        return destination
    raise wrong_shape("destination", "is missing", MISSING)


def _shown(one: Subscription, user: ApiUser) -> dict[str, Json]:
    return {
        "id": one.id,
        "destination": one.url,
        "created_at": one.created_at // 1000,
        "updated_at": one.updated_at // 1000,
        "account_id": int(user.account.id) if user.account.id.isdecimal() else 0,
        "created_by": crc32(one.created_by.encode()),  # clients expect a user's number; 0 for an operator
        "sort": one.sort,
        "disabled": one.disabled,
        "settings": sorted(one.events),
    }
