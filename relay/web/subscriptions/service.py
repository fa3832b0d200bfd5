"""Subscribe and unsubscribe for an API user, item by item: what v1 and v2 share."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from relay.config.api_users import ApiUser
from relay.config.scalars import TrustedHost
from relay.errors import LimitReached
from relay.logs import log
from relay.model import Json, Subscription
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions.errors import format_field_errors
from relay.web.subscriptions.requests import SubscriptionRequest

Items: TypeAlias = list[dict[str, Json]]


class SubscriptionService:
    """Subscribes and unsubscribes. An item that fails has a notice that says why; the others are done."""

    def __init__(self, subscriptions: Subscriptions, trusted: Callable[[], Collection[TrustedHost]]) -> None:
        self._subscriptions = subscriptions
        self._trusted = trusted

    async def subscribe(self, user: ApiUser, requests: Sequence[SubscriptionRequest]) -> Items:
        """Add events to addresses, making subscriptions where there are none."""
        return [_format_result(request.url, await self._subscribe(user, request)) for request in requests]

    async def _subscribe(self, user: ApiUser, request: SubscriptionRequest) -> str:
        if errors := [*request.url_errors(self._trusted()), *request.event_errors()]:
            return format_field_errors(errors)
        url, events, name = request.url, request.events, request.name
        try:
            made = await self._subscriptions.subscribe(user.source, url, events, user.login, name)
        except LimitReached as error:
            return str(error)
        log.info("subscription.made", source=user.source, subscription=made.id, events=len(made.events))
        return ""

    async def unsubscribe(self, user: ApiUser, requests: Sequence[SubscriptionRequest]) -> Items:
        """Remove events from addresses.

        No events: all of the address's. No address: of every subscription that this login made, an item for each.
        """
        return [item for request in requests for item in await self._unsubscribe(user, request)]

    async def _unsubscribe(self, user: ApiUser, request: SubscriptionRequest) -> Items:
        if errors := request.event_errors():
            return [_format_result(request.url, format_field_errors(errors))]
        url, events = request.url or None, request.events
        removed = await self._subscriptions.unsubscribe(user.source, url, events, user.login)
        if removed:
            count = len(events) or "all"
            log.info("subscription.removed", source=user.source, addresses=len(removed), events=count)
            return [_format_result(url, "") for url in removed]
        notice = "is not subscribed" if request.url else "no webhook that this login made has one of these events"
        return [_format_result(request.url, notice)]

    async def list(self, user: ApiUser) -> Items:
        """Return all subscriptions of the user's account."""
        return [_format_subscription(found) for found in await self._subscriptions.list(user.source)]


def _format_result(url: str, notice: str) -> dict[str, Json]:
    return {"url": url, "result": False, "notice": notice} if notice else {"url": url, "result": True}


def _format_subscription(subscription: Subscription) -> dict[str, Json]:
    return {
        "id": subscription.id,
        "url": subscription.url,
        "events": sorted(subscription.events),
        "disabled": subscription.disabled,
        **({"name": subscription.name} if subscription.name else {}),
    }
