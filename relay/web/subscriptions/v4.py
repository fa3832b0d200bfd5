"""v4 of the API: HAL, from plain JSON; problem details."""

from collections.abc import Callable, Collection, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.config.api_users import ApiUser
from relay.config.scalars import TrustedHost
from relay.errors import LimitReached
from relay.logs import log
from relay.model import Json, Subscription
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions.account import account_number, user_number
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.body import read_body
from relay.web.subscriptions.endpoint import UserHandler, user_routes
from relay.web.subscriptions.errors import (
    FIELD_MISSING,
    LIMIT_REACHED,
    ApiError,
    FieldError,
    format_field_errors,
    invalid_field,
)
from relay.web.subscriptions.fields import get_number, get_text, require_mapping
from relay.web.subscriptions.hal import hal_response
from relay.web.subscriptions.problem_details import problem_details
from relay.web.subscriptions.requests import SubscriptionRequest, get_events, get_name

WEBHOOKS, ACCOUNT = "/api/v4/webhooks", "/api/v4/account"
MAX_SORT = 2**31 - 1


def routes(
    authenticator: Authenticator, subscriptions: Subscriptions, trusted: Callable[[], Collection[TrustedHost]]
) -> list[Route]:
    """Return the routes of v4. `trusted`: what subscribers' addresses may be besides public ones."""

    async def list_webhooks(request: Request, user: ApiUser) -> Response:
        destination = request.query_params.get("filter[destination]")
        found = [one for one in await subscriptions.list(user.source) if destination in (None, one.url)]
        embedded = {"webhooks": [_format_subscription(one, user) for one in found]}
        return hal_response({"_total_items": len(found), "_embedded": embedded})

    async def subscribe(request: Request, user: ApiUser) -> Response:
        body = require_mapping(await read_body(request, forms=False), "")
        asked = _parse_subscription(body, trusted())
        sort = get_number(body, "sort", MAX_SORT)
        try:
            made = await subscriptions.replace(user.source, asked.url, asked.events, user.login, asked.name, sort)
        except LimitReached as limit:
            error = FieldError(code=LIMIT_REACHED, path="destination", detail=str(limit))
            raise ApiError(422, str(limit), field_errors=[error]) from limit
        log.info("subscription.made", source=user.source, subscription=made.id, events=len(made.events))
        return hal_response(_format_subscription(made, user), 201)

    async def unsubscribe(request: Request, user: ApiUser) -> Response:
        body = require_mapping(await read_body(request, forms=False), "")
        if not await subscriptions.unsubscribe(user.source, _parse_destination(body)):
            raise ApiError(404, "destination: is not subscribed")
        log.info("subscription.removed", source=user.source, addresses=1, events="all")
        return Response(status_code=204)

    async def show_account(_: Request, user: ApiUser) -> Response:
        return hal_response(_format_account(user))

    handlers: Mapping[str, Mapping[str, UserHandler]] = {
        WEBHOOKS: {"GET": list_webhooks, "POST": subscribe, "DELETE": unsubscribe},
        ACCOUNT: {"GET": show_account},
    }
    return user_routes(authenticator, problem_details, handlers)


def _parse_subscription(body: Mapping[str, Json], trusted: Collection[TrustedHost]) -> SubscriptionRequest:
    url, events = _parse_destination(body), get_events(body, "settings")
    request = SubscriptionRequest(url=url, events=events, name=get_name(body))
    if not events:
        raise invalid_field("settings", "is missing", FIELD_MISSING)
    if errors := [*request.url_errors(trusted, "destination"), *request.event_errors("settings")]:
        raise ApiError(400, format_field_errors(errors), field_errors=errors)
    return request


def _parse_destination(body: Mapping[str, Json]) -> str:
    if destination := get_text(body, "destination"):
        return destination
    raise invalid_field("destination", "is missing", FIELD_MISSING)


def _format_subscription(subscription: Subscription, user: ApiUser) -> dict[str, Json]:
    return {
        "id": subscription.id,
        "destination": subscription.url,
        "created_at": subscription.created_at // 1000,
        "updated_at": subscription.updated_at // 1000,
        "account_id": account_number(user),
        "created_by": user_number(subscription.created_by),
        "sort": subscription.sort,
        "disabled": subscription.disabled,
        "settings": sorted(subscription.events),
    }


def _format_account(user: ApiUser) -> dict[str, Json]:
    return {
        "id": account_number(user),
        "name": user.source,
        "subdomain": user.account.subdomain,
        "current_user_id": user_number(user.login),
    }
